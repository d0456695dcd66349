"""Commands without literals, as a table: a line of the client and what it means."""

import pytest

from appliance.protocol.imap import command as c
from appliance.protocol.imap.command import ListMailboxes, ListReturn, QResync, Select
from appliance.protocol.imap.sequence import SAVED, SequenceSet
from support.imapsplits import Failed, one_request

BAD = Failed("BAD", "a")


def numbers(*ranges: tuple[int | None, int | None]) -> SequenceSet:
    return SequenceSet(ranges)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"CAPABILITY", c.Capability()),
        (b"noop", c.Noop()),
        (b"NOOP ", BAD),
        (b"LOGOUT", c.Logout()),
        (b"STARTTLS", c.StartTls()),
        (b"NAMESPACE", c.Namespace()),
        (b"CHECK", c.Check()),
        (b"CLOSE", c.Close()),
        (b"UNSELECT", c.Unselect()),
        (b"EXPUNGE", c.Expunge()),
        (b"UID EXPUNGE 3:5,9", c.Expunge(numbers((3, 5), (9, 9)))),
        (b"UID EXPUNGE", BAD),
        (b"UID NOOP", BAD),
        (b"UID", BAD),
        (b"FROBNICATE 1", BAD),
        (b"NOOP\0", BAD),
        (b"ID NIL", c.Id(())),
        (b'ID ("Name" "x\\"y" "version" NIL)', c.Id((("name", 'x"y'), ("version", None)))),
        (b"ID ()", c.Id(())),
        (b'ID ("a" "1" "A" "2")', BAD),
        (b'ID ("a")', BAD),
        (b'ID "a"', BAD),
        (b"LOGIN joe@example.org secret]", c.Login("joe@example.org", "secret]")),
        (rb'LOGIN "joe" "a\\b\"c"', c.Login("joe", 'a\\b"c')),
        (rb'LOGIN "joe" "a\bc"', BAD),
        (b'LOGIN joe "\xc3\xbc"', c.Login("joe", "ü")),
        (b'LOGIN joe "\xfc"', BAD),
        (b"LOGIN joe", BAD),
        (b"LOGIN  joe x", BAD),
        (b"AUTHENTICATE plain", c.Authenticate("PLAIN", None)),
        (b"AUTHENTICATE PLAIN =", c.Authenticate("PLAIN", b"")),
        (b"AUTHENTICATE PLAIN AGEAYg==", c.Authenticate("PLAIN", b"\0a\0b")),
        (b"AUTHENTICATE PLAIN AGEAYg", BAD),
        (b"AUTHENTICATE PLAIN ", BAD),
        (b"ENABLE condstore QRESYNC CONDSTORE", c.Enable(("CONDSTORE", "QRESYNC"))),
        (b"ENABLE", BAD),
        (b"SELECT inbox", Select("Inbox", read_only=False)),
        (b"EXAMINE Entw&APw-rfe", Select("Entwürfe", read_only=True)),
        (b"SELECT x (CONDSTORE)", Select("x", False, condstore=True)),
        (b"SELECT x (FROB)", BAD),
        (b"SELECT x ()", BAD),
        (b"SELECT #x", Failed("NO", "a", "CANNOT")),
        (b'SELECT ""', Failed("NO", "a", "CANNOT")),
        (b"SELECT " + b"/".join([b"a"] * 33), Failed("NO", "a", "LIMIT")),
        (b"SELECT x (QRESYNC (7 12))", Select("x", False, qresync=QResync(7, 12, None, None))),
        (
            b"SELECT x (QRESYNC (7 12 1:9) CONDSTORE)",
            Select("x", False, True, QResync(7, 12, numbers((1, 9)), None)),
        ),
        (
            b"SELECT x (QRESYNC (7 12 1:9 (1,3:4 5,8:9)))",
            Select(
                "x", False, qresync=QResync(7, 12, numbers((1, 9)), (numbers((1, 1), (3, 4)), numbers((5, 5), (8, 9))))
            ),
        ),
        (
            b"SELECT x (QRESYNC (7 12 (1 5)))",
            Select("x", False, qresync=QResync(7, 12, None, (numbers((1, 1)), numbers((5, 5))))),
        ),
        (b"SELECT x (QRESYNC (7 0))", BAD),
        (b"SELECT x (QRESYNC (0 7))", BAD),
        (b"SELECT x (QRESYNC (7 12 1:*))", BAD),
        (b"SELECT x (QRESYNC (7 12 $))", BAD),
        (b"SELECT x (QRESYNC (7 12 1:9 (1:2 5)))", BAD),
        (b"SELECT x (QRESYNC (7 12 1:9 (2,1 5,6)))", BAD),
        (b"SELECT x (QRESYNC (7 9223372036854775808))", BAD),
        (b"CREATE a/b/", c.Create("a/b")),
        (b"CREATE x (USE (\\archive \\Foo))", c.Create("x", ("\\Archive", "\\Foo"))),
        (b"CREATE x (USE ())", c.Create("x")),
        (b"CREATE x (FROB)", BAD),
        (b"DELETE a/b/", Failed("NO", "a", "CANNOT")),
        (b"DELETE x", c.Delete("x")),
        (b"DELETE x y", BAD),
        (b"RENAME a INBOX/b", c.Rename("a", "Inbox/b")),
        (b"SUBSCRIBE x", c.Subscribe("x")),
        (b"UNSUBSCRIBE x", c.Unsubscribe("x")),
        (b"STATUS x (messages UNSEEN)", c.Status("x", ("MESSAGES", "UNSEEN"))),
        (b"STATUS x (HIGHESTMODSEQ DELETED-STORAGE)", c.Status("x", ("HIGHESTMODSEQ", "DELETED-STORAGE"))),
        (b"STATUS x ()", BAD),
        (b"STATUS x (FROB)", BAD),
        (b"STATUS x", BAD),
        (b'LIST "" *', ListMailboxes("", ("*",))),
        (b'LIST "" ""', ListMailboxes("", ("",))),
        (b'LIST a/ "%&APw-"', ListMailboxes("a/", ("%ü",))),
        (b'LIST "" (a b*)', ListMailboxes("", ("a", "b*"), extended=True)),
        (b'LIST () "" *', ListMailboxes("", ("*",), extended=True)),
        (
            b'LIST (SUBSCRIBED recursivematch) "" *',
            ListMailboxes("", ("*",), frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}), extended=True),
        ),
        (b'LIST (RECURSIVEMATCH) "" *', BAD),
        (b'LIST (RECURSIVEMATCH REMOTE) "" *', BAD),
        (b'LIST (FROB) "" *', BAD),
        (b'LIST "" * RETURN ()', ListMailboxes("", ("*",), extended=True)),
        (
            b'LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (SIZE) METADATA ("/Shared/x"))',
            ListMailboxes("", ("*",), returns=ListReturn(True, True, True, ("SIZE",), ("/shared/x",)), extended=True),
        ),
        (b'LIST "" * RETURN (FROB)', BAD),
        (b'LIST "" "&"', BAD),
        (b'LIST "" ' + b"*" * 1001, Failed("NO", "a", "LIMIT")),
        (b'LSUB "" %', c.Lsub("", "%")),
        (b"COPY 1:2 x", c.Copy(False, numbers((1, 2)), "x")),
        (b"UID COPY $ x", c.Copy(True, SAVED, "x")),
        (b"UID MOVE 1:* x", c.Move(True, numbers((1, None)), "x")),
        (b"MOVE 0 x", BAD),
        (b"STORE 1 FLAGS (\\seen $Junk)", c.Store(False, numbers((1, 1)), "=", ("\\Seen", "$junk"))),
        (b"STORE 1 +FLAGS \\Deleted x", c.Store(False, numbers((1, 1)), "+", ("\\Deleted", "x"))),
        (b"UID STORE 1 -flags.silent ()", c.Store(True, numbers((1, 1)), "-", (), silent=True)),
        (
            b"UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS (x)",
            c.Store(True, numbers((1, 1)), "+", ("x",), unchanged_since=0),
        ),
        (b"STORE 1 +FLAGS (\\Recent \\Important x)", c.Store(False, numbers((1, 1)), "+", ("x",))),
        (b"STORE 1 +FLAGS (x]y)", BAD),
        (b"STORE 1 +FLAGS", BAD),
        (b"STORE 1 FROBS (x)", BAD),
        (b"STORE 1 (FROB 0) FLAGS (x)", BAD),
        (b"STORE 1 FLAGS (" + b" ".join(b"k%d" % n for n in range(111)) + b")", Failed("NO", "a", "LIMIT")),
        (b"IDLE x", BAD),
        (b"APPEND x", BAD),
        (b"APPEND x (\\Seen)", BAD),
    ],
    ids=lambda value: value.decode("latin-1")[:50] if isinstance(value, bytes) else "",
)
def test_command(line, request_):
    assert one_request(line) == request_


def test_names_are_utf8_once_enabled():
    assert one_request('DELETE "Entwürfe"'.encode(), utf8=True) == c.Delete("Entwürfe")
    assert one_request(b"DELETE a&b", utf8=True) == c.Delete("a&b")


def test_password_is_not_shown():
    assert "secret" not in repr(c.Login("joe", "secret"))
