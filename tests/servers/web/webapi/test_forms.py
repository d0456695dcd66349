"""Forms: what is taken from them, what they may cost, and that nothing of them stays behind."""

import os
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given, strategies as st

from appliance.base import limits
from appliance.servers.web import multipart as multipart_parser
from appliance.servers.web.multipart import Data, Head
from appliance.servers.web.webapi import forms
from appliance.servers.web.webapi.decoding import BadRequest
from appliance.servers.web.webapi.forms import BodyTooLarge, ClientGone
from appliance.store.spool import Scratch
from support.webapihouse import multipart


async def read(content_type: str, body: bytes, folder: Path, *, piece: int = 1 << 16, memory: int = 1000):
    """The form and the content of its files."""
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]

    async def receive():
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    with Scratch(folder, memory) as scratch:
        headers = [(b"content-type", content_type.encode())] if content_type else []
        form = await forms.read({"headers": headers}, receive, scratch)
        return form, [scratch.read(one.start, one.end) for one in form.files]


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        pytest.param(b"request=%7B%7D", b"{}", id="encoded"),
        pytest.param(b"request={}", b"{}", id="not encoded"),
        pytest.param(b"a=b&request=a+b%2Bc&request=other", b"a b+c", id="the first one counts"),
        pytest.param(b"req%75est={}", b"{}", id="encoded name"),
        pytest.param(b"x&request={\"a\":\"b=c\"}", b'{"a":"b=c"}', id="an equals sign within"),
        pytest.param(b"request=" + b"%C3%BC" * 50_000, "\u00fc".encode() * 50_000, id="escapes at every border"),
    ],
)  # fmt: skip
async def test_encoded(body, request_, tmp_path):
    form, _ = await read("application/x-www-form-urlencoded; charset=utf-8", body, tmp_path)
    assert form.request == request_


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 16])
async def test_multipart(tmp_path, piece):
    content_type, body = multipart(
        ("request", b"", b'{"Text":"x"}'),
        ("other", b"", b"thrown away"),
        ("attachedfile", b'; filename="dir/a.pdf"\r\nContent-Type: application/pdf', b"\r\n--frontie\r\n" * 3),
        ("inlinefile", b'; filename="logo.png"\r\nContent-Type: image/png\r\nContent-ID: <logo>', b"png"),
        ("attachedfile", b"; filename*=utf-8''%C3%BC.txt", b""),
    )
    form, files = await read(content_type, body, tmp_path, piece=piece)
    assert form.request == b'{"Text":"x"}'
    assert [(one.field, one.name, one.content_type, one.content_id) for one in form.files] == [
        ("attachedfile", "a.pdf", "application/pdf", ""),
        ("inlinefile", "logo.png", "image/png", "<logo>"),
        ("attachedfile", "\u00fc.txt", "", ""),
    ]
    assert files == [b"\r\n--frontie\r\n" * 3, b"png", b""]


async def test_large_files_lie_on_the_disk_and_leave_nothing(tmp_path):
    content = os.urandom(3_000_000)
    content_type, body = multipart(("request", b"", b"{}"), ("attachedfile", b'; filename="x"', content))
    _, files = await read(content_type, body, tmp_path)
    assert files == [content]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("", b"request={}", id="no type"),
        pytest.param("application/json", b"{}", id="JSON itself"),
        pytest.param("application/x-www-form-urlencoded", b"", id="empty"),
        pytest.param("application/x-www-form-urlencoded", b"request=", id="empty request"),
        pytest.param("application/x-www-form-urlencoded", b"requests={}", id="another name"),
        pytest.param("application/x-www-form-urlencoded", b"request=%zz", id="bad escape"),
        pytest.param("multipart/form-data", b"", id="no boundary"),
        pytest.param("multipart/form-data; boundary=", b"", id="empty boundary"),
        pytest.param("multipart/form-data; boundary=" + "x" * 71, b"", id="long boundary"),
        pytest.param("multipart/form-data; boundary=x", b"", id="nothing"),
        pytest.param("multipart/form-data; boundary=x", b"--x--\r\n", id="no part"),
        pytest.param("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="request"\r\n\r\n{}', id="cut"),
        pytest.param("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\n{}\r\n--x--\r\n", id="no name"),
        pytest.param("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="request"; filename="f"\r\n\r\n{}\r\n--x--\r\n', id="request is a file"),
        pytest.param("multipart/form-data; boundary=x", b'--x\nContent-Disposition: form-data; name="request"\n\n{}\n--x--\n', id="lone LF"),
        pytest.param("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: attachment; name="request"\r\n\r\n{}\r\n--x--\r\n', id="another disposition"),
    ],
)  # fmt: skip
async def test_refused(content_type, body, tmp_path):
    with pytest.raises(BadRequest):
        await read(content_type, body, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "WEBAPI_JSON_OCTETS", 10_000)
    with pytest.raises(BodyTooLarge):
        await read("application/x-www-form-urlencoded", urlencode({"request": "x" * 10_001}).encode(), tmp_path)
    with pytest.raises(BodyTooLarge):
        await read("application/x-www-form-urlencoded", b"&" * 5000, tmp_path)
    for parts in (
        [("request", b"", b"x" * 10_001)],
        [("x", b"", b"")] * (limits.WEBAPI_PARTS + 1),
        [("x", b"\r\nX: " + b"x" * 1_000_000, b"")],
    ):
        content_type, body = multipart(*parts)
        with pytest.raises(BodyTooLarge):
            await read(content_type, body, tmp_path)
    # No boundary ever: nothing is kept.
    with pytest.raises(BadRequest):
        await read("multipart/form-data; boundary=x", b"x\r\n" * 250_000, tmp_path)


@given(
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from([b"\r\n--bo", b"\r\n--boundary!", b"--boundary--", b"\r", b"\n--boundary\r\n"]),
        max_size=4,
    ),
    st.integers(1, 30),
    st.sampled_from([b"", b" ", b"\t "]),
)
def test_parts_are_what_was_put_in(contents, piece, padding):
    assume(not any(b"\r\n--boundary" in b"\r\n" + one for one in contents if one != b"\r\n--boundary!"))
    body = b"preamble" if padding else b""
    for content in contents:
        body += b"\r\n--boundary" + padding + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + content
    body += b"\r\n--boundary--epilogue"
    parser, found = multipart_parser.Parser("boundary"), []
    for at in range(0, len(body), piece):
        for event in parser.feed(body[at : at + piece]):
            if isinstance(event, Head):
                found.append(b"")
            elif isinstance(event, Data):
                found[-1] += event.octets
    assert parser.ended
    assert found == contents


async def test_client_gone(tmp_path):
    async def receive():
        return {"type": "http.disconnect"}

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    with Scratch(tmp_path, 10) as scratch, pytest.raises(ClientGone):
        await forms.read({"headers": headers}, receive, scratch)
