"""Compression of a connection, as IMAP's COMPRESS has it: raw DEFLATE in both directions (RFC 4978, RFC 1951).

No stream of its own: it sits in the connection above TLS, so that whoever asks for the socket or for channel bindings
still finds them. What comes in is inflated piece by piece as it is taken, so a small packet never becomes a large
heap; what is asked of the octets (lines, literals, messages, time) is asked of them inflated.
"""

import zlib
from collections.abc import Iterator
from typing import Final

#: Octets inflated at once, and compressed at once: about a millisecond of work at most.
_SLICE: Final = 32 * 1024
#: Ends what a sync flush sends: the empty stored block (RFC 1951 §3.2.4).
_MARKER: Final = b"\0\0\xff\xff"
#: A last block with nothing in it, which some send behind their last flush.
_EMPTY_END: Final = b"\x03\0"
#: Quick, and with a window of 8 KiB: a session has 64 KiB for it instead of 256. Responses resemble the last ones.
_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 2, -13, 6


class BadDeflate(Exception):
    """The peer's octets are no DEFLATE."""


class Deflate:
    """Both directions of one connection."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        #: Received, from `_at` on not yet looked at; what has been begun; whether the inflater may hold back more.
        self._raw = b""
        self._at = 0
        self._begun = b""
        self._more = False

    @property
    def ended(self) -> bool:
        """The peer has sent its last block."""
        return self._inflater.eof

    def compress(self, octets: bytes) -> Iterator[bytes]:
        """What to send for the octets, in pieces; with the last of them the peer can read all."""
        for at in range(0, len(octets), _SLICE):
            piece = self._compressor.compress(octets[at : at + _SLICE])
            if at + _SLICE >= len(octets):
                piece += self._compressor.flush(zlib.Z_SYNC_FLUSH)
            yield piece

    def finish(self) -> bytes:
        """The last block of ours."""
        return self._compressor.flush(zlib.Z_FINISH)

    def feed(self, octets: bytes) -> None:
        """Octets of the peer. Call only when `take` had nothing more."""
        self._raw, self._at = octets, 0

    def take(self) -> bytes:
        """Some octets of the peer, inflated; none when more must come. Raises BadDeflate."""
        try:
            while not self._inflater.eof:
                if not self._begun and not self._more:
                    if self._at == len(self._raw):
                        break
                    self._begin()
                octets = self._inflater.decompress(self._begun, _SLICE)
                self._begun = self._inflater.unconsumed_tail
                self._more = len(octets) == _SLICE
                if octets:
                    return octets
        except zlib.error as error:
            raise BadDeflate(str(error)) from error
        return b""

    def _begin(self) -> None:
        """Go on to the end of what the peer flushed together, not into what may not be compressed any more."""
        start = self._at
        found = self._raw.find(_MARKER, start)
        self._at = len(self._raw) if found < 0 else found + len(_MARKER)
        self._begun = self._raw[start : self._at]

    def rest(self) -> bytes:
        """What the peer sent behind its last compressed octets (RFC 8437 §4.1)."""
        behind = self._raw[self._at :]
        return self._inflater.unused_data + behind if self._inflater.eof else behind.removeprefix(_EMPTY_END)
