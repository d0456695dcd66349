"""What the tables of webhooks hold: msgpack arrays, as in `records`. Times are microseconds since 1970."""

from typing import Final

import msgspec

from appliance.store.tables import AccountID, HookID, QueueID

#: The event of a message that came in; all others are of messages that were sent.
INCOMING: Final = "incoming"


class HookAttempt(msgspec.Struct, array_like=True, frozen=True):
    """One POST, or what an operator did instead."""

    start: int
    #: Microseconds.
    duration: int = 0
    url: str = ""
    success: bool = False
    #: Status code, 0 where there was no response.
    code: int = 0
    error: str = ""
    #: The beginning of the response's body.
    response: str = ""


class Hook(msgspec.Struct, array_like=True):
    """A webhook that waits to be posted. Where it goes is what the configuration said when it was queued."""

    id: HookID
    account: AccountID
    #: `incoming`, or what became of a message that was sent.
    event: str
    url: str
    #: Value of the field Authorization, and the key that requests are signed with; empty without.
    authorization: str = ""
    secret: str = ""
    submitted: int = 0
    next_attempt: int = 0
    #: The message that was sent; 0 for one that came in.
    queued: QueueID = QueueID(0)
    from_id: str = ""
    #: With brackets.
    message_id: str = ""
    subject: str = ""
    extra: dict[str, str] = {}
    attempts: int = 0
    results: tuple[HookAttempt, ...] = ()
    #: By what id receivers know it: that of the hook it replays; 0 for its own.
    original: HookID = HookID(0)

    @property
    def public_id(self) -> HookID:
        """The id that receivers are told, the same for a hook and its replays."""
        return self.original or self.id


class RetiredHook(msgspec.Struct, array_like=True):
    """What is remembered of a webhook that was posted, given up, superseded or canceled."""

    id: HookID
    account: AccountID
    event: str
    url: str
    has_authorization: bool
    is_signed: bool
    submitted: int
    success: bool
    last_activity: int
    keep_until: int
    #: The later hook about the same message that took its place; 0: none.
    superseded_by: HookID = HookID(0)
    queued: QueueID = QueueID(0)
    from_id: str = ""
    message_id: str = ""
    subject: str = ""
    extra: dict[str, str] = {}
    attempts: int = 0
    results: tuple[HookAttempt, ...] = ()
    original: HookID = HookID(0)

    @property
    def public_id(self) -> HookID:
        """The id that receivers were told."""
        return self.original or self.id
