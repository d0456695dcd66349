"""Compression on the way: whatever the pieces, what is unpacked is what was said."""

import gzip

import pytest
import trio
from hypothesis import given, settings, strategies as st

from appliance.servers.web.site.coding import Compressed, accepted as accepted_codings
from appliance.servers.web.site.types import is_compressible, of_content, of_name


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=1.0", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("", False),
        (";;,;q", False),
    ],
)
def test_accepts(accepted, expected):
    assert bool(accepted_codings({"headers": [(b"accept-encoding", accepted.encode())]})) is expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=50) | st.integers(1, 200_000).map(lambda size: b"ab" * size), max_size=5))
def test_pieces(pieces):
    sent = []

    async def send(message) -> None:
        sent.append(message)

    async def main() -> None:
        scope = {"method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
        coded = Compressed(scope, send)
        await coded({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/css")]})
        for piece in pieces:
            await coded({"type": "http.response.body", "body": piece, "more_body": True})
            # All that was said is on its way.
            assert sent[-1]["body"] or not piece
        await coded({"type": "http.response.body", "body": b""})

    trio.run(main)
    assert sent[-1]["more_body"] is False
    assert gzip.decompress(b"".join(one["body"] for one in sent[1:])) == b"".join(pieces)


@pytest.mark.parametrize(
    ("headers", "coded"),
    [
        ({}, True),
        ({"content-length": "600"}, True),
        ({"content-length": "100"}, False),
        ({"content-length": "20000000"}, False),
        ({"content-encoding": "br"}, False),
        ({"content-encoding": "identity"}, True),
        ({"cache-control": "public, no-transform"}, False),
        ({"content-type": "image/png"}, False),
        ({"content-type": "image/svg+xml"}, True),
        ({"content-type": "application/json"}, True),
        ({"content-type": "text/event-stream"}, False),
    ],
)
async def test_what_pays(headers, coded):
    sent = []

    async def send(message) -> None:
        sent.append(message)

    fields = {"content-type": "text/html; charset=utf-8", **headers}
    scope = {"method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    start = [(name.encode(), value.encode()) for name, value in fields.items()]
    await Compressed(scope, send)({"type": "http.response.start", "status": 200, "headers": start})
    answered = dict(sent[0]["headers"])
    assert (answered.get(b"content-encoding") == b"gzip") is coded
    assert (b"content-length" in answered) is (not coded and "content-length" in headers)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.HTML", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("a.woff2", "font/woff2"),
        ("a.json", "application/json"),
        ("a.unknown", None),
        ("html", None),
    ],
)
def test_types_by_name(name, expected):
    assert of_name(name) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "text/plain; charset=utf-8"),
        ("é".encode() * 255, "text/plain; charset=utf-8"),
        (("x" + "é" * 256).encode()[:512], "text/plain; charset=utf-8"),
        (b"\xff\xfe" + b"a" * 20, "application/octet-stream"),
        (b"a\0b", "application/octet-stream"),
        (b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_types_by_content(content, expected):
    assert of_content(content) == expected


def test_compressible():
    assert not is_compressible("application/zip")
    assert is_compressible("Application/LD+JSON; x=y")
