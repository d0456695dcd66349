"""Traces what goes over a connection, so that no trace shows a secret its level may not show.

What a peer says in one packet is understood only after it was received: `AUTH PLAIN` with its credentials, a LOGIN cut
in two, an attempt so malformed that the session never knows it for one. So what comes in as commands is kept until the
session has acted on it, and lines that begin a login count as credentials whatever the session made of them.
"""

import re
from collections.abc import Iterator
from typing import Final

from appliance.base.log import TRACE, Log, Phase, trace

#: Commands that carry credentials: SMTP and POP3 AUTH, IMAP AUTHENTICATE and LOGIN.
_CREDENTIALS: Final = re.compile(rb"\b(?:AUTH|AUTHENTICATE|LOGIN|PASS)\b", re.IGNORECASE)
#: A line whose command goes on behind a literal (RFC 9051 §4.3).
_CONTINUES: Final = re.compile(rb"\{\d{1,20}\+?\}\r?\n\Z")
#: The line after which contents of a message begin.
_BEFORE_DATA: Final = re.compile(rb"(?:^(?:DATA|BDAT[^\n]*)|\{\d{1,20}\+?\})[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE)
#: Octets of a line without end that are kept; more are no command of ours.
_LONGEST_LINE: Final = 64 * 1024


class Transcript:
    """The trace of one connection. Costs next to nothing while its log traces nothing."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._kept = b""
        self._phase = Phase.PLAIN
        self._secret_goes_on = False

    def received(self, octets: bytes, phase: Phase) -> None:
        """The peer said this, as far as is known in that phase."""
        if not self.log.logger.isEnabledFor(TRACE):
            self._kept = b""
            return
        self._settle(final=phase is not Phase.PLAIN)
        if phase is Phase.PLAIN:
            self._kept += octets
        elif octets:
            trace(self.log, "C: ", octets, phase)
        if not octets:
            self._settle(final=True)

    def sent(self, octets: bytes, phase: Phase) -> None:
        """We said this."""
        if not self.log.logger.isEnabledFor(TRACE):
            self._kept = b""
            return
        self._settle(final=False)
        trace(self.log, "S: ", octets, phase)

    def phase_changed(self, phase: Phase) -> None:
        """The session has understood what was received last."""
        if not self._kept:
            return
        if phase is Phase.AUTH:
            self._phase = phase
        elif phase is Phase.DATA and (match := _BEFORE_DATA.search(self._kept)):
            contents, self._kept = self._kept[match.end() :], self._kept[: match.end()]
            self._settle(final=True)
            if contents:
                trace(self.log, "C: ", contents, phase)

    def closed(self) -> None:
        """Nothing more will come."""
        self._settle(final=True)

    def _settle(self, *, final: bool) -> None:
        """Trace what was kept; of a line without end only when it is `final` or too long to be one."""
        if not self._kept:
            return
        end = self._kept.rfind(b"\n") + 1
        if final or len(self._kept) - end > _LONGEST_LINE:
            end = len(self._kept)
        octets, self._kept = self._kept[:end], self._kept[end:]
        if self._phase is Phase.AUTH:
            trace(self.log, "C: ", octets, Phase.AUTH)
        else:
            for phase, run in self._runs(octets):
                trace(self.log, "C: ", run, phase)
        if not self._kept:
            self._phase = Phase.PLAIN

    def _runs(self, octets: bytes) -> Iterator[tuple[Phase, bytes]]:
        """Lines joined into runs of one phase."""
        phase, run = Phase.PLAIN, bytearray()
        for line in octets.splitlines(keepends=True):
            secret = self._secret_goes_on or _CREDENTIALS.search(line) is not None
            self._secret_goes_on = secret and _CONTINUES.search(line) is not None
            mine = Phase.AUTH if secret else Phase.PLAIN
            if mine is not phase and run:
                yield phase, bytes(run)
                run.clear()
            phase = mine
            run += line
        if run:
            yield phase, bytes(run)
