"""A call as its method sees it, what methods answer, and the codes of errors."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.operations import compose, submit, suppressing
from appliance.operations.actor import Actor, Right
from appliance.servers.web.webapi.decoding import BadRequest
from appliance.servers.web.webapi.forms import FormFile
from appliance.servers.web.webapi.types import Shape
from appliance.store.problems import NoSuchMessage
from appliance.store.spool import Scratch
from appliance.store.suppression import NotSuppressed, Suppressed


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, and where."""

    app: Appliance
    config: Config
    actor: Actor
    log: Log
    #: The Received field of what is sent by it.
    trace: Received
    #: Of a message that is composed.
    max_message_octets: int
    #: Files that came beside the request, and where their octets are.
    files: list[FormFile]
    scratch: Scratch


@dataclass(frozen=True, slots=True)
class Octets:
    """An answer that is not JSON."""

    media_type: str
    pieces: Iterator[bytes]
    #: To be called when all is sent, or will not be.
    done: Callable[[], None]
    #: None where only sending it would tell.
    size: int | None = None
    #: Making a piece may take a while.
    in_thread: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A method: all that its page, its description and its call need."""

    name: str
    about: str
    request: type[Shape]
    #: None: octets.
    response: type[Shape] | None
    right: Right
    call: Callable[[Call, Any], Awaitable[Shape | Octets]]
    #: Examples for its page: objects to be shown as JSON.
    example: Any = field(default_factory=dict)
    example_response: Any = field(default_factory=dict)


class Failed(Problem):
    """A call that came to nothing for a reason with a code of its own."""

    kind, status = Kind.INVALID, Status(5, 0, 0)

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


#: All codes there are.
CODES: Final = frozenset(
    "user server error protocol badAddress missingBody multipleFrom badFrom domainDisabled noRecipients "
    "messageLimitReached recipientLimitReached messageTooLarge malformedMessageID sentOverQuota messageNotFound "
    "partNotFound".split()
)
_OF_PROBLEM: Final[dict[type[Problem], str]] = {
    BadRequest: "protocol",
    compose.BadMessageID: "malformedMessageID",
    compose.LetterTooLarge: "messageTooLarge",
    NoSuchMessage: "messageNotFound",
    NotSuppressed: "error",
    Suppressed: "error",
    submit.NotYourAddress: "badFrom",
    submit.SenderDisabled: "domainDisabled",
    submit.TooManyMessages: "messageLimitReached",
    submit.TooManyNewRecipients: "recipientLimitReached",
    suppressing.BadAddress: "badAddress",
}
_OF_KIND: Final[dict[Kind, str]] = dict.fromkeys(Kind, "user") | {Kind.UNAVAILABLE: "server"}


def code_of(problem: Problem) -> str:
    """The code of a problem."""
    if isinstance(problem, Failed):
        return problem.code
    return _OF_PROBLEM.get(type(problem)) or _OF_KIND[problem.kind]
