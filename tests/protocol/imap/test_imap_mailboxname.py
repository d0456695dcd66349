import pytest

from appliance.base.limits import IMAP
from appliance.protocol.imap import mailboxname
from appliance.protocol.imap.mailboxname import BadMailboxName


def parse(octets: bytes, *, utf8: bool = False, creating: bool = False) -> str:
    return mailboxname.parse(octets, utf8=utf8, limits=IMAP, creating=creating)


@pytest.mark.parametrize(
    ("utf7", "utf8", "name"),
    [
        pytest.param(b"inBOX", b"inBOX", "Inbox", id="inbox in any casing"),
        pytest.param(b"INBOX/Sub", b"INBOX/Sub", "Inbox/Sub", id="below inbox"),
        pytest.param(b"Inboxes", b"Inboxes", "Inboxes", id="not inbox"),
        pytest.param(b"a/INBOX", b"a/INBOX", "a/INBOX", id="inbox further down"),
        pytest.param(b"Entw&APw-rfe", "Entwürfe".encode(), "Entwürfe", id="umlaut"),
        pytest.param(b"Entwu&Awg-rfe", "Entwu\u0308rfe".encode(), "Entwürfe", id="made NFC"),
        pytest.param(b"a&-b", b"a&b", "a&b", id="ampersand"),
        pytest.param(b"a*b%c", b"a*b%c", "a*b%c", id="wildcards"),
        pytest.param(b"a" * 200, b"a" * 200, "a" * 200, id="longest element"),
        pytest.param(b"/".join([b"a"] * 32), b"/".join([b"a"] * 32), "/".join(["a"] * 32), id="most levels"),
    ],
)
def test_names(utf7, utf8, name):
    assert parse(utf7) == parse(utf8, utf8=True) == name


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param(b"", "CANNOT", id="empty"),
        pytest.param(b"/a", "CANNOT", id="leading separator"),
        pytest.param(b"a/", "CANNOT", id="trailing separator"),
        pytest.param(b"a//b", "CANNOT", id="empty element"),
        pytest.param(b".", "CANNOT", id="dot"),
        pytest.param(b"a/../b", "CANNOT", id="dots"),
        pytest.param(b"#news", "CANNOT", id="hash"),
        pytest.param(b"a\x00b", "CANNOT", id="NUL"),
        pytest.param(b"a\x1fb", "CANNOT", id="control"),
        pytest.param(b"a\x7fb", "CANNOT", id="DEL"),
        pytest.param("a\x85b".encode(), "CANNOT", id="C1 control"),
        pytest.param("a\u2028b".encode(), "CANNOT", id="line separator"),
        pytest.param(b"\xff", "CANNOT", id="not UTF-8"),
        pytest.param(b"a" * 201, "LIMIT", id="element too long"),
        pytest.param("ü".encode() * 101, "LIMIT", id="element too long in octets"),
        pytest.param(b"/".join([b"a" * 200] * 5), "LIMIT", id="too long"),
        pytest.param(b"/".join([b"a"] * 33), "LIMIT", id="too deep"),
    ],
)
def test_refused(octets, code):
    with pytest.raises(BadMailboxName) as refused:
        parse(octets, utf8=True)
    assert refused.value.code == code


def test_bad_modified_utf7():
    with pytest.raises(BadMailboxName):
        parse(b"a&b")


def test_trailing_separator_in_create_only():
    assert parse(b"a/b/", creating=True) == "a/b"
    with pytest.raises(BadMailboxName):
        parse(b"a//", creating=True)


def test_encode():
    assert mailboxname.encode("Entwürfe", utf8=False) == b"Entw&APw-rfe"
    assert mailboxname.encode("Entwürfe", utf8=True) == "Entwürfe".encode()
