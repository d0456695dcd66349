"""Attempts to log in, written down in the background: a login never waits for the disk.

Those that differ only in their moment are counted together, here while they wait and in the store for good.
"""

from typing import Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.base.problem import Problem
from appliance.delivery.appliance import Appliance
from appliance.operations.accounts import number
from appliance.store import account as accounts, attempts
from appliance.store.records import LoginAttempt
from appliance.store.store import Store
from appliance.store.tables import NOBODY, AccountID
from appliance.store.transaction import WriteTx

log = Log("auth")

dropped = Counter("login_attempts_dropped_total", "Login attempts not kept because too many waited.")

#: How long attempts gather before they are written together, and how many one transaction takes.
_GATHER_SECONDS: Final = 1.0
_BATCH: Final = 200
#: Old ones are looked for so often; so many are removed by one transaction.
_SWEEP_SECONDS: Final = 3600.0
_SWEPT: Final = 500
#: How exactly the last use of an app password is known.
_USED_MICROSECONDS: Final = 3600 * 1_000_000

_Key = tuple[AccountID, bytes]


class Book:
    """What waits to be written down. `keep` is its task."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[_Key, LoginAttempt] = {}
        self._used: dict[tuple[AccountID, int], int] = {}
        self._news = trio.Event()

    def note(self, account: AccountID, attempt: LoginAttempt, *, app_password: int | None = None) -> None:
        """Write it down soon; never waits. `app_password`: the number of the one that was used."""
        key = account, attempts.identity(attempt)
        present = self._waiting.get(key)
        if present is not None:
            self._waiting[key] = msgspec.structs.replace(present, last=attempt.last, count=present.count + 1)
        elif len(self._waiting) < limits.LOGINS_WAITING:
            self._waiting[key] = attempt
        else:
            dropped.inc()
        if app_password is not None and len(self._used) < limits.LOGINS_WAITING:
            self._used[account, app_password] = attempt.last
        self._news.set()

    async def keep(self) -> None:
        """Keeper task: writes what was noted, removes what is old; at its end it writes the rest."""
        try:
            next_sweep = trio.current_time()
            while True:
                with trio.move_on_at(next_sweep):
                    await self._news.wait()
                    await trio.sleep(_GATHER_SECONDS)
                await self.write()
                if trio.current_time() >= next_sweep:
                    next_sweep = trio.current_time() + _SWEEP_SECONDS
                    await self._forget()
        finally:
            with trio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Write what was noted until now. A full disk loses it: that must not end logins."""
        self._news = trio.Event()
        waiting, self._waiting = list(self._waiting.items()), {}
        used, self._used = list(self._used.items()), {}
        try:
            for at in range(0, len(waiting), _BATCH):
                await self._store.write(_write, waiting[at : at + _BATCH])
            if used:
                await self._store.write(_write_used, used)
        except Problem as problem:
            log.error("login attempts could not be written", problem, count=len(waiting))

    async def _forget(self) -> None:
        before = self._clock.microseconds() - limits.LOGIN_DAYS * 24 * 3600 * 1_000_000
        while not await self._store.write(attempts.forget_before, before, _SWEPT):
            pass


def _write(tx: WriteTx, noted: list[tuple[_Key, LoginAttempt]]) -> None:
    for (account, _), attempt in noted:
        attempts.note(tx, account, attempt, most_failed=limits.FAILED_LOGINS_KEPT)


def _write_used(tx: WriteTx, used: list[tuple[tuple[AccountID, int], int]]) -> None:
    present: dict[AccountID, dict[int, int]] = {}
    for (account, password), moment in used:
        if account not in present:
            present[account] = {one: kept.last_used for one, kept in accounts.app_passwords(tx, account)}
        if moment - present[account].get(password, moment) >= _USED_MICROSECONDS:
            accounts.app_password_used(tx, account, password, moment)


async def all_of(app: Appliance, name: str | None, most: int) -> list[tuple[str, LoginAttempt]]:
    """The last attempts on a named account, or on all and on those that do not exist (`-`), newest first.

    Raises NoSuchAccount.
    """

    def read() -> list[tuple[str, LoginAttempt]]:
        with app.store.read() as tx:
            names = {"-": NOBODY, **accounts.names(tx)} if name is None else {name: wanted}
            found = [(one, attempt) for one, account in names.items() for attempt in attempts.attempts(tx, account)]
        return sorted(found, key=lambda one: one[1].last, reverse=True)[:most]

    wanted = NOBODY if name is None or name == "-" else number(app.store, name)
    return await trio.to_thread.run_sync(read)
