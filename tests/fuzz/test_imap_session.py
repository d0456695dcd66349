"""Whole sessions with a store behind them: whatever comes, responses are well formed, nothing breaks, and it ends."""

import contextlib
import itertools
import logging
import re
import zlib

import trio
from hypothesis import HealthCheck, given, settings as effort, strategies as st

from support.imaphouse import PASSWORD, USER, House, open_house

LOGIN = f'l LOGIN {USER} "{PASSWORD}"\r\n'.encode()
MAIL = (
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nFrom: a <a@b.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhey\r\n--x\r\n"
    b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--x\r\n"
    b"Content-Transfer-Encoding: x-odd\r\n\r\n?\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nin\r\n--x--\r\n"
)
COMMANDS = [
    b"CAPABILITY", b"NOOP", b"LOGOUT", b"CHECK", b"NAMESPACE", b'ID ("name" "x" "os" NIL)', b"ID NIL", b"STARTTLS", b"UNAUTHENTICATE",
    LOGIN[2:-2], b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAGNvcnJlY3QgaG9yc2U=", b"LOGIN a {1+}\r\nb",
    b"ENABLE CONDSTORE QRESYNC IMAP4rev2 UTF8=ACCEPT METADATA", b"ENABLE UIDONLY", b"ENABLE IMAP4rev2",
    b"SELECT INBOX", b"EXAMINE INBOX", b"SELECT Trash", b"SELECT x (QRESYNC (1 1 1:9 (1 1)))", b"UNSELECT", b"CLOSE",
    b"CREATE x", b"CREATE x/y (USE (\\Archive))", b"DELETE x", b"RENAME x y", b"RENAME INBOX z", b"SUBSCRIBE x", b"UNSUBSCRIBE x",
    b'LIST "" "*" RETURN (STATUS (MESSAGES SIZE HIGHESTMODSEQ) SPECIAL-USE)', b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (% x)', b'LSUB "" *',
    b"STATUS INBOX (MESSAGES UIDNEXT UNSEEN DELETED SIZE RECENT UIDVALIDITY HIGHESTMODSEQ)",
    b"APPEND INBOX (\\Seen word) {%d+}\r\n%b" % (len(MAIL), MAIL), b"APPEND INBOX ~{9+}\r\nX: 1\n\n\0\n {3+}\r\n\n\n\n",
    b"APPEND INBOX {0+}\r\n", b"APPEND INBOX UTF8 (~{4+}\r\nX:\n\n)", b"APPEND Nowhere {3+}\r\nabc", b"APPEND INBOX {2000000+}\r\n",
    b"APPEND INBOX {3}\r\n", b"REPLACE 1 INBOX {5+}\r\nX: 1\n", b"UID REPLACE * Trash ~{5+}\r\nX: \xff\n", b"REPLACE 9 INBOX {5+}\r\nX: 1\n",
    b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY MODSEQ SAVEDATE PREVIEW)", b"FETCH * BODY[]",
    b"UID FETCH 1:* (BINARY.PEEK[1] BINARY.SIZE[2] BINARY[2]<0.2> BINARY[3] BODY[4.HEADER] BODY[4.TEXT]<1.1> BODY[2.MIME])",
    b"FETCH 1 BODY.PEEK[HEADER.FIELDS (subject X-a)]<2.5>", b"FETCH 1:2,4 (PREVIEW (LAZY) BODY[HEADER.FIELDS.NOT (From)])", b"FETCH 1 FULL",
    b"UID FETCH 1:* FLAGS (CHANGEDSINCE 0)", b"UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", b"FETCH $ UID", b"FETCH 0 UID",
    b"STORE 1:* +FLAGS (\\Deleted $Junk)", b"UID STORE 1:3 (UNCHANGEDSINCE 2) -FLAGS.SILENT (\\Seen)", b"STORE 1 FLAGS ()",
    b"EXPUNGE", b"UID EXPUNGE 1:2", b"COPY 1:* Trash", b"UID COPY 1:* INBOX", b"MOVE 1 Trash", b"UID MOVE 1:* Trash",
    b"SEARCH RETURN (MIN MAX COUNT SAVE) SUBJECT caf\xc3\xa9", b"UID SEARCH OR NOT SEEN (1:* TEXT hey) SINCE 1-Jan-2020", b"SEARCH {2+}\r\nON 1-Jan-2020",
    b"IDLE\r\nDONE", b"IDLE", b"DONE", b"NOTIFY SET STATUS (SELECTED (MessageNew (FLAGS) MessageExpunge))", b"NOTIFY NONE",
    b"SELECT {5}\r\nINBOX", b"SELECT {5+}\r\nINBOX", b"SELECT ~{5+}\r\nINBOX", b"SELECT {200000}", b"SELECT {200000+}", b"COMPRESS LZ4",
    b"", b" ", b"*", b"NOSUCH", b"FETCH", b"UID", b"FETCH 1:* (", b"SEARCH " + b"(" * 60, b"x" * 20_000,
]  # fmt: skip
LINES = st.sampled_from(COMMANDS).map(lambda command: b"c " + command + b"\r\n")
PIECES = st.lists(st.one_of(LINES, LINES, LINES, st.binary(max_size=8)), max_size=25)
CUTS = st.lists(st.integers(0, 10_000), max_size=6)
_RESPONSE = re.compile(rb"(?:\* |\+(?= )|[^\x00-\x20\x7f-\xff(){%*\"\\\\+]+ (?:OK|NO|BAD) )[^\r\n\x00]+")
_LITERAL = re.compile(rb"~?\{([0-9]+)\}")


