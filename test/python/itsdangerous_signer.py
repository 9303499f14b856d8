"""Signs and unsigns with Debian's itsdangerous.

Reads a JSON list of jobs, writes a JSON list of results. A job {"sign": value, "secret": s} results in
the signed text; a job {"unsign": text, "secret": s} in the value, or in null if it is not good. An
"age" of null leaves the time unchecked; without "age" a text is good for 60 seconds.
"""

import json
import sys

from itsdangerous import BadSignature, TimestampSigner


def perform(job):
    signer = TimestampSigner(job["secret"])
    if "sign" in job:
        return signer.sign(job["sign"]).decode("utf-8")
    try:
        return signer.unsign(job["unsign"], max_age=job.get("age", 60)).decode("utf-8")
    except BadSignature:
        return None


json.dump([perform(job) for job in json.load(sys.stdin)], sys.stdout)
