"""Hooks of schemathesis: signs requests, and names what a description cannot say."""
import os

import schemathesis
from itsdangerous import TimestampSigner

signer = TimestampSigner(os.environ["CHANNELSTREAM_SECRET"])


@schemathesis.auth()
class Signature:
    """Signs anew well before the signature is 60 seconds old."""

    def get(self, case, context):
        return signer.sign("schemathesis").decode()

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "x-channelstream-secret": data}
