"""Command `import imap`: all mailboxes of an account elsewhere, fetched here and handed to the running server.

The connection is this program's own: the server neither dials nor hears of the password. Of each mailbox the list of
messages comes first; those whose Message-ID and size the server has are not fetched again, so what was interrupted goes
on when it is run again. Nothing is changed over there (EXAMINE, BODY.PEEK).
"""

import imaplib
import re
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.cli import remote
from appliance.cli.exchange import tell
from appliance.cli.main import FAILED, Failed, Invocation, UsageError
from appliance.cli.running import read_password

#: Messages that are asked about at a time; octets of them fetched at a time.
_LISTED: Final = 200
_FETCH_OCTETS: Final = 4 * 1024 * 1024
_SECONDS: Final = 120
_LIST: Final = re.compile(rb'\((?P<flags>[^)]*)\) (?P<delimiter>"\\?."|NIL) (?P<name>.*)\Z', re.DOTALL)
_UID: Final = re.compile(rb"\bUID (\d+)")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d+)")
_FLAGS: Final = re.compile(rb"\bFLAGS \(([^)]*)\)")
_DATE: Final = re.compile(rb'\bINTERNALDATE "([^"]*)"')


@dataclass(frozen=True, slots=True)
class _Seen:
    """A message over there."""

    uid: int
    size: int
    flags: tuple[str, ...]
    received: bytes
    message_id: str


def import_imap(invocation: Invocation) -> int:
    """Fetch and hand over."""
    account, host, user = invocation.arguments
    port = invocation.text("port") or ("143" if invocation.given("starttls") else "993")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError("--port takes a number")
    fetching = _Fetching(invocation, account)
    try:
        fetching.connect(host, int(port), user, read_password())
    except (imaplib.IMAP4.error, OSError) as error:
        raise Failed(f"{host}: {_said(error)}") from error
    came: dict[str, Any] = remote.call(invocation, "importstream", stream=fetching.stream(), account=account)
    code = tell(invocation, came)
    if fetching.failure:
        raise Failed(f"{host}: {fetching.failure}; what came is kept, run it again for the rest")
    return code or (FAILED if fetching.missed else 0)


