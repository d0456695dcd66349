"""Attempts to log in, as accounts and operators look at them. What failed cannot push out what did not."""

from typing import Final

import msgspec

from appliance.base import limits
from appliance.store.ledger import Ledger
from appliance.store.records import LoginAttempt
from appliance.store.tables import Table


def is_failed(attempt: LoginAttempt) -> bool:
    """Whether it came to nothing."""
    return attempt.result != "ok"


ATTEMPTS: Final = Ledger(
    Table.LOGIN_ATTEMPT,
    Table.LOGIN_ATTEMPT_TIME,
    LoginAttempt,
    same=lambda one: msgspec.structs.replace(one, first=0, last=0, count=0),
    most=lambda _: limits.LOGINS_KEPT,
    days=limits.LOGIN_DAYS,
    lane=is_failed,
)
