"""Pebble as if it were Let's Encrypt: at the address, port and path of the configuration that quickstart writes.

Arguments: address to listen on, PEM file of certificate and key, Pebble's port on the loopback.
"""

import http.client
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS, PAIR, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
SECONDS = 30
_PATHS = {"/directory": "/dir"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context, timeout=SECONDS)
        # With the Host of the client: Pebble writes its URLs by it, and they are signed.
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        connection.request(self.command, _PATHS.get(self.path, self.path), body or None, headers)
        answer = connection.getresponse()
        octets = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)
        connection.close()

    do_GET = do_POST = do_HEAD = forward


server = ThreadingHTTPServer((ADDRESS, 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(PAIR)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
