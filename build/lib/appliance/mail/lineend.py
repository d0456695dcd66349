"""Line ends of messages: CRLF, whatever they were before (RFC 5322 §2.1)."""


def crlf(octets: bytes) -> bytes:
    """The octets with CRLF for every LF that has no CR before it. A lone CR stays."""
    if b"\n" not in octets:
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class CRLFStream:
    """The same for octets that come in pieces: an end that is cut in two is one end."""

    def __init__(self) -> None:
        self._after_cr = False

    def feed(self, chunk: bytes) -> bytes:
        """The next piece with CRLF line ends. Keeps nothing back."""
        if not chunk:
            return chunk
        begins_end = self._after_cr and chunk[0] == 0x0A
        self._after_cr = chunk[-1] == 0x0D
        return b"\n" + crlf(chunk[1:]) if begins_end else crlf(chunk)
