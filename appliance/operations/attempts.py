"""Attempts to log in, written down in the background: a login never waits for the disk."""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Final

import trio

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.base.problem import Problem
from appliance.delivery.appliance import Appliance
from appliance.operations.accounts import number
from appliance.store import account as accounts, ledger
from appliance.store.attempts import ATTEMPTS
from appliance.store.records import LoginAttempt
from appliance.store.store import Store
from appliance.store.tables import NOBODY, AccountID
from appliance.store.transaction import WriteTx

log = Log("auth")

dropped = Counter("login_attempts_dropped_total", "Login attempts not kept because too many waited.")

#: How exactly the last use of an app password is known.
_USED_MICROSECONDS: Final = 3600 * 1_000_000


class Book(ledger.Book[LoginAttempt]):
    """Attempts, and when app passwords were used, that wait to be written down."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock, ATTEMPTS, log, waiting=limits.LOGINS_WAITING)
        self._used: dict[tuple[AccountID, int], int] = {}

    def note(self, account: AccountID, attempt: LoginAttempt, *, app_password: int | None = None) -> None:
        """Write it down soon; never waits. `app_password`: the number of the one that was used."""
        if not self.take(account, attempt):
            dropped.inc()
        if app_password is not None and len(self._used) < limits.LOGINS_WAITING:
            self._used[account, app_password] = attempt.last

    async def write(self) -> None:
        """Write what was noted until now. A full disk loses it: that must not end logins."""
        used, self._used = list(self._used.items()), {}
        await super().write()
        try:
            if used:
                await self._store.write(_write_used, used)
        except Problem as problem:
            log.error("uses of app passwords could not be written", problem, count=len(used))


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

            def of(one: str, account: AccountID, lane: bool) -> Iterator[tuple[str, LoginAttempt]]:
                return ((one, attempt) for attempt in ATTEMPTS.newest(tx, account, lane))

            lanes = [of(one, account, lane) for one, account in names.items() for lane in (False, True)]
            return list(islice(merge(*lanes, key=lambda one: one[1].last, reverse=True), most))

    wanted = NOBODY if name is None or name == "-" else number(app.store, name)
    return await trio.to_thread.run_sync(read)
