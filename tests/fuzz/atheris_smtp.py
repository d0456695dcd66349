"""Coverage-guided fuzzing of the SMTP conversation, where atheris is installed (it is no dependency of ours).

    pip install atheris
    PYTHONPATH=.:tests python tests/fuzz/atheris_smtp.py [-max_total_time=60] /tmp/corpus tests/fuzz/corpus_smtp

The first octet of an input chooses the listener, the second how the rest is cut. What is found goes to the first folder;
tests/fuzz/corpus_smtp is where to begin. Beside exceptions these are failures: replies that are not well formed, and
events that depend on how the octets were cut.
"""

import re
import sys

import atheris

with atheris.instrument_imports(include=["appliance.protocol", "appliance.mail"]):
    from appliance.protocol.smtp.command import Mail
    from appliance.protocol.smtp.server import Chunk, EndOfData
    from appliance.protocol.smtp.settings import Kind
    from support.smtpdriver import Accepting, settings, whole_chunks
    from support.splits import events

KINDS = list(Kind)
_REPLY = re.compile(rb"(?:[245][0-9]{2}[ -][^\r\n\x00-\x1f\x7f]*\r\n)+")


class Watching(Accepting):
    """Looks at every reply."""

    def next_event(self):
        event = super().next_event()
        if self.error is not None:
            octets = self.error.reply.encode("ID", utf8=self.connection.line.isascii())
            assert _REPLY.fullmatch(octets), octets
            assert all(len(line) <= 510 for line in octets.split(b"\r\n")), octets
            self.error = None
        return event


def _finished(happened: list) -> list:
    """Without the content of a message that has not ended: whether it is refused may not be known yet."""
    last = max((at for at, event in enumerate(happened) if isinstance(event, Mail)), default=0)
    if any(isinstance(event, EndOfData) for event in happened[last:]):
        return happened
    return happened[:last] + [event for event in happened[last:] if not isinstance(event, Chunk)]


def one(data: bytes) -> None:
    """One input."""
    if len(data) < 2:
        return
    choice, step, octets = data[0], data[1] + 1, data[2:]
    kind = KINDS[choice % len(KINDS)]
    listener = settings(kind, pedantic=bool(choice & 16), max_message_octets=50 if choice & 32 else 1000)

    def happened(pieces):
        driver = Watching(listener, responses=2, authenticated=bool(choice & 64))
        return _finished(whole_chunks(events(driver, pieces)))

    pieces = [octets[at : at + step] for at in range(0, len(octets), step)]
    assert happened([octets]) == happened(pieces)


def main() -> None:
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
