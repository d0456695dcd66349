"""Commands that mend what is kept: inside the running server, or without one."""

import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from appliance.cli import alone, output, remote
from appliance.cli.configuration import load_source
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError


def reindex(invocation: Invocation) -> int:
    """Make the index of one account or of all anew."""

    def lines(made: Any) -> Iterator[str]:
        sizes = f"{made['index_octets'] / 1e6:.1f} MB for {made['text_octets'] / 1e6:.1f} MB of text"
        yield f"{made['messages']} messages, {sizes}"

    return _each(invocation, "reindex", lines, {})


def retrain(invocation: Invocation) -> int:
    """Train the junk filter of one account or of all that have one."""

    def lines(made: Any) -> Iterator[str]:
        yield f"{made['spams']} junk, {made['hams']} not junk" if made else "no junk filter"

    return _each(invocation, "retrain", lines, {"required": bool(invocation.arguments)})


def reparse(invocation: Invocation) -> int:
    """Read the structure of all messages anew."""
    return _each(invocation, "reparse", _parsed, {})


def ensure_parsed(invocation: Invocation) -> int:
    """Read the structure of messages that lack it, or of all."""
    return _each(invocation, "ensureparsed", _parsed, {"all": invocation.given("all")})


def _parsed(made: Any) -> Iterator[str]:
    yield f"{made['messages']} messages, {made['changed']} changed"
    if made["unreadable"]:
        yield f"{made['unreadable']} messages cannot be read; see moxpy verifydata"


def fix_sizes(invocation: Invocation) -> int:
    """Correct sizes of messages."""

    def lines(made: Any) -> Iterator[str]:
        for one in made["fixed"]:
            yield f"message {one['id']}: {one['actual']} octets, not {one['stored']}"
        yield f"{len(made['fixed'])} messages fixed"
        if made["fixed"]:
            yield "have clients fetch them anew: moxpy bumpuidvalidity"

    return _each(invocation, "fixmsgsize", lines, {})


def recount(invocation: Invocation) -> int:
    """Correct counters of mailboxes."""

    def lines(made: Any) -> Iterator[str]:
        for box, lacks in made["changed"].items():
            yield f"mailbox {box}: " + ", ".join(f"{name} {lack:+}" for name, lack in lacks.items())
        if made["usage_octets"]:
            yield f"octets of the account: {made['usage_octets']:+}"
        if not made["changed"] and not made["usage_octets"]:
            yield "all counters were right"

    return _each(invocation, "recalculatemailboxcounts", lines, {})


def reassign_threads(invocation: Invocation) -> int:
    """Put messages into threads anew."""

    def lines(made: Any) -> Iterator[str]:
        yield f"{made['messages']} messages, {made['changed']} put elsewhere"

    return _each(invocation, "reassignthreads", lines, {})


def bump_uid_validity(invocation: Invocation) -> int:
    """Give mailboxes a new UIDVALIDITY."""

    def lines(made: Any) -> Iterator[str]:
        for one in made:
            yield f"mailbox {one['mailbox']}: UIDVALIDITY {one['uid_validity']}"

    box = invocation.arguments[1] if len(invocation.arguments) > 1 else None
    return _each(invocation, "bumpuidvalidity", lines, {"mailbox": box})


def reassign_uids(invocation: Invocation) -> int:
    """Give messages new UIDs."""

    def lines(made: Any) -> Iterator[str]:
        for one in made:
            yield f"mailbox {one['mailbox']}: UIDs 1 to {one['messages']}, UIDVALIDITY {one['uid_validity']}"

    number = None
    if len(invocation.arguments) > 1:
        if not invocation.arguments[1].isdecimal():
            raise UsageError(f"the number of a mailbox is a number\nusage: {invocation.command.usage}")
        number = int(invocation.arguments[1])
    return _each(invocation, "reassignuids", lines, {"mailboxid": number})


def fix_next_uids(invocation: Invocation) -> int:
    """Raise counters of UIDs."""

    def lines(made: Any) -> Iterator[str]:
        for box, uid in made["mailboxes"].items():
            yield f"mailbox {box}: UIDNEXT raised to {uid}"
        if made["uid_validity"] is not None:
            yield f"the next UIDVALIDITY raised to {made['uid_validity']}"
        if not made["mailboxes"] and made["uid_validity"] is None:
            yield "all was right"

    return _each(invocation, "fixuidmeta", lines, {})


def _each(invocation: Invocation, job: str, lines: Any, options: dict[str, Any]) -> int:
    """A job for one account or for all, told line by line; after a failure the others have their turn."""
    names = invocation.arguments[:1]
    documents: dict[str, Any] = {}
    failed = False
    try:
        names = names or remote.call(invocation, "status")["accounts"]
        outcomes = _at_server(invocation, job, names, options)
        failed = _tell(invocation, outcomes, lines, documents)
    except remote.NoServer:
        failed = _tell(invocation, _without_server(invocation, job, names, options), lines, documents)
    if invocation.given("json"):
        output.print_json(documents)
    return FAILED if failed else OK


def _tell(
    invocation: Invocation, outcomes: Iterable[tuple[str, Any, float]], lines: Any, documents: dict[str, Any]
) -> bool:
    failed = False
    for name, made, seconds in outcomes:
        if isinstance(made, Failed):
            print(f"{name}: {made}", file=sys.stderr)
            failed = True
            continue
        documents[name] = made
        if invocation.given("json"):
            continue
        *some, last = lines(made)
        for line in some:
            print(f"{name}: {line}")
        print(f"{name}: {last}, {seconds * 1000:.0f} ms", flush=True)
    return failed


def _at_server(
    invocation: Invocation, job: str, names: list[str], options: dict[str, Any]
) -> Iterator[tuple[str, Any, float]]:
    for name in names:
        began = time.monotonic()
        made: Any
        try:
            made = remote.call(invocation, job, account=name, **options)
        except remote.NoServer:
            raise
        except Failed as failure:
            made = failure
        yield name, made, time.monotonic() - began


def _without_server(
    invocation: Invocation, job: str, names: list[str], options: dict[str, Any]
) -> Iterator[tuple[str, Any, float]]:
    """The store itself, held against a server that begins meanwhile and against another of these commands."""
    import trio

    from appliance.base.problem import Problem
    from appliance.delivery.learning import Learner
    from appliance.operations import upkeep
    from appliance.store import account as accounts

    config = load_source(invocation)
    folder = config.snapshot().data_directory
    if not (folder / "store" / "data.mdb").exists():
        raise Failed(f"no server runs at {remote.socket_path(folder)}, and there is no store in {folder}")
    jobs = {**upkeep.JOBS, "retrain": upkeep.retraining(Learner(), config)}

    async def silent(_: int) -> None:
        """Nobody waits at a socket."""

    with alone.store(folder) as store:
        with store.read() as tx:
            names = names or sorted(accounts.names(tx))
        for name in names:
            began = time.monotonic()
            made: Any
            try:
                made = trio.run(partial(jobs[job], store, name, options, silent))
            except Problem as problem:
                made = Failed(str(problem))
            yield name, made, time.monotonic() - began
