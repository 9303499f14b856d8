"""The same backend as server.mjs, in Python with only the standard library: python3 server.py"""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVER = os.environ.get("CHANNELSTREAM_URL", "http://127.0.0.1:8000")
SECRET = os.environ.get("CHANNELSTREAM_SECRET", "secret")
PAGE = Path(__file__).resolve().parent / "index.html"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(value):
    """Return the same as TimestampSigner(SECRET).sign(value) of itsdangerous."""
    key = hashlib.sha1(b"itsdangerous.Signersigner" + SECRET.encode()).digest()
    signed = value.encode() + b"." + base64url(int(time.time()).to_bytes(8, "big").lstrip(b"\0"))
    return signed + b"." + base64url(hmac.new(key, signed, hashlib.sha1).digest())


def call(path, body):
    headers = {"x-channelstream-secret": sign("channelstream").decode()}
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def connect(_text):
    connection = call("/connect", {"username": "visitor", "channels": ["news"]})
    return json.dumps({"conn_id": connection["conn_id"]})


def notify(text):
    call("/message", [{"user": "backend", "channel": "news", "message": {"text": text}}])
    return "told"


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/":
            self.answer("text/html", PAGE.read_text("utf-8").replace("SERVER", SERVER))
        else:
            self.send_error(404)

    def do_POST(self):
        action = {"/connect": connect, "/notify": notify}.get(self.path)
        if action is None:
            return self.send_error(404)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            self.answer("text/javascript", action(body.decode()))
        except (OSError, ValueError) as error:
            self.log_error("%s: %r", self.path, error)
            self.send_error(500)

    def answer(self, kind, text):
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "6544"))), Backend)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
