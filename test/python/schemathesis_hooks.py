"""Signs the requests of schemathesis, and replaces one of its checks by one that knows this server."""
import os
import re

import schemathesis
from itsdangerous import TimestampSigner
from schemathesis import GenerationMode
from schemathesis.core import NotSet

signer = TimestampSigner(os.environ["CHANNELSTREAM_SECRET"])


@schemathesis.auth(refresh_interval=30)
class Signature:
    """A signature is valid for a minute, and one that was made is kept for half of it."""

    def get(self, case, context):
        return signer.sign("schemathesis").decode()

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "x-channelstream-secret": data}


# Why a request that fits its schema may be refused.
NAMED = {
    # What the server has at the time.
    r"Unknown (connection|user|channel).*",
    r"Belongs to another user\.",
    r"This Idempotency-Key was sent with another request\.",
    r"The server has lost the events from the time of this id\.",
    # It may be in the query or in the body, and /subscribe may have a username instead.
    r"Field may not be null\.",
    # What the fields of a request are together.
    r"Not together with .*",
    r"More than \d+ .*",
    r"Longer than maximum length .*",
    # Bytes, where a schema counts characters and keys.
    r"(State|List) is larger than \d+ bytes\.",
    r"Longer than \d+ bytes of UTF-8\.",
    r"The body is too large\.",
    # The calendar, and numbers beyond 2^53.
    r"Not a valid datetime\.",
    r"Not (the id of an event|a valid cursor)\.",
    # A key that would change the prototype of all objects.
    r"Key is not allowed\.",
}


# The conn_id of /disconnect may be in the query, so the body may be missing. A schema cannot say that one of them must be
# there.
NO_BODY = r"Invalid input type\."


def texts_of(complaints):
    if isinstance(complaints, str):
        return [complaints]
    inner = complaints.values() if isinstance(complaints, dict) else complaints
    return [text for each in inner for text in texts_of(each)]


@schemathesis.check
def accepted_or_refused_by_name(ctx, response, case):
    """Refusals of requests that fit their schemas have only the texts above."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if response.status_code not in (400, 410, 413, 422):
        return
    has_no_body = isinstance(case.body, NotSet) and case.path == "/disconnect"
    named = NAMED | {NO_BODY} if has_no_body else NAMED
    others = [
        text
        for text in texts_of(response.json())
        if not any(re.fullmatch(reason, text) for reason in named)
    ]
    assert not others, f"A request that fits its schema is refused: {others}"
