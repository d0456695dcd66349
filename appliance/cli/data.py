"""Commands about stored data: checking, opening, reading it; and data for tests."""

import sys
import time
from pathlib import Path
from typing import Any, Final

from appliance.cli import alone, output
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError


def verifydata(invocation: Invocation) -> int:
    """Check every invariant of a data folder; a running server is not disturbed."""
    from appliance.store import store
    from appliance.store.problems import NewerSchema, StoreFailed

    folder = Path(invocation.arguments[0])
    try:
        problems = store.verify_folder(folder, sizes=not invocation.given("skip-size-check"))
        strangers = store.strangers(folder)
    except (StoreFailed, NewerSchema) as error:
        raise Failed(str(error)) from error
    moved = []
    for one in strangers:
        if invocation.given("fix"):
            moved.append(f"{one}: does not belong there; it is now {_move_away(folder, one)}")
        else:
            problems.append(f"{one}: does not belong there; --fix moves it away")
    warnings = [f"{one}: not known here" for one in _unknown(folder)]
    for line in (*moved, *warnings):
        print(line, file=sys.stderr)
    lines = [*problems, f"{folder}: {f'{len(problems)} problems' if problems else 'OK'}"]
    document = {"folder": str(folder), "ok": not problems, "problems": problems, "moved": moved, "warnings": warnings}
    output.show(invocation, document, lines)
    return FAILED if problems else OK


#: What a server keeps in its data folder, and where `--fix` puts what is not of it.
_MOVED: Final = "moved"
_KNOWN: Final = frozenset({"acme", "ctl", "httpcache", "lock", _MOVED, "receivedid.key", "spool", "store"})


def _unknown(folder: Path) -> list[Path]:
    """What lies beside the store and is not known; nothing is said where the configuration lies there, too."""
    if (folder / "moxpy.toml").exists():
        return []
    return sorted(one for one in folder.iterdir() if one.name not in _KNOWN)


def _move_away(folder: Path, stranger: Path) -> Path:
    """Put it where it is in nobody's way; nothing that is there is overwritten. Raises Failed."""
    target = folder / _MOVED / stranger.relative_to(folder)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{stranger.name}.{number}")
        return stranger.rename(target)
    except OSError as error:
        raise Failed(f"{stranger}: cannot be moved to {target}: {error.strerror}") from error


def gentestdata(invocation: Invocation) -> int:
    """Make a data folder for tests of upgrades."""
    from appliance.operations import testdata
    from appliance.store.problems import StoreFailed

    folder = Path(invocation.arguments[0])
    try:
        testdata.generate(folder)
    except StoreFailed as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{folder}: {error.strerror}") from error
    print(f"{folder} is made; keep its store as tests/data/stores/SCHEMA.mdb.xz, its summary.json as SCHEMA.json")
    return OK


def open_accounts(invocation: Invocation) -> int:
    """Open a store, which brings it to the schema of this version, and say what is in it."""
    from appliance.store import account as accounts, upgrade

    began = time.monotonic()
    with alone.store(Path(invocation.arguments[0])) as store, store.read() as tx:
        names = _chosen(accounts.names(tx), invocation.arguments[1:])
        document: dict[str, Any] = {
            "schema": upgrade.version(tx),
            "milliseconds": round((time.monotonic() - began) * 1000),
            "accounts": {
                name: {
                    "mailboxes": len(boxes := tx.mailboxes(number)),
                    "messages": sum(box.messages for box in boxes),
                    "octets": tx.account(number).usage_octets,
                }
                for name, number in names.items()
            },
        }
    lines = [f"schema {document['schema']}, opened in {document['milliseconds']} ms"]
    lines += [
        f"{name}: {one['mailboxes']} mailboxes, {one['messages']} messages, {one['octets']} octets"
        for name, one in document["accounts"].items()
    ]
    output.show(invocation, document, lines)
    return OK


def _chosen(names: Any, wanted: list[str]) -> dict[str, Any]:
    """Accounts and their numbers, of all or of those that are named. Raises Failed."""
    if unknown := [name for name in wanted if name not in names]:
        raise Failed(f"there is no account {unknown[0]}")
    return {name: names[name] for name in sorted(names) if not wanted or name in wanted}


def read_messages(invocation: Invocation) -> int:
    """Read and take apart every message of accounts, as fast as can be."""
    from appliance.base.limits import SCAN
    from appliance.mail import scan
    from appliance.store import account as accounts, bodies, message

    document = {}
    with alone.store(Path(invocation.arguments[0])) as store:
        with store.read() as tx:
            names = _chosen(accounts.names(tx), invocation.arguments[1:])
        for name, number in names.items():
            began, count, octets, parts = time.monotonic(), 0, 0, 0
            with store.read() as tx:
                for box in tx.mailboxes(number):
                    for _, row in message.rows(tx, number, box.id):
                        text = bodies.read(tx, row.body, 0, row.size - len(message.prefix(tx, number, row.id)))
                        root = scan.scan(text, SCAN).root
                        count, octets, parts = count + 1, octets + len(text), parts + 1 + len(root.parts)
            seconds = time.monotonic() - began
            document[name] = {
                "messages": count,
                "octets": octets,
                "parts": parts,
                "milliseconds": round(seconds * 1000),
            }
            rate = count / seconds if seconds else 0.0
            line = f"{name}: {count} messages, {octets} octets, {seconds * 1000:.0f} ms, {rate:.0f} a second"
            if not invocation.given("json"):
                print(line, flush=True)
    if invocation.given("json"):
        output.print_json(document)
    return OK


def queue_fill_retired(invocation: Invocation) -> int:
    """Fill the lists of what was sent."""
    from appliance.operations import accounts, testdata

    text = invocation.text("n") or "1000"
    if not text.isdecimal():
        raise UsageError(f"--n: a number\nusage: {invocation.command.usage}")
    with alone.store(alone.data_directory(invocation)) as store:
        testdata.fill_retired(store, accounts.number(store, invocation.arguments[0]), int(text))
    print(f"{text} retired messages and webhooks added")
    return OK
