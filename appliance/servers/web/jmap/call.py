"""What a method of JMAP is, and what it gets: the contract between a batch and the methods."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

import msgspec

from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.received import Received
from appliance.operations.actor import Actor
from appliance.servers.web.api import Client
from appliance.servers.web.jmap.blobs import Blob, Uploads, open_blob
from appliance.store.reach import Reach
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx

CORE: Final = "urn:ietf:params:jmap:core"
MAIL: Final = "urn:ietf:params:jmap:mail"
SUBMISSION: Final = "urn:ietf:params:jmap:submission"
VACATION: Final = "urn:ietf:params:jmap:vacationresponse"
WEBSOCKET: Final = "urn:ietf:params:jmap:websocket"
VAPID: Final = "urn:ietf:params:jmap:webpush-vapid"
QUOTA: Final = "urn:ietf:params:jmap:quota"
BLOB: Final = "urn:ietf:params:jmap:blob"
MDN: Final = "urn:ietf:params:jmap:mdn"
#: Ours: what no standard has.
OWN: Final = "urn:moxpy:mail"
#: What there is in accounts of others; all else is personal.
SHARED: Final = frozenset({CORE, MAIL, BLOB})

#: Numbers as JavaScript has them (RFC 8620 §1.3).
MOST: Final = 2**53 - 1
Int = Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]
UnsignedInt = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class Wire(msgspec.Struct, kw_only=True, rename="camel"):
    """What travels between client and server."""


class Arguments(Wire, forbid_unknown_fields=True):
    """Of a method. One with a field `account_id` is called for that account, which is checked before."""


class AccountArguments(Arguments):
    """Of a method that is about an account."""

    account_id: str


@dataclass(slots=True)
class Call:
    """One call of a method, within a request."""

    app: Appliance
    actor: Actor
    log: Log
    config: Config
    client: Client
    #: Capabilities that the request uses.
    using: frozenset[str]
    #: Octets of the largest message that is taken.
    max_message_octets: int
    uploads: Uploads
    #: Ids of what the request has created so far, by creation id: of all its calls.
    created: dict[str, str] = field(default_factory=dict)
    #: Calls that follow from this one, which answer behind it under its id.
    followers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Names what the caller has logged in with (`operations.push`).
    credential: str = ""
    #: The token of the caller may not change anything.
    is_read_only: bool = False
    #: Makes the Received field of a message that is submitted by it.
    trace: Callable[[], Received] | None = None
    #: Whose data it is about where these are not the actor's; see `at`.
    owner: AccountID | None = None

    @property
    def account(self) -> AccountID:
        """Whose data it is about."""
        return self.actor.account if self.owner is None else self.owner

    @property
    def account_id(self) -> str:
        """And what JMAP calls that."""
        return account_id(self.account)

    def reach(self, tx: ReadTx) -> Reach:
        """What the actor sees of the account now; ask it for whatever is told of an account."""
        return Reach(tx, self.account, self.actor.account)

    def at(self, id: str) -> "Call | None":
        """The same call about an account: the actor's, or one that shares a mailbox with him; None for others."""
        if id == account_id(self.actor.account):
            return replace(self, owner=None)
        with self.app.store.read() as tx:
            reach = shared_account(tx, self.actor, id)
            if reach is None:
                return None
            is_read_only = self.is_read_only or not reach.may_change
        # Whatever is ours alone tells of an account as its owner sees it.
        return replace(self, owner=reach.account, using=self.using & SHARED, is_read_only=is_read_only)

    def resolve(self, id: str) -> str:
        """An id that may be `#` and a creation id of this request; one that nothing was created by stays as it is.

        So it names nothing, since no id of ours begins so (RFC 8620 §5.3).
        """
        return self.created.get(id[1:], id) if id.startswith("#") else id

    def open_blob(self, id: str) -> AbstractContextManager[Blob | None]:
        """A blob of the account, readable within the context; None when there is none."""
        return open_blob(self.app, self.actor, self.account, self.uploads, self.resolve(id))

    def follow(self, name: str, arguments: dict[str, Any]) -> None:
        """Call another method when this one is done; its response comes behind, with the same id (RFC 8620 §5.4)."""
        self.followers.append((name, arguments))


def account_id(account: AccountID) -> str:
    """What JMAP calls an account."""
    return f"A{account}"


_ACCOUNT: Final = re.compile("A([1-9][0-9]{0,9})")


def shared_account(tx: ReadTx, actor: Actor, id: str) -> Reach | None:
    """What the actor sees of another account, by its id in JMAP; None where that is nothing."""
    found = _ACCOUNT.fullmatch(id)
    if found is None or int(found[1]) > 0xFFFF_FFFF:
        return None
    reach = Reach(tx, AccountID(int(found[1])), actor.account)
    return reach if reach.is_shared else None


@dataclass(frozen=True, slots=True)
class Method:
    """A method, by its name in JMAP."""

    name: str
    #: The capability that must be used for it.
    capability: str
    #: The type of its arguments: an `Arguments`, but for Core/echo.
    arguments: Any
    #: Raises MethodError or Problem; SetError stays within, for one record.
    run: Callable[[Call, Any], Awaitable[msgspec.Struct | Mapping[str, Any]]]
    #: It changes something: not for those who may only read.
    changes: bool = False
    #: It may be called for an account of another, of which it tells and changes only what its `Call.reach` allows.
    shared: bool = False
