/* SHA-1, HMAC and base64, for the signature of backend requests (src/http/signature.ts). */
#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint32_t rotate(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

static void sha1_block(uint32_t state[5], const uint8_t *block) {
  uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f, k;
    if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
    else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
    else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
    else f = b ^ c ^ d, k = 0xca62c1d6;
    uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d, d = c, c = rotate(b, 30), b = a, a = next;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

void sha1(const void *bytes, size_t length, uint8_t digest[20]) {
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const uint8_t *at = bytes;
  size_t left = length;
  for (; left >= 64; left -= 64, at += 64) sha1_block(state, at);
  uint8_t last[128] = {0};
  memcpy(last, at, left);
  last[left] = 0x80;
  size_t padded = left < 56 ? 64 : 128;
  for (int i = 0; i < 8; i++) last[padded - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
  for (size_t done = 0; done < padded; done += 64) sha1_block(state, last + done);
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

/* Only for keys as long as a digest, and texts of at most 256 bytes. */
static void hmac_sha1(const uint8_t key[20], const char *text, uint8_t digest[20]) {
  uint8_t inner[64 + 256], outer[64 + 20];
  size_t length = strlen(text);
  for (int i = 0; i < 64; i++) {
    uint8_t byte = i < 20 ? key[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  memcpy(inner + 64, text, length);
  sha1(inner, 64 + length, outer + 64);
  sha1(outer, sizeof outer, digest);
}

/* `alphabet_end`: the last two of the 64 characters. The caller adds padding. */
void base64(const uint8_t *bytes, size_t length, const char *alphabet_end, char *text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  size_t characters = (length * 8 + 5) / 6;
  for (size_t i = 0; i < characters; i++) {
    unsigned value = 0;
    for (size_t bit = i * 6; bit < i * 6 + 6; bit++)
      value = value << 1 | (bit < length * 8 ? bytes[bit / 8] >> (7 - bit % 8) & 1 : 0);
    text[i] = value < 62 ? letters[value] : alphabet_end[value - 62];
  }
  text[characters] = 0;
}

void sign_now(const char *secret, char text[SIGNED_LENGTH + 1]) {
  char salted[300], stamp[8], signature[28];
  uint8_t key[20], digest[20];
  time_t now = time(NULL);
  uint8_t seconds[4] = {now >> 24, now >> 16, now >> 8, now};
  int length = snprintf(salted, sizeof salted, "itsdangerous.Signersigner%s", secret);
  sha1(salted, (size_t)length, key);
  base64(seconds, 4, "-_", stamp);
  snprintf(text, SIGNED_LENGTH + 1, "bench.%s", stamp);
  hmac_sha1(key, text, digest);
  base64(digest, 20, "-_", signature);
  snprintf(text + strlen(text), 29, ".%s", signature);
}
