"""Canonical forms, in whatever pieces a body comes, against plain readings of RFC 6376 §3.4 and against dkimpy."""

import hashlib
import itertools
import random
import re
import time

import pytest
from dkim import canonicalization
from hypothesis import given, settings, strategies as st

from appliance.msgauth.dkim import canonical
from appliance.msgauth.dkim.canonical import BodyHash, Canon, body_hashes, relaxed_field


def plain(canon: Canon, body: bytes) -> bytes:
    """RFC 6376 §3.4.3 and §3.4.4, with no thought for speed."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    if canon is Canon.RELAXED:
        body = b"\r\n".join(re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n"))
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    body = body[:end]
    return body + b"\r\n" if body or canon is Canon.SIMPLE else b""


def hashed(body: bytes, *asked: BodyHash, head=b"From: a\r\n\r\n"):
    octets = head + body
    return body_hashes(lambda start, end: octets[start:end], len(head), len(octets), set(asked))


@pytest.mark.parametrize(
    ("body", "simple", "relaxed"),
    [
        pytest.param(b"", b"\r\n", b"", id="empty"),
        pytest.param(b"\r\n", b"\r\n", b"", id="one empty line"),
        pytest.param(b"\r\n\r\n\r\n", b"\r\n", b"", id="empty lines"),
        pytest.param(b" \t\r\n", b" \t\r\n", b"", id="a line of white space"),
        pytest.param(b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n", b" C\r\nD E\r\n", id="RFC 6376 §3.4.6"),
        pytest.param(b"a", b"a\r\n", b"a\r\n", id="no line end"),
        pytest.param(b"a ", b"a \r\n", b"a\r\n", id="white space and no line end"),
        pytest.param(b"a\r", b"a\r\r\n", b"a\r\r\n", id="a bare CR at the end"),
        pytest.param(b"a\n\n\r\n", b"a\n\n\r\n", b"a\n\n\r\n", id="a bare LF is content"),
        pytest.param(b"a \n b\r\n", b"a \n b\r\n", b"a \n b\r\n", id="white space before a bare LF stays"),
        pytest.param(b"\r\n\r\na\r\n", b"\r\n\r\na\r\n", b"\r\n\r\na\r\n", id="empty lines first"),
    ],
)
def test_bodies(body, simple, relaxed, monkeypatch):
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr(canonical, "PIECE_OCTETS", size)
        for canon, expected in ((Canon.SIMPLE, simple), (Canon.RELAXED, relaxed)):
            asked = BodyHash(canon, "sha256")
            assert hashed(body, asked)[asked] == (hashlib.sha256(expected).digest(), len(expected))
            assert plain(canon, body) == expected


PIECES = [b" ", b"\t", b"\r\n", b"\r", b"\n", b"a", b"  ", b"\xff", b"word", b"\r\n\r\n", b" \r\n"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.integers(1, 9), st.integers(0, 60))
def test_pieces_do_not_matter(body, size, length):
    former, canonical.PIECE_OCTETS = canonical.PIECE_OCTETS, size
    try:
        asked = [
            BodyHash(canon, name, most) for canon in Canon for name in ("sha256", "sha1") for most in (None, length)
        ]
        found = hashed(body, *asked)
    finally:
        canonical.PIECE_OCTETS = former
    for one in asked:
        expected = plain(one.canon, body)
        assert found[one].total == len(expected)
        assert found[one].digest == hashlib.new(one.algorithm, expected[: one.length]).digest()


def test_bodies_as_dkimpy():
    """All bodies of up to three pieces, and some longer ones."""
    chance = random.Random(6376)
    bodies = [b"".join(some) for count in range(4) for some in itertools.product(PIECES, repeat=count)]
    bodies += [b"".join(chance.choices(PIECES, k=chance.randrange(4, 30))) for _ in range(10_000)]
    asked = [BodyHash(Canon.SIMPLE, "sha256"), BodyHash(Canon.RELAXED, "sha256")]
    for body in bodies:
        body += b"\r\n"  # dkimpy leaves white space at the very end where no line end follows.
        found = hashed(body, *asked)
        assert found[asked[0]].digest == hashlib.sha256(canonicalization.Simple.canonicalize_body(body)).digest()
        assert found[asked[1]].digest == hashlib.sha256(canonicalization.Relaxed.canonicalize_body(body)).digest()


FIELD_NAMES = [b"Subject", b"X-A", b"FROM ", b"to\t"]
FIELD_PIECES = [b" ", b"\t", b"\r\n ", b"\r\n\t", b"a", b"B:", b"\xc3\xa9", b"word"]


def test_fields_as_dkimpy():
    """All values of up to three pieces, and some longer ones."""
    chance = random.Random(3)
    values = [b"".join(some) for count in range(4) for some in itertools.product(FIELD_PIECES, repeat=count)]
    values += [b"".join(chance.choices(FIELD_PIECES, k=chance.randrange(4, 30))) for _ in range(2000)]
    for name, value in itertools.product(FIELD_NAMES, values):
        ((their_name, their_value),) = canonicalization.Relaxed.canonicalize_headers([(name, value + b"\r\n")])
        assert relaxed_field(name + b":" + value + b"\r\n") == their_name + b":" + their_value


@pytest.mark.parametrize(
    "unit",
    [
        b" ",
        b"\t",
        b" \t",
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\r\n",
        b" \r",
        b" \r\n",
        b"a ",
        b"a  ",
        b" " * 998 + b"\r\n",
        b"\n\r",
    ],
)
def test_costs_grow_with_length_alone(unit):
    """What took dkimpy minutes: each of these is as quick as any other body of its size."""
    asked = [BodyHash(Canon.SIMPLE, "sha256"), BodyHash(Canon.RELAXED, "sha256")]
    began = time.process_time()
    body = unit * (1_000_000 // len(unit))
    found = hashed(body, *asked)
    assert time.process_time() - began < 5  # Far from any machine's slowness, and from a quadratic cost.
    for one in asked:
        assert found[one].digest == hashlib.sha256(plain(one.canon, body)).digest()


def test_a_message_that_became_shorter_is_an_error():
    with pytest.raises(EOFError):
        body_hashes(lambda start, end: b"", 0, 5, {BodyHash(Canon.SIMPLE, "sha256")})
