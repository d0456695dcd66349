"""Emails that are made of messages of all shapes, as they were when somebody looked at them last (data/jmap).

Run this file to write them anew; then look at what is different.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import scan
from appliance.servers.web.jmap.call import OWN
from appliance.servers.web.jmap.email.properties import (
    BODY_DEFAULTS,
    PARSE_DEFAULTS,
    BodyArguments,
    Budget,
    email,
    wanted,
)
from appliance.servers.web.jmap.email.source import Source
from appliance.store.defaults import STORE

DATA = Path(__file__).parents[3] / "data"
GOLDEN = DATA / "jmap" / "emails"
KINDS = ("wellformed", "malformed", "envelope")
PROPERTIES = (*PARSE_DEFAULTS, "bodyStructure", "headers", "header:From:asGroupedAddresses", "isSigned", "isEncrypted")


class Using:
    """What `wanted` asks of a call."""

    using = frozenset({OWN})


def source_of(octets: bytes) -> Source:
    """A message without an account."""
    scanned = scan.scan(octets, STORE.scan)
    return Source(
        read=lambda start, end: octets[start:end],
        blob_id="B",
        size=len(octets),
        make_root=lambda: scanned.root,
        blob_of=lambda path: "B-" + ".".join(map(str, path)),
        read_head=lambda: scanned.header,
    )


def email_of(octets: bytes) -> Any:
    body = BodyArguments(
        account_id="",
        body_properties=[*BODY_DEFAULTS, "header:Content-Type:asText"],
        fetch_all_body_values=True,
        max_body_value_bytes=300,
    )
    asked = wanted(Using(), PROPERTIES, body=body)  # type: ignore[arg-type]
    made = email(source_of(octets), asked, Budget())
    for one in made["headers"]:
        one["value"] = one["value"][:200]
    return made


def messages(kind: str) -> dict[str, bytes]:
    """Those that can be looked at, with whole line ends."""
    paths = sorted((DATA / "messages" / kind).glob("*.eml"))
    return {path.stem: path.read_bytes() for path in paths if path.stem != "wide" and not path.stem.endswith("-lf")}


def text_of(kind: str) -> str:
    """One message a line, so that differences can be seen."""
    made = {name: json.dumps(email_of(octets), ensure_ascii=False) for name, octets in messages(kind).items()}
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in made.items()) + "\n}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_emails(kind):
    expected = json.loads((GOLDEN / f"{kind}.json").read_text())
    found = json.loads(text_of(kind))
    assert found.keys() == expected.keys()
    for name, made in found.items():
        assert made == expected[name], name


@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_for_all(kind):
    """RFC 8621 §4.1.4: ids of parts, what is in lists is in the structure, attachments are what the body has not."""
    for name, octets in messages(kind).items():
        made = email_of(octets)
        leaves = []
        waiting = [made["bodyStructure"]]
        while waiting:
            part = waiting.pop(0)
            is_multipart = part["type"].startswith("multipart/")
            assert (part["partId"] is None) == (part["blobId"] is None) == is_multipart, name
            if is_multipart:
                waiting += part["subParts"]
            else:
                leaves.append(part)
        ids = [part["partId"] for part in leaves]
        assert len(set(ids)) == len(ids), name
        text, html, attached = ([one["partId"] for one in made[key]] for key in ("textBody", "htmlBody", "attachments"))
        assert {*text, *html, *attached} == set(ids), name
        assert all(len(set(some)) == len(some) for some in (text, html, attached)), name
        assert set(made["bodyValues"]) == {part["partId"] for part in leaves if part["type"].startswith("text/")}, name
        assert len(made["preview"]) <= 256, name
        if made["hasAttachment"]:
            assert attached, name


@pytest.mark.parametrize(
    ("using", "name"), [(frozenset[str](), "=?utf-8?q?=C3=84nn?="), (frozenset({OWN}), "Änn")], ids=["standard", "ours"]
)
def test_who_uses_our_capability_reads_encoded_words_anywhere(using, name):
    class Call:
        pass

    call = Call()
    call.using = using
    asked = wanted(call, ["from"])  # type: ignore[arg-type]
    made = email(source_of(b'From: "=?utf-8?q?=C3=84nn?=" <a@x.example>\r\n\r\n'), asked, Budget())
    assert made["from"] == [{"name": name, "email": "a@x.example"}]


_PIECES = [
    *(
        b"From: ",
        b"To: a@x.example, g: b@y;",
        b"Subject: =?utf-8?q?=C3?=",
        b"Date: Mon, 1 Jan 2024 25:00",
        b"References: <a@b> <",
    ),
    *(
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: text/html; charset=utf-7",
        b"--b",
        b"--b--",
        b"\xff\xfe",
    ),
    *(
        b"Content-Type: message/rfc822",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
    ),
    *(
        b"=3",
        b"Content-Disposition: inline; filename*0*=utf-8''%",
        b"Content-ID: <x",
        b"List-Post: <(",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\0",
    ),
    *(
        b"Content-Type: multipart/related; boundary=c",
        b"--c",
        b"--c--",
        b"Content-Type: image/png",
        b"+ADw-script+AD4-",
    ),
]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=8)), max_size=40), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_anything_is_an_email(pieces, most):
    """Whatever comes, there is something to show, and it can be JSON."""
    octets = b"\r\n".join(pieces)
    asked = wanted(
        Using(),  # type: ignore[arg-type]
        [*PROPERTIES, "bodyStructure", *(f"header:X:as{form}:all" for form in ("Raw", "Text", "Addresses", "URLs"))],
        body=BodyArguments(account_id="", fetch_all_body_values=True, max_body_value_bytes=most),
    )
    made = email(source_of(octets), asked, Budget())
    assert msgspec.json.decode(msgspec.json.encode(made)) == made
    for value in made["bodyValues"].values():
        assert not most or len(value["value"].encode()) <= most


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for one in KINDS:
        (GOLDEN / f"{one}.json").write_text(text_of(one))
