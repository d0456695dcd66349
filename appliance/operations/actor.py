"""Who asks: the account behind a login, and what it may do."""

import enum
from dataclasses import dataclass
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.store.tables import AccountID


class Right(enum.Flag):
    """What an actor may do."""

    READ_MAIL = enum.auto()
    CHANGE_MAIL = enum.auto()
    SUBMIT = enum.auto()
    #: The list of addresses that are not written to any more.
    SUPPRESS = enum.auto()
    CHANGE_ACCOUNT = enum.auto()
    SET_QUOTA = enum.auto()


#: What a login with the account's own credentials may do.
OWNER = Right.READ_MAIL | Right.CHANGE_MAIL | Right.SUBMIT | Right.SUPPRESS | Right.CHANGE_ACCOUNT

#: What the operator may do in the account's place: limits are not for their owner to lift.
OPERATOR = OWNER | Right.SET_QUOTA

#: What a login with an app password may do: a lost device cannot lock its owner out.
DEVICE = Right.READ_MAIL | Right.CHANGE_MAIL | Right.SUBMIT | Right.SUPPRESS
#: What an app password for the webapi that is limited to one purpose may do, by the word for it.
SCOPES: Final = {"send": Right.SUBMIT, "suppression": Right.SUPPRESS}


class NotAllowed(Problem):
    """The actor lacks the right."""

    kind, status = Kind.FORBIDDEN, Status(5, 7, 1)


@dataclass(frozen=True, slots=True)
class Actor:
    """An account that has logged in."""

    account: AccountID
    name: str
    #: The address it logged in with.
    login_address: str
    rights: Right = OWNER
    #: The number of the app password it logged in with; None for any other login.
    app_password: int | None = None
    #: The fingerprint of the TLS client's key that it logged in with; None for any other login.
    key: bytes | None = None
    #: The digest of the token of the web session it is of; None for any other login.
    web_session: bytes | None = None

    def require(self, right: Right) -> None:
        """Raises NotAllowed."""
        if right not in self.rights:
            raise NotAllowed("not allowed")
