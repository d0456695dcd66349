"""Commands that run the server: serve, localserve."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio

from appliance.base import limits, log
from appliance.cli.configuration import load_source
from appliance.cli.main import OK, Failed, Invocation, UsageError
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance


def _configure_log(invocation: Invocation, level: str, packages: Mapping[str, str]) -> None:
    chosen = invocation.text("loglevel") or level
    if chosen not in log.LEVELS:
        raise UsageError(f"unknown log level {chosen!r}; there are: {', '.join(log.LEVELS)}")
    log.configure(chosen, packages, as_json=invocation.given("logjson"), with_time=invocation.given("logtime"))


def _run(invocation: Invocation, source: ConfigSource, parts: object, introduction: list[str]) -> int:
    from appliance import serve

    result: dict[str, Appliance] = {}

    def ready(app: Appliance) -> None:
        result["app"] = app
        for line in introduction:
            print(line, file=sys.stderr)
        sys.stderr.flush()

    try:
        trio.run(partial(serve.serve, source, parts, ready=ready))  # type: ignore[arg-type]
    except* (OSError, serve.AlreadyRunning) as group:
        raise Failed(str(_first(group))) from None
    if invocation.given("checkconsistency"):
        _check(source.snapshot().data_directory)
    app = result.get("app")
    return app.shutdown.exit_code if app is not None else OK


def _check(folder: Path) -> None:
    """Raises Failed."""
    from appliance.store import store

    if problems := store.verify_folder(folder):
        raise Failed("the stored data is not in order:\n" + "\n".join(problems))


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def serve(invocation: Invocation) -> int:
    """Run the server of a configuration."""
    from appliance.serve import Parts

    source = load_source(invocation)
    static = source.snapshot().static
    _configure_log(
        invocation, static.log_level, {name: str(level) for name, level in static.package_log_levels.items()}
    )
    return _run(invocation, source, Parts(), [])


def localserve(invocation: Invocation) -> int:
    """Run the server for tests, making its folder first when there is none."""
    from appliance import localserve as local

    keep = invocation.text("keep") or str(limits.INBOX_KEPT)
    if not keep.isdecimal() or len(keep) > 9:
        raise UsageError("--keep must be a number of messages")
    given = invocation.text("dir")
    folder = Path(given) if given else local.default_folder()
    ip = invocation.text("ip")
    new = not (folder / "moxpy.toml").exists()
    if ip and not new:
        raise UsageError(f"--ip is for a new folder; edit ips in {folder / 'moxpy.toml'} instead")
    if new:
        log.configure("info")
        try:
            local.create(folder, (ip,) if ip else local.LOOPBACK)
        except (local.NotEmpty, OSError) as error:
            raise Failed(str(error)) from error
    source = load_source(invocation, folder / "moxpy.toml", hint="remove the folder to begin anew")
    static = source.snapshot().static
    _configure_log(
        invocation, static.log_level, {name: str(level) for name, level in static.package_log_levels.items()}
    )
    _prepare(source, local.ACCOUNT, local.PASSWORD)
    if invocation.given("initonly"):
        print(f"configuration and account are in {folder.resolve()}", file=sys.stderr)
        return OK
    return _run(invocation, source, local.parts(int(keep)), local.introduction(source, folder.resolve(), new=new))


def _prepare(source: ConfigSource, account: str, password: str) -> None:
    """Store the test account with its password, unless it has one."""
    from appliance.base.clock import SystemClock
    from appliance.operations import accounts, passwords
    from appliance.serve import AlreadyRunning, lock_data
    from appliance.store import account as stored
    from appliance.store.defaults import STORE
    from appliance.store.store import Store

    config = source.snapshot()
    try:
        lock = lock_data(config.data_directory)
    except AlreadyRunning as error:
        raise Failed(str(error)) from error
    with lock:
        store = Store(config.data_directory, clock=SystemClock(), limits=STORE)
        try:
            accounts.create_missing(store, config)
            with store.read() as tx:
                number = tx.account_id(account)
                has_password = number is not None and stored.credentials(tx, number) is not None
            if not has_password:
                secrets = passwords.derive_credentials(password, SystemClock().microseconds())
                accounts.set_password_sync(store, account, secrets)
        finally:
            store.close()
