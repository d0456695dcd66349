"""Commands about stored data: verifydata, gentestdata."""

from pathlib import Path

from appliance.cli import output
from appliance.cli.main import FAILED, OK, Failed, Invocation


def verifydata(invocation: Invocation) -> int:
    """Check every invariant of a data folder; a running server is not disturbed."""
    from appliance.store import store
    from appliance.store.problems import NewerSchema, StoreFailed

    folder = Path(invocation.arguments[0])
    try:
        problems = store.verify_folder(folder)
    except (StoreFailed, NewerSchema) as error:
        raise Failed(str(error)) from error
    lines = [*problems, f"{folder}: {f'{len(problems)} problems' if problems else 'OK'}"]
    output.show(invocation, {"folder": str(folder), "ok": not problems, "problems": problems}, lines)
    return FAILED if problems else OK


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
