"""What a method of JMAP is, and what it gets: the contract between a batch and the methods."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from appliance.base.log import Log
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.received import Received
from appliance.operations.actor import Actor
from appliance.servers.web.api import Client
from appliance.servers.web.jmap.blobs import Blob, Uploads, open_blob
from appliance.store.tables import AccountID

CORE: Final = "urn:ietf:params:jmap:core"
MAIL: Final = "urn:ietf:params:jmap:mail"
SUBMISSION: Final = "urn:ietf:params:jmap:submission"
VACATION: Final = "urn:ietf:params:jmap:vacationresponse"
WEBSOCKET: Final = "urn:ietf:params:jmap:websocket"
VAPID: Final = "urn:ietf:params:jmap:webpush-vapid"
QUOTA: Final = "urn:ietf:params:jmap:quota"
BLOB: Final = "urn:ietf:params:jmap:blob"
#: Ours: what no standard has.
OWN: Final = "urn:moxpy:mail"

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

    @property
    def account(self) -> AccountID:
        """Whose data it is about."""
        return self.actor.account

    @property
    def account_id(self) -> str:
        """And what JMAP calls that."""
        return account_id(self.actor.account)

    def resolve(self, id: str) -> str:
        """An id that may be `#` and a creation id of this request; one that nothing was created by stays as it is.

        So it names nothing, since no id of ours begins so (RFC 8620 §5.3).
        """
        return self.created.get(id[1:], id) if id.startswith("#") else id

    def open_blob(self, id: str) -> AbstractContextManager[Blob | None]:
        """A blob of the account, readable within the context; None when there is none."""
        return open_blob(self.app, self.account, self.uploads, self.resolve(id))

    def follow(self, name: str, arguments: dict[str, Any]) -> None:
        """Call another method when this one is done; its response comes behind, with the same id (RFC 8620 §5.4)."""
        self.followers.append((name, arguments))


def account_id(account: AccountID) -> str:
    """What JMAP calls an account."""
    return f"A{account}"


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
