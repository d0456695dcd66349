"""How long reports are kept, and what we owe to others: a keeper that forgets what is old, once in an hour."""

from typing import Final

import trio

from appliance.base.clock import Clock
from appliance.base.limits import EVALUATION_HOURS, REPORT_DAYS, TLS_RESULT_HOURS
from appliance.base.log import Log
from appliance.base.problem import Problem
from appliance.store import evaluation, report, tlsresult
from appliance.store.store import Store

log = Log("reports")

_SWEEP_SECONDS: Final = 3600.0
#: Removed in one transaction: a report may be of a megabyte.
_SWEPT: Final = 20
#: Evaluations are small: some ten microseconds each.
_EVALUATIONS_SWEPT: Final = 300
_HOUR: Final = 3600 * 1_000_000


async def keep(store: Store, clock: Clock) -> None:
    """Forget old reports and evaluations, now and for ever. A full disk leaves them to the next time."""
    while True:
        try:
            await sweep(store, clock.microseconds())
        except Problem as problem:
            log.error("old reports could not be removed", problem)
        await trio.sleep(_SWEEP_SECONDS)


async def sweep(store: Store, now: int) -> None:
    """Forget what is too old; `now` in microseconds since 1970."""
    while not await store.write(report.forget_before, now - REPORT_DAYS * 24 * _HOUR, _SWEPT):
        pass
    # An hour more than the look back: what a report tells must not go while it is made.
    while not await store.write(evaluation.forget_before, now - (EVALUATION_HOURS + 1) * _HOUR, _EVALUATIONS_SWEPT):
        pass
    while not await store.write(tlsresult.forget_before, (now - TLS_RESULT_HOURS * _HOUR) // (24 * _HOUR), _SWEPT):
        pass
    while not await store.write(evaluation.forget_ended, _EVALUATIONS_SWEPT):
        pass
