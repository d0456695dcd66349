"""Passkeys: challenges for browsers, and whether an answer is by one of an account's authenticators.

A passkey is bound to the host that it was made at, by the browser and again here, so no other site gets an answer that
is good for us. Each can be found by its authenticator without being named, so a login needs no list of them.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec.structs import replace

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.protocol.webauthn import ceremony
from appliance.protocol.webauthn.ceremony import NewCredential, Presence, WebAuthnError
from appliance.store import secondfactor
from appliance.store.records import Passkey
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx

log = Log("auth")

_CHANCE_OCTETS, _TIME_OCTETS, _SEAL_OCTETS = 16, 8, 32
_SECOND: Final = 1_000_000
_HANDLE: Final = b"moxpy"
_ACCOUNT_OCTETS: Final = 4
#: A name and, where it is not the usual one, a port.
_HOST: Final = re.compile(r"([a-z0-9_.-]{1,253})(:[0-9]{1,5})?")


class WrongPasskey(Problem):
    """An answer that is not good here, or not any more."""

    kind, status = Kind.NOT_AUTHENTICATED, Status(5, 7, 8)


class NoPasskeysHere(Problem):
    """Browsers have none for this address."""

    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Place:
    """Where a browser sees us."""

    #: As browsers say it: `https://mail.example:8443`.
    origin: str
    #: Its host, which passkeys are bound to.
    relying_party: str

    @staticmethod
    def of(host: str, *, secure: bool) -> "Place":
        """`host`: the Host field. Raises NoPasskeysHere."""
        match = _HOST.fullmatch(host.lower())
        name = match[1] if match else ""
        if not name or name.replace(".", "").isdecimal():
            raise NoPasskeysHere("passkeys work where this server has a name, not at an address")
        if not secure and name != "localhost" and not name.endswith(".localhost"):
            raise NoPasskeysHere("passkeys work with TLS only")
        return Place(f"{'https' if secure else 'http'}://{host.lower()}", name)


@dataclass(slots=True)
class Challenges:
    """Challenges of one application. Each says for whom and how long it is good, and has our seal.

    So asking for many costs no memory; what was answered is remembered as long as it would be good.
    """

    clock: Clock
    random: Random
    _key: bytes = b""
    _answered: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._key = self.random.token_bytes(_SEAL_OCTETS)

    def new(self, purpose: str) -> bytes:
        """One for a purpose, which names the login or session that it is for."""
        until = self.clock.microseconds() + limits.PASSKEY_SECONDS * _SECOND
        body = self.random.token_bytes(_CHANCE_OCTETS) + until.to_bytes(_TIME_OCTETS, "big")
        return body + self._seal(body, purpose)

    def require(self, challenge: bytes, purpose: str) -> None:
        """Raises WrongPasskey: it is not for this, too old, or was answered before."""
        body, seal = challenge[:-_SEAL_OCTETS], challenge[-_SEAL_OCTETS:]
        if len(body) != _CHANCE_OCTETS + _TIME_OCTETS or not hmac.compare_digest(seal, self._seal(body, purpose)):
            raise WrongPasskey("this passkey was asked for something else; try again")
        if int.from_bytes(body[_CHANCE_OCTETS:], "big") <= self.clock.microseconds() or challenge in self._answered:
            raise WrongPasskey("that took too long, or was done before; try again")

    def spend(self, challenge: bytes) -> None:
        """No second answer to this one counts. Raises WrongPasskey."""
        now = self.clock.microseconds()
        # In the order of their coming, so nearly in that of their ends.
        while self._answered and next(iter(self._answered.values())) <= now:
            del self._answered[next(iter(self._answered))]
        if challenge in self._answered or len(self._answered) >= limits.PASSKEY_ANSWERS:
            raise WrongPasskey("that was done before, or there are too many; try again")
        self._answered[challenge] = now + limits.PASSKEY_SECONDS * _SECOND

    def _seal(self, body: bytes, purpose: str) -> bytes:
        return hmac.digest(self._key, body + purpose.encode("utf-8", "surrogatepass"), "sha256")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for a passkey: what an answer is held against."""

    challenges: Challenges
    purpose: str
    place: Place

    def challenge_of(self, client_data: bytes, type: Literal["webauthn.create", "webauthn.get"]) -> bytes:
        """The challenge that was answered, a good one. Raises WrongPasskey."""
        try:
            challenge = ceremony.challenge_of(client_data, type, self.place.origin)
        except WebAuthnError as error:
            raise WrongPasskey(f"the passkey is not good here: {error}") from error
        self.challenges.require(challenge, self.purpose)
        return challenge


