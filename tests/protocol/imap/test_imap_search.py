"""SEARCH lines and their keys."""

import datetime

import pytest

from appliance.protocol.imap.command import (
    And,
    BodyContains,
    Comparison,
    EmailId,
    Everything,
    HasFlag,
    HeaderContains,
    Larger,
    ModSeq,
    MultiSearch,
    Not,
    Nothing,
    Numbers,
    Older,
    Or,
    Received,
    Returns,
    Saved,
    SaveDateSupported,
    Search,
    Sent,
    Smaller,
    Sort,
    SortKey,
    Source,
    TextContains,
    Thread,
    ThreadAlgorithm,
    ThreadId,
    Uids,
    walk,
)
from appliance.protocol.imap.sequence import SAVED, SequenceSet
from support.imapsplits import Failed, one_request, play

BAD = Failed("BAD", "a")
DAY = datetime.date(1994, 2, 1)


@pytest.mark.parametrize(
    ("program", "key"),
    [
        (b"ALL", Everything()),
        (b"old", Everything()),
        (b"NEW", Nothing()),
        (b"RECENT", Nothing()),
        (b"SEEN", HasFlag("\\Seen")),
        (b"UNANSWERED", Not(HasFlag("\\Answered"))),
        (b"KEYWORD $Junk", HasFlag("$junk")),
        (b"UNKEYWORD x", Not(HasFlag("x"))),
        (b"FROM joe", HeaderContains("from", "joe")),
        (b'SUBJECT "a b"', HeaderContains("subject", "a b")),
        (b'HEADER X-Spam ""', HeaderContains("x-spam", "")),
        (b"BODY x", BodyContains("x")),
        (b'TEXT "\xc3\xbc"', TextContains("ü")),
        (b'TEXT "\xfc"', BAD),
        (b"BEFORE 1-Feb-1994", Received(Comparison.BEFORE, DAY)),
        (b'SINCE "01-FEB-1994"', Received(Comparison.SINCE, DAY)),
        (b"SENTON 1-feb-1994", Sent(Comparison.ON, DAY)),
        (b"SAVEDBEFORE 1-Feb-1994", Saved(Comparison.BEFORE, DAY)),
        (b"SAVEDATESUPPORTED", SaveDateSupported()),
        (b"ON 30-Feb-1994", BAD),
        (b"ON 1-Foo-1994", BAD),
        (b'ON "1-Feb-1994', BAD),
        (b"ON 1-Feb-0000", BAD),
        (b"LARGER 0", Larger(0)),
        (b"SMALLER 9223372036854775807", Smaller(2**63 - 1)),
        (b"SMALLER 9223372036854775808", BAD),
        (b"OLDER 3600", Older(3600)),
        (b"YOUNGER 0", BAD),
        (b"UID 1:5", Uids(SequenceSet(((1, 5),)))),
        (b"2,4:*", Numbers(SequenceSet(((2, 2), (4, None))))),
        (b"$", Numbers(SAVED)),
        (b"UID $", Uids(SAVED)),
        (b"MODSEQ 620162338", ModSeq(620162338)),
        (b'MODSEQ "/flags/\\\\draft" all 620162338', ModSeq(620162338)),
        (b'MODSEQ "/flags/x" some 1', BAD),
        (b"NOT SEEN", Not(HasFlag("\\Seen"))),
        (b"OR SEEN BODY x", Or(HasFlag("\\Seen"), BodyContains("x"))),
        (b"SEEN 1", And((HasFlag("\\Seen"), Numbers(SequenceSet(((1, 1),)))))),
        (b"OR (SEEN DRAFT) NOT (ALL)", Or(And((HasFlag("\\Seen"), HasFlag("\\Draft"))), Not(Everything()))),
        (b"", BAD),
        (b"()", BAD),
        (b"(SEEN", BAD),
        (b"SEEN)", BAD),
        (b"OR SEEN", BAD),
        (b"NOT", BAD),
        (b"FROB", BAD),
        (b"FROB x", BAD),
        (b"SEEN  DRAFT", BAD),
        (b"CHARSET UTF-8", BAD),
        (b"(" * 49 + b"ALL" + b")" * 49, Everything()),
        (b"(" * 50 + b"ALL" + b")" * 50, Failed("NO", "a", "LIMIT")),
        (b"NOT " * 200 + b"ALL", Failed("NO", "a", "LIMIT")),
        (b" ".join([b"ALL"] * 1000), And((Everything(),) * 1000)),
    ],
    ids=lambda value: value.decode("latin-1")[:40] if isinstance(value, bytes) else "",
)
def test_key(program, key):
    if len(program) < 200:
        found = one_request(b"SEARCH " + program)
    else:  # Too long to be cut everywhere.
        (event,) = play([b"a SEARCH " + program + b"\r\n"])
        found = getattr(event, "request", event)
    assert found == (Search(False, key) if not isinstance(key, Failed) else key)


def test_too_many_keys():
    assert play([b"a SEARCH " + b" ".join([b"ALL"] * 1001) + b"\r\n"]) == [Failed("NO", "a", "LIMIT")]


