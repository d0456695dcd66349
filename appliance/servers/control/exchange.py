"""Control commands that import and export mail."""

from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Final

import trio

from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, exporting
from appliance.operations.actor import OPERATOR, Actor
from appliance.operations.exporting import Format, Wanted
from appliance.operations.importing import files, run, wire
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store.problems import BadMailboxName

#: Messages that a client asks about at a time.
_KNOWN: Final = 1000


class NoSuchSource(Problem):
    """There is nothing to import at that path, for the server's user."""

    kind = Kind.NOT_FOUND


def actor(app: Appliance, name: str) -> Actor:
    """The operator in the place of an account. Raises NoSuchAccount."""
    return Actor(accounts.number(app.store, name), name, "", OPERATOR)


async def _export(app: Appliance, request: Request) -> None:
    wanted = Wanted(request.optional_text("mailbox") or "", recursive=not request.switch("single"))
    format = _format(request)
    who = actor(app, request.text("account"))
    exporting.check(app.store, who, wanted)
    found = exporting.files(app.store, who, wanted, format)
    await request.send(exporting.in_pieces(exporting.framed(found)))


def _format(request: Request) -> Format:
    try:
        return Format(request.text("format"))
    except ValueError as error:
        raise BadRequest("format must be maildir or mbox") from error


async def _import(app: Appliance, request: Request) -> dict[str, object]:
    format, path = _format(request), Path(request.text("path"))
    who, mailbox = actor(app, request.text("account")), run.check_named(request.text("mailbox"))
    try:
        duplicates = run.Duplicates(request.optional_text("duplicates") or run.Duplicates.CONTENT)
    except ValueError as error:
        raise BadRequest(f"duplicates must be one of {', '.join(run.Duplicates)}") from error
    try:
        await trio.to_thread.run_sync(path.stat)
    except OSError as error:
        raise NoSuchSource(f"{path}: {error.strerror}, for the user of the server") from error
    source = files.source(path, mailbox, format, single=request.switch("single"))
    counts: dict[str, int] = {}

    async def hear(told: run.Told) -> None:
        if isinstance(told, run.Left):
            await request.warn(told.text)
        elif isinstance(told, run.Count):
            counts[told.mailbox] = told.count
            await request.progress(sum(counts.values()))

    return asdict(await run.Importer(app, who, hear=hear, duplicates=duplicates).run(source))


async def _import_stream(app: Appliance, request: Request) -> dict[str, object]:
    """Messages that the client has from elsewhere. What came stays, since it goes on where it was."""
    troubles: list[str] = []

    async def hear(told: run.Told) -> None:
        if isinstance(told, run.Left):
            troubles.append(told.text)  # Told at the end: until then the client sends, and does not listen.

    importer = run.Importer(app, actor(app, request.text("account")), hear=hear, take_back=False)
    async with aclosing(wire.decoded(request.receive())) as batches:
        outcome = await importer.run_batches(batches)
    for text in troubles:
        await request.warn(text)
    return asdict(outcome)


async def _import_known(app: Appliance, request: Request) -> list[bool]:
    wanted = request.arguments.get("messages")
    if not isinstance(wanted, list) or len(wanted) > _KNOWN:
        raise BadRequest(f"messages must be a list of at most {_KNOWN}")
    for one in wanted:
        if not isinstance(one, list) or list(map(type, one)) != [str, int]:
            raise BadRequest("each of messages must be a Message-ID and a size")

    async def hear(_: run.Told) -> None:
        pass

    importer = run.Importer(app, actor(app, request.text("account")), hear=hear)
    try:
        name = run.check_named(request.text("mailbox"))
    except BadMailboxName:
        return [False] * len(wanted)  # It is told when the messages come.
    return await trio.to_thread.run_sync(importer.knows, name, [(one[0], one[1]) for one in wanted])


COMMANDS: Final[dict[str, Handler]] = {
    "export": _export,
    "import": _import,
    "importstream": _import_stream,
    "importknown": _import_known,
}
