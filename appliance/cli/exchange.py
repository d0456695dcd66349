"""Commands that import and export mail."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance.cli import alone, output, remote
from appliance.cli.main import OK, Failed, Invocation, UsageError


def export_maildir(invocation: Invocation) -> int:
    """Mailboxes as Maildirs."""
    return _export(invocation, "maildir")


def export_mbox(invocation: Invocation) -> int:
    """Mailboxes as mbox files."""
    return _export(invocation, "mbox")


def _export(invocation: Invocation, format: str) -> int:
    from appliance.operations import exporting
    from appliance.operations.exporting import NotExportable, Unframed

    target, account, *rest = invocation.arguments
    mailbox, single = rest[0] if rest else "", invocation.given("single")
    if single and not mailbox:
        raise Failed("--single needs the name of a mailbox")
    try:
        folder = exporting.Folder(Path(target))
        unframed = Unframed()

        def take(octets: bytes) -> None:
            for one in unframed.feed(octets):
                folder.write(one)

        if not _directly(invocation, folder, account, mailbox, format, single=single):
            remote.call(invocation, "export", sink=take, account=account, mailbox=mailbox, format=format, single=single)
        folder.close()
    except NotExportable as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename or target}: {error.strerror}; what was written so far stays") from error
    errors = Path(target) / "errors.txt"
    if errors.is_file():
        raise Failed(f"something is missing, see {errors}")
    print(f"{folder.files} files in {target}")
    return OK


def _directly(invocation: Invocation, folder: Any, account: str, mailbox: str, format: str, *, single: bool) -> bool:
    """Without a server; whether that was possible."""
    from appliance.operations import accounts, exporting
    from appliance.operations.actor import OPERATOR, Actor
    from appliance.operations.exporting import Format, Wanted

    try:
        with alone.store(alone.data_directory(invocation)) as store:
            who = Actor(accounts.number(store, account), account, "", OPERATOR)
            wanted = Wanted(mailbox, recursive=not single)
            for one in exporting.files(store, who, wanted, Format(format)):
                folder.write(one)
    except alone.Held:
        return False
    return True


def import_maildir(invocation: Invocation) -> int:
    """A Maildir and those below it."""
    return _import(invocation, "maildir")


def import_mbox(invocation: Invocation) -> int:
    """An mbox file."""
    return _import(invocation, "mbox")


def _import(invocation: Invocation, format: str) -> int:
    account, mailbox, path = invocation.arguments
    came: dict[str, Any] = remote.call(
        invocation,
        "import",
        account=account,
        mailbox=mailbox,
        format=format,
        path=str(Path(path).absolute()),
        single=invocation.given("single"),
        duplicates=invocation.text("duplicates"),
    )
    return tell(invocation, came)


def ximport_maildir(invocation: Invocation) -> int:
    """A Maildir, without a server."""
    return _import_alone(invocation, "maildir")


def ximport_mbox(invocation: Invocation) -> int:
    """An mbox file, without a server."""
    return _import_alone(invocation, "mbox")


def _import_alone(invocation: Invocation, format: str) -> int:
    import trio

    from appliance.operations import accounts
    from appliance.operations.actor import OPERATOR, Actor
    from appliance.operations.exporting import Format
    from appliance.operations.importing import files, run

    account, mailbox, path = invocation.arguments
    try:
        duplicates = run.Duplicates(invocation.text("duplicates") or run.Duplicates.CONTENT)
    except ValueError as error:
        raise UsageError(f"--duplicates: one of {', '.join(run.Duplicates)}") from error
    if not Path(path).exists():
        raise Failed(f"{path}: there is nothing")

    async def hear(told: run.Told) -> None:
        if isinstance(told, run.Left):
            print(f"warning: {told.text}", file=sys.stderr)

    with alone.house(invocation) as app:
        name = run.check_named(mailbox)
        source = files.source(Path(path), name, Format(format), single=invocation.given("single"))
        who = Actor(accounts.number(app.store, account), account, "", OPERATOR)
        outcome = trio.run(run.Importer(app, who, hear=hear, duplicates=duplicates).run, source)
    return tell(invocation, asdict(outcome))


def tell(invocation: Invocation, came: dict[str, Any]) -> int:
    """What an import came to."""
    lines = [f"{name}: {count}" for name, count in sorted(came["mailboxes"].items())]
    total = f"{came['added']} messages imported"
    total += f", {came['duplicates']} were there already" if came["duplicates"] else ""
    total += f", {came['left_out']} left out" if came["left_out"] else ""
    output.show(invocation, came, [*lines, total])
    return OK
