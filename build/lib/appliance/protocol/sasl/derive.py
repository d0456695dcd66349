"""What is kept of a password for mechanisms that never send it: SCRAM keys and CRAM-MD5 states.

RFC 5802 §3 and RFC 2195. MD5's state after one block cannot be had from hashlib, so its compression function stands
here; it runs twice when a password is set and a few times in a CRAM-MD5 login.
"""

import hashlib
import hmac
import struct
from typing import Final

_SHIFTS: Final = (7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)
_MASK: Final = 0xFFFF_FFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
BLOCK_OCTETS: Final = 64


def _constants() -> tuple[int, ...]:
    """floor(2^32 * |sin(n)|) for n = 1..64 (RFC 1321 §3.4), by Taylor's series in whole numbers."""
    scale = 1 << 96
    pi = _pi(scale)
    values = []
    for n in range(1, 65):
        x = n * scale % (2 * pi)
        term, total, k = x, x, 1
        while term:
            term = -term * x // scale * x // scale // ((2 * k) * (2 * k + 1))
            if term == -1:
                break
            total += term
            k += 1
        values.append((abs(total) << 32) // scale & _MASK)
    return tuple(values)


def _pi(scale: int) -> int:
    """Machin's formula."""

    def arctan(inverse: int) -> int:
        term = scale // inverse
        total, n, sign = term, 3, -1
        while term:
            term //= inverse * inverse
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    return 4 * (4 * arctan(5) - arctan(239))


_CONSTANTS: Final = _constants()


def md5_block(state: tuple[int, int, int, int], block: bytes) -> tuple[int, int, int, int]:
    """MD5's state after one more block of 64 octets (RFC 1321 §3.4)."""
    words = struct.unpack("<16I", block)
    a, b, c, d = state
    for step in range(64):
        turn = step >> 4
        if turn == 0:
            mixed, index = (b & c) | (~b & d), step
        elif turn == 1:
            mixed, index = (d & b) | (~d & c), (5 * step + 1) & 15
        elif turn == 2:
            mixed, index = b ^ c ^ d, (3 * step + 5) & 15
        else:
            mixed, index = c ^ (b | ~d), (7 * step) & 15
        total = (a + mixed + _CONSTANTS[step] + words[index]) & _MASK
        shift = _SHIFTS[turn][step & 3]
        rotated = ((total << shift) | (total >> (32 - shift))) & _MASK
        a, d, c, b = d, c, b, (b + rotated) & _MASK
    return (
        (state[0] + a) & _MASK,
        (state[1] + b) & _MASK,
        (state[2] + c) & _MASK,
        (state[3] + d) & _MASK,
    )


def md5_finish(state: bytes, octets: bytes) -> bytes:
    """MD5 of one block, known by the state it left, and the octets that follow it."""
    now = struct.unpack("<4I", state)
    length = (BLOCK_OCTETS + len(octets)) * 8
    padded = octets + b"\x80" + bytes(-(len(octets) + 9) % BLOCK_OCTETS) + struct.pack("<Q", length)
    for start in range(0, len(padded), BLOCK_OCTETS):
        now = md5_block(now, padded[start : start + BLOCK_OCTETS])
    return struct.pack("<4I", *now)


def cram_md5(password: bytes) -> tuple[bytes, bytes]:
    """MD5 states after the inner and the outer padded key (RFC 2104 §4)."""
    key = hashlib.md5(password, usedforsecurity=False).digest() if len(password) > BLOCK_OCTETS else password
    key = key.ljust(BLOCK_OCTETS, b"\0")
    inner, outer = (md5_block(_START, bytes(octet ^ pad for octet in key)) for pad in (0x36, 0x5C))
    return struct.pack("<4I", *inner), struct.pack("<4I", *outer)


def cram_md5_digest(inner: bytes, outer: bytes, challenge: bytes) -> bytes:
    """HMAC-MD5 of a challenge from the two states (RFC 2195 §2)."""
    return md5_finish(outer, md5_finish(inner, challenge))


def scram(algorithm: str, password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey of a SCRAM mechanism; algorithm as hashlib names it (RFC 5802 §3)."""
    salted = hashlib.pbkdf2_hmac(algorithm, password, salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    return hashlib.new(algorithm, client_key).digest(), hmac.digest(salted, b"Server Key", algorithm)
