"""The data without a server: held, as a server holds it, so that none begins meanwhile, nor another such command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.cli.configuration import load_config, load_source
from appliance.cli.main import Failed, Invocation

if TYPE_CHECKING:
    from appliance.delivery.appliance import Appliance
    from appliance.store.store import Store


class Held(Failed):
    """A server, or another command, has the data."""


def data_directory(invocation: Invocation) -> Path:
    """That of the configuration."""
    return load_config(invocation).data_directory


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Raises Held, Failed."""
    from appliance.serve import AlreadyRunning, lock_data

    if not (folder / "store" / "data.mdb").exists():
        raise Failed(f"there is no store in {folder}")
    try:
        lock = lock_data(folder)
    except (AlreadyRunning, PermissionError) as error:
        raise Held(str(error)) from error
    with lock:
        yield


@contextmanager
def store(folder: Path) -> Iterator["Store"]:
    """The store of a data folder; one of an older version is upgraded. Raises Held, Failed."""
    from appliance.base.clock import SystemClock
    from appliance.base.problem import Problem
    from appliance.store.defaults import STORE
    from appliance.store.problems import NewerSchema, StoreFailed
    from appliance.store.store import Store

    with _lock(folder):
        try:
            opened = Store(folder, clock=SystemClock(), limits=STORE)
            try:
                opened.sweep()
                yield opened
            finally:
                opened.close()
        except (StoreFailed, NewerSchema, Problem) as problem:
            raise Failed(str(problem)) from problem


@contextmanager
def house(invocation: Invocation) -> Iterator["Appliance"]:
    """A house without doors: nobody gets in, and nothing leaves. Raises Held, Failed."""
    from appliance.base.problem import Problem
    from appliance.net.shutdown import Shutdown
    from appliance.serve import Parts, assemble
    from appliance.store.problems import NewerSchema, StoreFailed

    source = load_source(invocation)
    with _lock(source.snapshot().data_directory):
        try:
            app = assemble(source, Parts(authorities=None), Shutdown())
            try:
                yield app
            finally:
                app.store.close()
        except (StoreFailed, NewerSchema, Problem) as problem:
            raise Failed(str(problem)) from problem
