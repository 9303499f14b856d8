"""Runs calls of examples/python/channelstream_client.py: one for each line of JSON on standard input.

The first argument is the keyword arguments of the client, as JSON. A line [method, arguments, keyword arguments] results in a
line {"answer": …}, or {"error": {…}} with what is known of it.
"""

import json
import sys

from channelstream_client import Channelstream, ChannelstreamError

options = json.loads(sys.argv[1])
if "ca" in options:
    import ssl

    options["ssl_context"] = ssl.create_default_context(cafile=options.pop("ca"))


def described(error):
    kinds = [kind.__name__ for kind in type(error).__mro__]
    known = {"kind": kinds[0], "kinds": kinds, "message": str(error)}
    if isinstance(error, ChannelstreamError):
        known.update(vars(error))
    return known


with Channelstream(**options) as client:
    print(json.dumps({"shown": repr(client)}), flush=True)
    for line in sys.stdin:
        method, arguments, named = json.loads(line)
        try:
            result = {"answer": getattr(client, method)(*arguments, **named)}
        except (ChannelstreamError, TypeError, ValueError) as error:
            result = {"error": described(error)}
        print(json.dumps(result), flush=True)