@pytest.mark.parametrize(
    ("line", "search"),
    [
        (b"UID SEARCH RETURN (MIN save) SEEN", Search(True, HasFlag("\\Seen"), Returns(frozenset({"MIN", "SAVE"})))),
        (b"SEARCH RETURN () ALL", Search(False, Everything(), Returns(frozenset({"ALL"})))),
        (b"SEARCH RETURN (FROB) ALL", BAD),
        (b"SEARCH RETURN (MIN)", BAD),
        (b"SEARCH RETURN (MIN MAX) ALL", Search(False, Everything(), Returns(frozenset({"MIN", "MAX"})))),
        (
            b"UID SEARCH RETURN (PARTIAL -1:-100 COUNT) ALL",
            Search(True, Everything(), Returns(frozenset({"PARTIAL", "COUNT"}), (-1, -100))),
        ),
        (b"SEARCH RETURN (PARTIAL 1:-2) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL 0:2) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL 1:*) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL 1:4294967296) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL 1) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL) ALL", BAD),
        (b"SEARCH RETURN (ALL PARTIAL 1:2) ALL", BAD),
        (b"SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL", BAD),
        (b"SEARCH EMAILID M1-2", Search(False, EmailId("M1-2"))),
        (b"SEARCH THREADID x_Y-9", Search(False, ThreadId("x_Y-9"))),
        (b"SEARCH THREADID a.b", BAD),
        (b'SEARCH EMAILID "M1-2"', BAD),
        (b"SORT (DATE) UTF-8 ALL", Sort(False, ((SortKey.DATE, False),), Everything())),
        (
            b"UID SORT RETURN () (subject REVERSE date) us-ascii SEEN",
            Sort(
                True,
                ((SortKey.SUBJECT, False), (SortKey.DATE, True)),
                HasFlag("\\Seen"),
                Returns(frozenset({"ALL"})),
            ),
        ),
        (b"SORT (DISPLAYFROM) KOI8-R ALL", Failed("NO", "a", "BADCHARSET (US-ASCII UTF-8)")),
        (b"SORT () UTF-8 ALL", BAD),
        (b"SORT (REVERSE) UTF-8 ALL", BAD),
        (b"SORT (REVERSE REVERSE DATE) UTF-8 ALL", BAD),
        (b"SORT (SCORE) UTF-8 ALL", BAD),
        (b"SORT (DATE) ALL", Failed("NO", "a", "BADCHARSET (US-ASCII UTF-8)")),
        (b"SORT (DATE) UTF-8", BAD),
        (b"SORT DATE UTF-8 ALL", BAD),
        (b"THREAD REFERENCES UTF-8 ALL", Thread(False, ThreadAlgorithm.REFERENCES, Everything())),
        (b"UID THREAD orderedsubject UTF-8 ALL", Thread(True, ThreadAlgorithm.ORDEREDSUBJECT, Everything())),
        (b"THREAD REFS UTF-8 ALL", BAD),
        (b"THREAD REFERENCES UTF-8", BAD),
        (b"ESEARCH ALL", MultiSearch((Source("SELECTED"),), Everything(), Returns(frozenset({"ALL"})))),
        (
            b'ESEARCH IN (mailboxes "a" subtree (b INBOX) personal) RETURN (COUNT) CHARSET UTF-8 ALL',
            MultiSearch(
                (Source("MAILBOXES", ("a",)), Source("SUBTREE", ("b", "Inbox")), Source("PERSONAL")),
                Everything(),
                Returns(frozenset({"COUNT"})),
            ),
        ),
        (
            b"ESEARCH IN (selected) RETURN (SAVE) ALL",
            MultiSearch((Source("SELECTED"),), Everything(), Returns(frozenset({"SAVE"}))),
        ),
        (b"ESEARCH IN (selected personal) RETURN (SAVE) ALL", BAD),
        (b"ESEARCH IN (selected-delayed) ALL", BAD),
        (b"ESEARCH IN () ALL", BAD),
        (b"ESEARCH IN (mailboxes) ALL", BAD),
        (b"ESEARCH IN (subtree ()) ALL", BAD),
        (b"ESEARCH IN (personal (x)) ALL", BAD),
        (b"ESEARCH IN (personal)", BAD),
        (b"SEARCH CHARSET utf-8 TEXT x", Search(False, TextContains("x"), None, "UTF-8")),
        (
            b'SEARCH RETURN (ALL) CHARSET "US-ASCII" ALL',
            Search(False, Everything(), Returns(frozenset({"ALL"})), "US-ASCII"),
        ),
        (b"SEARCH CHARSET KOI8-R TEXT x", Failed("NO", "a", "BADCHARSET (US-ASCII UTF-8)")),
    ],
    ids=lambda value: value.decode("latin-1")[:40] if isinstance(value, bytes) else "",
)
def test_search(line, search):
    assert one_request(line) == search


def test_walk():
    key = And((Or(Everything(), Not(ModSeq(1))), HasFlag("x")))
    assert {type(one) for one in walk(key)} == {And, Or, Everything, Not, ModSeq, HasFlag}
