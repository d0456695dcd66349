"""Python's imaplib over TLS, with zlib below it after COMPRESS: large messages both ways, IDLE, and the end."""

import imaplib
import os
import random
import ssl
import time
import zlib

from interop.mailbox import HOST, PASSWORD, USER, ok, unique


class Compressing(imaplib.IMAP4_SSL):
    """imaplib writes to `sock.sendall` and reads by `read` and `readline`; all three are compressed after `compress`."""

    inflater: "zlib._Decompress | None" = None

    def compress(self) -> None:
        imaplib.Commands.setdefault("COMPRESS", ("AUTH", "SELECTED"))
        ok(self._simple_command("COMPRESS", "DEFLATE"))
        self.inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self.compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        self.ahead = b""
        self.wire = 0

    def send(self, data: bytes) -> None:
        if self.inflater is not None:
            data = self.compressor.compress(data) + self.compressor.flush(zlib.Z_SYNC_FLUSH)
        super().send(data)

    def _more(self) -> bool:
        octets = self.sock.recv(65_536)
        self.wire += len(octets)
        self.ahead += self.inflater.decompress(octets)
        return bool(octets)

    def read(self, size: int) -> bytes:
        if self.inflater is None:
            return super().read(size)
        while len(self.ahead) < size and self._more():
            pass
        octets, self.ahead = self.ahead[:size], self.ahead[size:]
        return octets

    def readline(self) -> bytes:
        if self.inflater is None:
            return super().readline()
        while b"\n" not in self.ahead and self._more():
            pass
        line, end, self.ahead = self.ahead.partition(b"\n")
        return line + end


context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
imap = Compressing(HOST, int(os.environ["IMAPS"]), ssl_context=context, timeout=30)
imap.login(USER, PASSWORD)
assert b"COMPRESS=DEFLATE" in ok(imap.capability())[0]
imap.compress()
box = unique("compress")
ok(imap.create(box))
text = b"Subject: text\r\n\r\n" + b"The same line again and again.\r\n" * 100_000
noise = b"Subject: noise\r\n\r\n" + random.Random(1).randbytes(1_000_000).hex().encode() + b"\r\n"
for octets in (text, noise):
    ok(imap.append(box, "", None, octets))
ok(imap.select(box))
before = imap.wire
for number, octets in enumerate((text, noise), 1):
    assert ok(imap.fetch(str(number), "(BODY.PEEK[])"))[0][1] == octets
assert imap.wire - before < len(noise) * 0.8, imap.wire - before
began = time.monotonic()
for _ in range(500):
    ok(imap.noop())
print(f"500 NOOPs in {time.monotonic() - began:.2f} s")
kind, data = imap._simple_command("COMPRESS", "DEFLATE")
assert kind == "NO", kind
assert b"COMPRESSIONACTIVE" in data[0], data
imap.send(b"x LOGOUT\r\n")
while imap.readline():
    pass
assert imap.inflater.eof
imap.shutdown()
