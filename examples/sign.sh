#!/bin/sh
# Prints a signature for the header x-channelstream-secret. It is valid for 60 seconds.
#
#   sh examples/sign.sh                                  signs with the default secret
#   CHANNELSTREAM_SECRET=... sh examples/sign.sh         signs with your secret
#   sh examples/sign.sh /message                         signs a path, for signature_scope = endpoint
#
# Does the same as itsdangerous' TimestampSigner(secret).sign(text). Needs openssl.
set -eu

secret=${CHANNELSTREAM_SECRET:-secret}
text=${1:-channelstream}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# Seconds since 1970 as four big-endian bytes.
now=$(date +%s)
bytes=$(printf '\\%03o\\%03o\\%03o\\%03o' \
  $((now >> 24 & 255)) $((now >> 16 & 255)) $((now >> 8 & 255)) $((now & 255)))
# shellcheck disable=SC2059
timestamp=$(printf "$bytes" | base64url)

key=$(printf 'itsdangerous.Signersigner%s' "$secret" | openssl dgst -sha1 | sed 's/.* //')
signature=$(printf '%s.%s' "$text" "$timestamp" |
  openssl dgst -sha1 -mac HMAC -macopt "hexkey:$key" -binary | base64url)

printf '%s.%s.%s\n' "$text" "$timestamp" "$signature"