class Bugs(logging.Handler):
    """Collects what the house calls an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {record.exc_info}")


def responses(said: bytes) -> list[bytes]:
    """What was said, each response whole, with `{}` for its literals. It must end with the last one."""
    found = []
    at = 0
    while at < len(said):
        shown = b""
        while True:
            end = said.index(b"\r\n", at)
            line = said[at:end]
            at = end + 2
            literal = _LITERAL.search(line)
            if literal is None or literal.end() != len(line):
                break
            octets = said[at : at + int(literal[1])]
            assert len(octets) == int(literal[1])
            assert line.startswith(b"~", literal.start()) or b"\0" not in octets
            shown += line[: literal.start()] + b"{}"
            at += len(octets)
        found.append(shown + line)
    return found


async def _converse(house: House, octets: bytes, cuts: list[int]) -> bytes:
    """Send the octets in pieces and hang up; all that was said. Ends when the session does."""
    client = house.connect()
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    with contextlib.suppress(trio.BrokenResourceError):  # It may have heard enough.
        for start, end in itertools.pairwise(places):
            await client.send(octets[start:end])
    await client.stream.send_stream.aclose()  # type: ignore[attr-defined]
    said = b""
    while more := await client.stream.receive_some(65_536):
        said += more
    return said


def _played(folder, *sessions: tuple[bytes, list[int]]) -> list[bytes]:
    async def run() -> list[bytes]:
        with trio.fail_after(60):
            async with open_house(folder) as house:
                return [await _converse(house, *one) for one in sessions]

    bugs = Bugs()
    logger = logging.getLogger("moxpy")
    logger.addHandler(bugs)
    try:
        said = trio.run(run)
    finally:
        logger.removeHandler(bugs)
    assert not bugs.found
    return said


@effort(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, cuts=CUTS, knows=st.booleans(), selected=st.booleans())
def test_any_session(tmp_path_factory, pieces, cuts, knows, selected):
    beginning = b""
    if knows:
        beginning = LOGIN + b"".join(b"m APPEND INBOX {%d+}\r\n%b\r\n" % (len(MAIL), MAIL) for _ in range(2))
        beginning += b"s SELECT INBOX\r\n" * selected
    octets = beginning + b"".join(pieces)
    for said in _played(tmp_path_factory.mktemp("house"), (octets, cuts), (octets, [])):
        for one in responses(said):
            assert _RESPONSE.fullmatch(one), one


@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=PIECES,
    cuts=CUTS,
    flush=st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH]),
    noise=st.binary(max_size=9),
)
def test_any_compressed_session(tmp_path_factory, pieces, cuts, flush, noise):
    peer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packets = b"".join(peer.compress(piece) + peer.flush(flush) for piece in [b"s SELECT INBOX\r\n", *pieces])
    (said,) = _played(tmp_path_factory.mktemp("house"), (LOGIN + b"z COMPRESS DEFLATE\r\n" + packets + noise, cuts))
    plain, _, rest = said.partition(b"z OK compressing from here on\r\n")
    reader = zlib.decompressobj(-zlib.MAX_WBITS)
    said = plain + reader.decompress(rest) + reader.unused_data
    for one in responses(said):
        assert _RESPONSE.fullmatch(one), one