@dataclass(frozen=True, slots=True)
class Answer:
    """Of an authenticator that was asked for a passkey; all of it octets of strangers."""

    credential: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes
    #: What we called the account when the passkey was made.
    handle: bytes
    asked: Asked


def handle_of(account: AccountID) -> bytes:
    """How authenticators know an account (§5.4.3, user handle): nothing that says who it is."""
    return _HANDLE + account.to_bytes(_ACCOUNT_OCTETS, "big")


def account_of(handle: bytes) -> AccountID | None:
    """The account that a handle is of; there may be none any more."""
    if len(handle) != len(_HANDLE) + _ACCOUNT_OCTETS or not handle.startswith(_HANDLE):
        return None
    return AccountID(int.from_bytes(handle[len(_HANDLE) :], "big"))


def registered(asked: Asked, client_data: bytes, attestation: bytes) -> NewCredential:
    """A passkey that was just made; its challenge is spent. Raises WrongPasskey."""
    challenge = asked.challenge_of(client_data, "webauthn.create")
    try:
        new = ceremony.registration(attestation, asked.place.relying_party)
    except WebAuthnError as error:
        raise WrongPasskey(f"the passkey cannot be used: {error}") from error
    asked.challenges.spend(challenge)
    return new


def find(app: Appliance, account: AccountID, credential: bytes) -> Passkey | None:
    """A passkey of an account."""
    with app.store.read() as tx:
        return _among(secondfactor.get(tx, account).passkeys, credential)


def _among(passkeys: tuple[Passkey, ...], credential: bytes) -> Passkey | None:
    return next((one for one in passkeys if one.credential == credential), None)


async def use(app: Appliance, account: AccountID, answer: Answer) -> Presence:
    """An answer by a passkey of the account, which counts once. Raises WrongPasskey."""
    challenge = answer.asked.challenge_of(answer.client_data, "webauthn.get")
    passkey = find(app, account, answer.credential)
    if passkey is None or passkey.relying_party != answer.asked.place.relying_party:
        raise WrongPasskey("this passkey is not one of this account, or not any more")
    if answer.handle and answer.handle != handle_of(account):
        raise WrongPasskey("this passkey is of another account")
    try:
        presence = ceremony.assertion(
            passkey.public_key,
            passkey.algorithm,
            data=answer.authenticator_data,
            client_data=answer.client_data,
            signature=answer.signature,
            relying_party=passkey.relying_party,
        )
    except WebAuthnError as error:
        raise WrongPasskey(f"the passkey is not good here: {error}") from error
    answer.asked.challenges.spend(challenge)
    if not await app.store.write(_used, account, answer.credential, presence.count, app.clock.microseconds()):
        log.warn("the counter of a passkey went back: there may be a copy of it", account=account, passkey=passkey.name)
        raise WrongPasskey("this passkey has been used elsewhere since: there may be a copy of it")
    return presence


def _used(tx: WriteTx, account: AccountID, credential: bytes, count: int, now: int) -> bool:
    """Write down a use; False when the counter did not go on (§7.2 step 22), or the passkey is gone."""
    factor = secondfactor.get(tx, account)
    passkey = _among(factor.passkeys, credential)
    if passkey is None or ((count or passkey.count) and count <= passkey.count):
        return False
    used = replace(passkey, count=count, last_used=now)
    passkeys = tuple(used if one is passkey else one for one in factor.passkeys)
    secondfactor.put(tx, account, replace(factor, passkeys=passkeys))
    return True


def id_of(passkey: Passkey) -> str:
    """How a passkey is called in lists."""
    return hashlib.sha256(passkey.credential).hexdigest()[:16]
