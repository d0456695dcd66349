"""METADATA and QUOTA: a line of the client and what it means."""

import pytest

from appliance.base.limits import IMAP
from appliance.protocol.imap.command import GetMetadata, GetQuota, GetQuotaRoot, ListMailboxes, SetMetadata, SetQuota
from appliance.protocol.imap.metadata import INFINITY
from support.imapsplits import Failed, one_request, play

BAD = Failed("BAD", "a")
A, C = "/private/a", "/shared/comment"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"GETMETADATA INBOX /private/a", GetMetadata("Inbox", (A,))),
        (b'getmetadata "" ("/Private/A" /shared/comment)', GetMetadata("", (A, C))),
        (b"GETMETADATA INBOX (/private/a /private/A)", GetMetadata("Inbox", (A,))),
        (b"GETMETADATA INBOX /private/a /shared/comment", GetMetadata("Inbox", (A, C))),
        (b"GETMETADATA (MAXSIZE 0) x /private/a", GetMetadata("x", (A,), 0)),
        (b"GETMETADATA (DEPTH Infinity MAXSIZE 5) x /private", GetMetadata("x", ("/private",), 5, INFINITY)),
        (b"GETMETADATA x (depth 1) (/private/a)", GetMetadata("x", (A,), None, 1)),
        (b'GETMETADATA x ("/private/a")', GetMetadata("x", (A,))),
        (b"GETMETADATA (DEPTH 1 DEPTH 1) x /private/a", BAD),
        (b"GETMETADATA (DEPTH) x /private/a", BAD),
        (b"GETMETADATA (MAXSIZE -1) x /private/a", BAD),
        (b"GETMETADATA () x /private/a", BAD),
        (b"GETMETADATA (DEPTH 1) x (DEPTH 1) /private/a", BAD),
        (b"GETMETADATA x", BAD),
        (b"GETMETADATA x ()", BAD),
        (b"GETMETADATA x (/private/a", BAD),
        (b"GETMETADATA x /", BAD),
        (b"GETMETADATA x /private/", BAD),
        (b"GETMETADATA x //private/a", BAD),
        (b'GETMETADATA x ""', BAD),
        (b"GETMETADATA x private/a", BAD),
        (b"GETMETADATA x /privately/a", BAD),
        (b'GETMETADATA x "/private/100%"', BAD),
        (b'GETMETADATA x "/private/\xc3\xbc"', BAD),
        (b'GETMETADATA x "/private/\x07"', BAD),
        (b"GETMETADATA a/../b /private/a", Failed("NO", "a", "CANNOT")),
        (b"GETMETADATA x /private" + b"/x" * (IMAP.entry_levels - 1), GetMetadata("x", ("/private" + "/x" * 31,))),
        (b"GETMETADATA x /private" + b"/x" * IMAP.entry_levels, BAD),
        (b"GETMETADATA x /private/" + b"x" * (IMAP.entry_octets - 9), GetMetadata("x", ("/private/" + "x" * 991,))),
        (b"GETMETADATA x /private/" + b"x" * (IMAP.entry_octets - 8), BAD),
        (b'SETMETADATA x (/private/a "v")', SetMetadata("x", ((A, b"v", True),))),
        (b'SETMETADATA "" (/private/a nil)', SetMetadata("", ((A, None, True),))),
        (b'SETMETADATA x (/private/a "" /shared/comment "w")', SetMetadata("x", ((A, b"", True), (C, b"w", True)))),
        (b'SETMETADATA x (/private/a "1" /PRIVATE/a "2")', SetMetadata("x", ((A, b"2", True),))),
        (b'SETMETADATA x (/private/vendor/a/b "")', SetMetadata("x", (("/private/vendor/a/b", b"", True),))),
        (b'SETMETADATA x (/private/vendor/a "")', BAD),
        (b'SETMETADATA x (/private/vendor "")', BAD),
        (b'SETMETADATA x (/shared "")', BAD),
        (b"SETMETADATA x (/private/a v)", BAD),
        (b'SETMETADATA x /private/a "v"', BAD),
        (b"SETMETADATA x (/private/a)", BAD),
        (b"SETMETADATA x ()", BAD),
        (b"SETMETADATA x", BAD),
        (b'GETQUOTA ""', GetQuota("")),
        (b"GETQUOTA #user/alice", GetQuota("#user/alice")),
        (b"GETQUOTA ", GetQuota("")),
        (b"GETQUOTA", BAD),
        (b'GETQUOTA "" x', BAD),
        (b"GETQUOTAROOT inbox", GetQuotaRoot("Inbox")),
        (b'GETQUOTAROOT ""', Failed("NO", "a", "CANNOT")),
        (b'SETQUOTA "" (storage 512 MESSAGE 0)', SetQuota("", (("STORAGE", 512), ("MESSAGE", 0)))),
        (b'SETQUOTA "" ()', SetQuota("", ())),
        (b'SETQUOTA ""', BAD),
        (b'SETQUOTA "" (STORAGE -1)', BAD),
        (b'SETQUOTA "" (STORAGE 9223372036854775808)', BAD),
        (b'LIST "" * RETURN (METADATA /private/a)', BAD),
        (b'LIST "" * RETURN (METADATA ())', BAD),
        (b'LIST "" * RETURN (METADATA (/nowhere/a))', BAD),
    ],
)
def test_command(line, request_):
    assert one_request(line) == request_


def test_literals():
    octets = b"SETMETADATA {1+}\r\nx ({10+}\r\n/private/a ~{3+}\r\na\0b /shared/comment {2+}\r\n\r\n)"
    assert one_request(octets) == SetMetadata("x", ((A, b"a\0b", False), (C, b"\r\n", True)))


def test_list_returns_annotations():
    request = one_request(b'LIST "" * RETURN (METADATA (/private/a "/Shared/Comment"))')
    assert isinstance(request, ListMailboxes)
    assert request.returns.metadata == (A, C)


@pytest.mark.parametrize(
    ("octets", "outcome"),
    [
        (b"a SETMETADATA x (/private/a {102400}\r\n", None),
        (b"a SETMETADATA x (/private/a {102401}\r\n", Failed("NO", "a", "METADATA MAXSIZE 102400")),
        (b"a setmetadata x (/private/a ~{102401}\r\n", Failed("NO", "a", "METADATA MAXSIZE 102400")),
        (b"a GETMETADATA x {102401}\r\n", Failed("BAD", "a", "TOOBIG")),
    ],
)
def test_a_value_too_large(octets, outcome):
    found = [one for one in play([octets]) if isinstance(one, Failed)]
    assert found == ([] if outcome is None else [outcome])
