"""Commands about backups: backup, restore."""

from pathlib import Path
from typing import Any

from appliance.cli import output, remote
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError


def backup(invocation: Invocation) -> int:
    """Make one through the running server; silent when all is well."""
    keep = invocation.text("keep")
    if keep is not None and not (keep.isascii() and keep.isdigit() and 0 < int(keep[:9]) < 100_000):
        raise UsageError("--keep takes how many backups to keep, at least 1")
    made: dict[str, Any] = remote.call(
        invocation,
        "backup",
        each=print if invocation.given("verbose") else None,
        target=str(Path(invocation.arguments[0]).absolute()),
        verbose=invocation.given("verbose"),
        compact=invocation.given("compact"),
        keep=None if keep is None else int(keep),
    )
    if invocation.given("json"):
        output.print_json(made)
    elif invocation.given("verbose"):
        for path in made["removed"]:
            print(f"removed {path}")
        print(f"{made['path']}: {made['octets'] / 1e6:.1f} MB")
    if made["missing"]:
        raise Failed(f"the backup is incomplete: {len(made['missing'])} files or folders could not be read")
    if made["command_problem"]:
        raise Failed(f"the backup is made, and backup_command failed: {made['command_problem']}")
    return OK


def restore(invocation: Invocation) -> int:
    """Check a backup; unless it is a rehearsal, put it in place."""
    from appliance.base.clock import SystemClock
    from appliance.operations import restoring
    from appliance.operations.restoring import NotRestored
    from appliance.store.problems import NewerSchema, StoreFailed

    folder = Path(invocation.arguments[0]).absolute()
    try:
        if invocation.given("rehearse"):
            problems = restoring.rehearse(folder, print)
        else:
            where = restoring.places(folder, invocation.config_path)
            problems = restoring.restore(folder, where, SystemClock(), print)
    except (NotRestored, NewerSchema, StoreFailed) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}; nothing was put in place") from error
    for problem in problems:
        print(problem)
    print(f"{folder}: {f'{len(problems)} problems' if problems else 'OK'}")
    return FAILED if problems else OK
