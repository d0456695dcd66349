"""The collection of messages: structure, envelope and content as expected, and as the standard library sees them."""

import email
import email.header
import json
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.base.limits import ENVELOPE, SCAN
from appliance.mail import decode, words
from appliance.mail.envelope import Envelope, EnvelopeAddress, parse_envelope
from appliance.mail.part import Part
from appliance.mail.scan import scan

FOLDER = Path(__file__).parent.parent / "data" / "messages"
ALL = sorted(FOLDER.glob("*/*.eml"))
#: What the standard library reads otherwise, and why that is no concern.
LIBRARY_DIFFERS = {
    "parameter-encoded-word": "leaves encoded words in parameters to its caller",
    "parameter-semicolon-at-end": "adds an empty parameter",
}


def by_name(folder: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in ALL if path.parent.name == folder]


def with_depth(root: Part) -> Iterator[tuple[int, Part]]:
    waiting = [(0, root)]
    while waiting:
        depth, part = waiting.pop()
        yield depth, part
        waiting.extend((depth + 1, child) for child in reversed(part.parts))


def facts(depth: int, part: Part, octets: bytes) -> dict[str, Any]:
    return {
        "depth": depth,
        "type": f"{part.media_type}/{part.subtype}",
        "start": part.start,
        "body": part.body,
        "end": part.end,
        "lines": part.lines,
        "encoding": part.encoding,
        "parameters": dict(part.parameters),
        "disposition": part.disposition,
        "filename": part.filename,
        "content_id": part.content_id,
        "description": part.description,
        "md5": part.md5,
        "languages": list(part.languages),
        "location": part.location,
        "defect": part.defect,
        "octets": octets[part.body : part.end].decode("latin-1"),
    }


def addresses(found: tuple[EnvelopeAddress, ...]) -> list[list[str | None]]:
    return [[None if one is None else one.decode() for one in (a.name, a.localpart, a.host)] for a in found]


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in ALL])
def test_structure(path: Path) -> None:
    octets = path.read_bytes()
    expected = json.loads(path.with_suffix(".json").read_text())
    scanned = scan(octets, SCAN)
    found = [facts(depth, part, octets) for depth, part in with_depth(scanned.root)]
    assert len(found) == len(expected["parts"])
    for part, wanted in zip(found, expected["parts"], strict=True):
        wanted.pop("text", None)
        assert {name: part[name] for name in wanted} == wanted
    assert sorted(scanned.defects) == expected["defects"]
    assert scanned.needs_smtputf8 == expected["needs_smtputf8"]
    assert scanned.eight_bit == (not octets.isascii())
    assert (scanned.size, scanned.header) == (len(octets), octets[: scanned.root.body])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(scanned.root), type=Part) == scanned.root


@pytest.mark.parametrize("path", by_name("wellformed") + by_name("envelope"))
def test_envelope(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())["envelope"]
    found = parse_envelope(path.read_bytes(), ENVELOPE)
    from_ = expected.get("from", [])
    for name in ("date", "subject", "in_reply_to", "message_id"):
        value = getattr(found, name)
        assert (value if value is None else value.decode()) == expected.get(name)
    assert addresses(found.from_) == from_
    assert addresses(found.sender) == expected.get("sender", from_)
    assert addresses(found.reply_to) == expected.get("reply_to", from_)
    for name in ("to", "cc", "bcc"):
        assert addresses(getattr(found, name)) == expected.get(name, [])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Envelope) == found


@pytest.mark.parametrize("path", by_name("wellformed"))
def test_content(path: Path) -> None:
    octets = path.read_bytes()
    expected = json.loads(path.with_suffix(".json").read_text())["parts"][0].get("text")
    part = scan(octets, SCAN).root
    if expected is not None:
        assert decode.part_text(part, octets[part.body : part.end]) == expected


@pytest.mark.parametrize("path", by_name("wellformed"))
def test_as_the_standard_library(path: Path) -> None:
    if path.stem in LIBRARY_DIFFERS:
        pytest.skip(LIBRARY_DIFFERS[path.stem])
    octets = path.read_bytes()
    compare(scan(octets, SCAN).root, email.message_from_bytes(octets), octets)


def compare(part: Part, other: Message, octets: bytes) -> None:
    assert f"{part.media_type}/{part.subtype}" == other.get_content_type()
    parameters = other.get_params() or []
    for name, value in parameters[1:]:
        assert dict(part.parameters)[name] == email.utils.collapse_rfc2231_value(value)
    assert part.encoding == other.get("Content-Transfer-Encoding", "7bit")
    assert part.disposition == other.get_content_disposition()
    assert part.filename == other.get_filename()
    payload = other.get_payload()
    if part.parts:
        assert isinstance(payload, list)
        for child, inner in zip(part.parts, payload, strict=True):
            compare(child, inner, octets)
    elif part.media_type == "message" and isinstance(payload, list):
        pass  # reports and external bodies, which it takes for messages
    else:
        decoded = other.get_payload(decode=True)
        assert decode.decode_transfer(octets[part.body : part.end], part.encoding) == decoded


@pytest.mark.parametrize("path", by_name("envelope"))
def test_words_as_the_standard_library(path: Path) -> None:
    octets = path.read_bytes()
    subject = parse_envelope(octets, ENVELOPE).subject
    other = email.message_from_bytes(octets).get("Subject")
    if subject is not None and other is not None:
        unfolded = str(other).replace("\r\n", "")
        assert words.decode(subject) == str(email.header.make_header(email.header.decode_header(unfolded)))


def test_there_are_enough() -> None:
    assert len(ALL) >= 150
