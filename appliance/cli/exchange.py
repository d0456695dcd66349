"""Commands that import and export mail."""

from pathlib import Path
from typing import Any

from appliance.cli import output, remote
from appliance.cli.configuration import load_config
from appliance.cli.main import OK, Failed, Invocation


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
    """Without a server, holding its lock; whether that was possible."""
    from appliance.base.clock import SystemClock
    from appliance.base.problem import Problem
    from appliance.operations import accounts, exporting
    from appliance.operations.actor import OPERATOR, Actor
    from appliance.operations.exporting import Format, Wanted
    from appliance.serve import AlreadyRunning, lock_data
    from appliance.store.defaults import STORE
    from appliance.store.store import Store

    data = load_config(invocation).data_directory
    if not (data / "store" / "data.mdb").exists():
        raise Failed(f"there is no store in {data}")
    try:
        lock = lock_data(data)
    except (AlreadyRunning, PermissionError):
        return False
    with lock:
        try:
            store = Store(data, clock=SystemClock(), limits=STORE)
            try:
                who = Actor(accounts.number(store, account), account, "", OPERATOR)
                wanted = Wanted(mailbox, recursive=not single)
                for one in exporting.files(store, who, wanted, Format(format)):
                    folder.write(one)
            finally:
                store.close()
        except Problem as problem:
            raise Failed(str(problem)) from problem
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


def tell(invocation: Invocation, came: dict[str, Any]) -> int:
    """What an import came to."""
    lines = [f"{name}: {count}" for name, count in sorted(came["mailboxes"].items())]
    total = f"{came['added']} messages imported"
    total += f", {came['duplicates']} were there already" if came["duplicates"] else ""
    total += f", {came['left_out']} left out" if came["left_out"] else ""
    output.show(invocation, came, [*lines, total])
    return OK
