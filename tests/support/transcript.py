"""Golden dialogues (STYLE.md): `C:` a line with CRLF, `C|` octets as written, `S:` a response, `C2:` another client.

`...` stands for any text, `$name` for a word that is the same wherever it stands. A response's literal is written
with `\\r\\n` in its line. `E:` is the end of the connection, nothing said before it. `Z: number` sends so many octets of no
meaning. `T: seconds` lets time go by, on a clock that stands otherwise. `N:` is silence: no whole line has come by now.

`HERE: address` is another client, of the operator: it need not log in to that account.

`TLS: version key` is a handshake, with a client's key if one is named; `A: words` the alert that ends the connection.
`AUTH: mechanism user words` is a SASL exchange (`support.smtpclient`); its last reply is written as a response.

`M: account/mailbox address ...` tells what the house has in a mailbox then, by Delivered-To; `M:` alone that these are
all. `B: account/mailbox octets` is the last message there as it was sent, `H:` what was put before it, line by line, `F:` the
names of those fields, all of them in their order.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio
import trio.testing

from support import smtpclient
from support.imaphouse import Client, House
from support.quiet import settled

#: A dialogue that has to wait so long has failed.
PATIENCE_SECONDS = 60

_LINE = re.compile(r"([CSEZNA]|TLS|AUTH|HERE)([0-9]*)([:|]) ?(.*)")


def _octets(text: str) -> bytes:
    return re.sub(
        rb"\\(r|n|0|\\|x16)",
        lambda found: {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"x16": b"\x16", b"\\": b"\\"}[found[1]],
        text.encode(),
    )


def _pattern(text: str, known: dict[str, bytes]) -> re.Pattern[bytes]:
    pattern = b""
    at = 0
    for found in re.finditer(r"\.\.\.|\$[a-z]+", text):
        pattern += re.escape(_octets(text[at : found.start()]))
        name = found[0][1:]
        if found[0] == "...":
            pattern += rb".*"
        elif name in known:
            pattern += re.escape(known[name])
        else:
            pattern += b"(?P<%b>[^ \\])]+)" % name.encode()
            known[name] = b""
        at = found.end()
    return re.compile(pattern + re.escape(_octets(text[at:])), re.DOTALL)


def _look(written: str, house: House, known: dict[str, bytes]) -> None:
    kind, _, rest = written.partition(": ")
    name, _, text = rest.partition(" ")
    added, content = house.last_message(name)
    if kind == "B":
        assert content == _octets(text)
    elif kind == "F":
        assert [line.partition(b":")[0].decode() for line in _unfolded(added) if line] == text.split(), added
    else:
        assert any(_pattern(text, dict(known)).fullmatch(line) for line in _unfolded(added)), added


def _unfolded(header: bytes) -> list[bytes]:
    return re.sub(rb"\r\n[ \t]+", b" ", header).split(b"\r\n")


@contextmanager
def _patience(complaint: str) -> Iterator[None]:
    """An assertion when it takes too long by the world's clock: trio's may stand."""
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        timer = threading.Timer(PATIENCE_SECONDS, token.run_sync_soon, (scope.cancel,))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
    assert not scope.cancelled_caught, complaint


async def _pass(seconds: int) -> None:
    """Let time go by in steps, so that whoever sleeps again and again has done so."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)
    for _ in range(seconds):
        await settled()
        clock.jump(1)
    await settled()


async def play(path: Path, house: House) -> None:
    """Play a dialogue. Fails at the first response that is not the one written."""
    clients: dict[str, Client] = {}
    alerts: dict[str, str] = {}
    known: dict[str, bytes] = {}
    unseen: dict[str, list[str]] | None = None
    for number, written in enumerate(path.read_text().splitlines(), 1):
        if not written or written.startswith("#"):
            continue
        if written.startswith("M:"):
            name, *addresses = written[2:].split() or [""]
            unseen = house.messages() if unseen is None else unseen
            assert unseen.pop(name, []) == addresses if name else not unseen, (
                f"{path.name}:{number}: {house.messages()}"
            )
            continue
        unseen = None
        if written.startswith(("B:", "H:", "F:")):
            _look(written, house, known)
            continue
        if written.startswith("T:"):
            await _pass(int(written[2:]))
            continue
        found = _LINE.fullmatch(written)
        assert found, f"{path.name}:{number}: {written}"
        who, which, form, text = found.groups()
        if who == "HERE":
            clients[which] = house.connect_here(text)
            continue
        if which not in clients:
            clients[which] = house.connect()
        client = clients[which]
        with _patience(f"{path.name}:{number}: nothing came for {written!r}"):
            if who == "Z":
                await client.send(b"z" * int(text))
                continue
            if who == "N":
                assert await client.is_silent(), f"{path.name}:{number}: came {await client.line()!r}"
                continue
            if who == "TLS":
                alerts[which] = await smtpclient.start_tls(client, *text.split())
                continue
            if who == "A":
                came = alerts[which] or await smtpclient.alert(client)
                assert text in came, f"{path.name}:{number}: came {came}"
                continue
            if who == "AUTH":
                await smtpclient.authenticate(client, *text.split())
                continue
            if who == "C":
                for name, value in known.items():
                    text = text.replace("$" + name, value.decode())
                # Backslashes of flags stay as they are in whole lines.
                octets = _octets(text) if form == "|" else text.encode() + b"\r\n"
                try:
                    await client.send(octets)
                except trio.BrokenResourceError:
                    raise AssertionError(f"{path.name}:{number}: the connection is closed") from None
                continue
            fresh = set(known)
            pattern = _pattern(text.replace("\\", "\\\\") if form == ":" else text, known)
            line = await client.line()
        if who == "E":
            assert line == b"", f"{path.name}:{number}: came {line!r}"
            continue
        match = pattern.fullmatch(line)
        assert match, f"{path.name}:{number}: wrote {text!r}, came {line!r}"
        known.update({name: value for name, value in match.groupdict().items() if name not in fresh})