def _said(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(error) or type(error).__name__


class _Fetching:
    """One connection to the other server."""

    def __init__(self, invocation: Invocation, account: str) -> None:
        self._invocation, self._account = invocation, account
        self._only = invocation.text("mailbox")
        self._below = invocation.text("below") or ""
        self._imap: imaplib.IMAP4
        #: Why it ended too early.
        self.failure = ""
        self.missed = 0

    def connect(self, host: str, port: int, user: str, password: str) -> None:
        """Connect and log in, never without TLS. Raises OSError, imaplib errors."""
        context = ssl.create_default_context(cafile=self._invocation.text("ca"))
        if self._invocation.text("ca") is None and not context.cert_store_stats()["x509_ca"]:
            context = ssl.create_default_context(cadata=_system_authorities())
        if self._invocation.given("starttls"):
            self._imap = imaplib.IMAP4(host, port, timeout=_SECONDS)
            self._imap.starttls(context)
        else:
            self._imap = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=_SECONDS)
        if not user.isascii() or not password.isascii():
            self._imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
        else:
            self._imap.login(user, password)

    def stream(self) -> Iterator[bytes]:
        """All messages that the server here lacks, for it; a failure over there ends them."""
        from appliance.operations.importing import found, wire

        try:
            for name, ours in self._mailboxes():
                yield wire.encode(found.Box(ours))
                for one in self._mailbox(name, ours):
                    yield wire.encode(one)
            self._imap.logout()
        except (imaplib.IMAP4.error, OSError, EOFError) as error:
            self.failure = _said(error)

    def _mailboxes(self) -> list[tuple[bytes, str]]:
        """As they are called there, quoted, and here."""
        from appliance.protocol.imap import mutf7

        names = []
        for line in self._do(*self._imap.list()):
            literal = isinstance(line, tuple)
            matched = _LIST.search(line[0] if literal else line) if line else None
            if matched is None:
                continue
            name = line[1] if literal else matched["name"].strip()
            if not literal and name.startswith(b'"'):
                name = re.sub(rb'\\(["\\])', rb"\1", name[1:-1])
            if rb"\noselect" in matched["flags"].lower() or rb"\nonexistent" in matched["flags"].lower():
                continue
            delimiter = matched["delimiter"][-2:-1] if matched["delimiter"] != b"NIL" else b""
            try:
                text = mutf7.decode(name)
            except ValueError:
                text = name.decode("utf-8", "replace")
            ours = text.replace("/", "_") if delimiter not in {b"/", b""} else text
            ours = ours.replace(delimiter.decode("latin-1"), "/") if delimiter else ours
            if self._only is None or ours == self._only:
                names.append((b'"' + re.sub(rb'(["\\])', rb"\\\1", name) + b'"', self._place(ours)))
        if not names:
            raise imaplib.IMAP4.error("there is no such mailbox" if self._only else "there are no mailboxes")
        return names

    def _place(self, ours: str) -> str:
        return f"{self._below.strip('/')}/{ours}" if self._below else ours

    def _do(self, kind: str, data: list[Any]) -> list[Any]:
        if kind != "OK":
            raise imaplib.IMAP4.error(data[0] if data else kind)
        return data

    def _mailbox(self, name: bytes, ours: str) -> Iterator[Any]:
        from appliance.operations.importing import found

        kind, data = self._imap.select(name.decode("latin-1"), readonly=True)
        if kind != "OK":
            self.missed += 1
            yield found.Trouble(f"{ours} cannot be opened: {_said(imaplib.IMAP4.error(data[0]))}")
            return
        exists = int(data[0] or 0)
        for first in range(1, exists + 1, _LISTED):
            last = min(exists, first + _LISTED - 1)
            self._show(ours, first - 1, exists)
            listed = self._list(first, last)
            asked = [[one.message_id, one.size] for one in listed]
            known: list[bool] = remote.call(
                self._invocation, "importknown", account=self._account, mailbox=ours, messages=asked
            )
            lacking = [one for one, there in zip(listed, known, strict=True) if not there]
            for one in lacking:
                if one.size > found.MESSAGE_OCTETS:
                    yield found.Trouble(f"{ours}: message {one.uid} is too large and is left out")
            yield from self._fetch(ours, [one for one in lacking if one.size <= found.MESSAGE_OCTETS])
        self._show(ours, exists, exists)

    def _list(self, first: int, last: int) -> list[_Seen]:
        from appliance.mail import thread

        items = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        found = []
        for facts, octets in self._answers(self._do(*self._imap.fetch(f"{first}:{last}", items))):
            uid, size = _UID.search(facts), _SIZE.search(facts)
            if uid is None or size is None:
                continue
            flags, date = _FLAGS.search(facts), _DATE.search(facts)
            names = tuple(flags[1].decode("ascii", "replace").split()) if flags else ()
            value = octets.partition(b":")[2].strip()
            found.append(_Seen(int(uid[1]), int(size[1]), names, date[1] if date else b"", thread.message_id(value)))
        return found

    @staticmethod
    def _answers(data: list[Any]) -> Iterator[tuple[bytes, bytes]]:
        """What is said of each message, before and behind its literal, and that."""
        for at, one in enumerate(data):
            if isinstance(one, tuple):
                behind = data[at + 1] if at + 1 < len(data) and isinstance(data[at + 1], bytes) else b""
                yield one[0] + b" " + behind, one[1]

    def _fetch(self, ours: str, wanted: list[_Seen]) -> Iterator[Any]:
        from appliance.mail import date
        from appliance.operations.importing import found

        by_uid = {one.uid: one for one in wanted}
        while wanted:
            size = 0
            some: list[str] = []
            while wanted and (not some or size + wanted[0].size <= _FETCH_OCTETS):
                size += wanted[0].size
                some.append(str(wanted.pop(0).uid))
            data = self._do(*self._imap.uid("FETCH", ",".join(some), "(UID BODY.PEEK[])"))
            for facts, octets in self._answers(data):
                uid = _UID.search(facts)
                if uid is not None and (one := by_uid.get(int(uid[1]))) is not None:
                    where = f"{ours}: message {one.uid}"
                    yield found.Message(ours, octets, one.flags, date.parse(one.received), where)

    def _show(self, ours: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{ours}: {done} of {of}", end="\n" if done == of else "", file=sys.stderr, flush=True)


def _system_authorities() -> str:
    """PEM; where the library looks in no place of this system, as in an executable built on another."""
    from appliance.tls import roots

    for bundle in roots.BUNDLES:
        if Path(bundle).is_file():
            return Path(bundle).read_text(encoding="ascii", errors="replace")
    return ""
