"""What all SASL exchanges share: challenges out, responses in, at the end a claim or a proof (RFC 4422).

An exchange is a generator. It yields a `Challenge`, and is sent the client's response to it; or `ScramWanted` or
`CramWanted`, and is sent the secrets of that user. What it returns is a claim still to be checked, or a proof. It knows
nothing of accounts, chance or TLS: all that comes in as arguments. Who drives it throws a SASLError into it when the
client has no response to give.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum

from appliance.mail.nfc import nfc


class Fault(Enum):
    """What a client did wrong; doors have their words for each."""

    #: The client gave up with `*` (RFC 4422 §3.5).
    ABORTED = "aborted"
    #: A response is not base64.
    ENCODING = "encoding"
    MALFORMED = "malformed"
    #: Acting for another than the one who authenticates.
    AUTHORIZATION = "authorization"
    #: SCRAM's first message is malformed, or asks for a channel binding that cannot be.
    FIRST_MESSAGE = "first message"
    #: SCRAM's final message is malformed.
    FINAL_MESSAGE = "final message"
    #: The client knows the secret and sees another TLS channel than we do: somebody may be in the middle.
    BINDING = "binding"
    #: The secret is not the right one.
    WRONG = "wrong"


class SASLError(Exception):
    """The client broke the exchange: an authentication failure, never an error of ours."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Challenge:
    """To be sent to the client."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class ScramWanted:
    """The SCRAM secrets of a user are needed to go on; the answer is `ScramSecrets`."""

    username: str


@dataclass(frozen=True, slots=True)
class CramWanted:
    """The CRAM-MD5 secrets of a user are needed to go on; the answer is `CramSecrets`."""

    username: str


@dataclass(frozen=True, slots=True)
class ScramSecrets:
    """The passwords a user may have, all derived with one salt, since the client is told only one."""

    salt: bytes
    iterations: int
    #: StoredKey and ServerKey of each (RFC 5802 §3). Never empty: who does not exist has keys nobody knows.
    keys: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class CramSecrets:
    """The passwords a user may have: MD5 states after the inner and the outer pad of each. Never empty."""

    states: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class PasswordCredentials:
    """A claim with a password. Never log it."""

    authentication: str
    password: str

    def __repr__(self) -> str:
        return f"PasswordCredentials({self.authentication!r})"


@dataclass(frozen=True, slots=True)
class Proven:
    """The client knows one of the user's passwords: `candidate` is its place among the secrets that were given."""

    authentication: str
    candidate: int


@dataclass(frozen=True, slots=True)
class ExternalClaim:
    """The client wants to be who its TLS certificate says; perhaps under this address, empty for none."""

    authorization: str


Step = Challenge | ScramWanted | CramWanted
Answer = bytes | ScramSecrets | CramSecrets
Outcome = PasswordCredentials | Proven | ExternalClaim
Exchange = Generator[Step, Answer, Outcome]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an exchange needs of the world."""

    #: Fresh and unguessable, in characters that SCRAM allows in a nonce (RFC 5802 §7 `c-nonce`).
    nonce: str
    #: Fresh, for CRAM-MD5: `<random.time@host>` (RFC 2195 §2).
    challenge: str
    #: Data of a channel binding type, None when this connection cannot have it.
    binding: Callable[[str], bytes | None]
    #: Mechanisms with channel binding were offered on this connection.
    offered_binding: bool


def ask(octets: bytes) -> Generator[Step, Answer, bytes]:
    """Challenge the client; its response."""
    answer = yield Challenge(octets)
    assert isinstance(answer, bytes)
    return answer


def text(octets: bytes) -> str:
    """UTF-8 text. Raises SASLError."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SASLError(Fault.MALFORMED, "not UTF-8") from error


def username(octets: bytes) -> str:
    """The name of a user in NFC: a client that sends `e` and an accent apart means the same person."""
    return nfc(text(octets))
