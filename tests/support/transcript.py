"""Golden dialogues (STYLE.md): `C:` a line with CRLF, `C|` octets as written, `S:` a response, `C2:` another client.

`...` stands for any text, `$name` for a word that is the same wherever it stands. A response's literal is written
with `\\r\\n` in its line. `M: account/mailbox address ...` tells what the house has in a mailbox then, by Delivered-To;
`M:` alone that these are all.
"""

import re
from pathlib import Path

import trio

from support.imaphouse import Client, House

_LINE = re.compile(r"([CS])([0-9]*)([:|]) ?(.*)")


def _octets(text: str) -> bytes:
    return re.sub(
        rb"\\(r|n|0|\\)",
        lambda found: {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}[found[1]],
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


async def play(path: Path, house: House) -> None:
    """Play a dialogue. Fails at the first response that is not the one written."""
    clients: dict[str, Client] = {}
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
        found = _LINE.fullmatch(written)
        assert found, f"{path.name}:{number}: {written}"
        who, which, form, text = found.groups()
        if which not in clients:
            clients[which] = house.connect()
        client = clients[which]
        with trio.fail_after(5):
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
        match = pattern.fullmatch(line)
        assert match, f"{path.name}:{number}: wrote {text!r}, came {line!r}"
        known.update({name: value for name, value in match.groupdict().items() if name not in fresh})
