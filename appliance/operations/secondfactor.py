"""Second factors for logins in browsers: passkeys, and codes of a program that shares a secret and knows the time.

Whoever loses both has recovery codes, each good for once. What is wrong is counted for each account: whoever gets so
far knows the password already. Mail programs cannot ask for any of it: they go on with the account's password, unless
it is said to be for browsers alone, and need app passwords then. Codes of programs are those of RFC 6238.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import passkeys
from appliance.operations.login import LoginFailed, Why
from appliance.operations.passkeys import Answer, Asked, WrongPasskey
from appliance.store import secondfactor
from appliance.store.records import Passkey, SecondFactor
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx

#: RFC 6238 §4.1 and §5.2; RFC 4226 §5.3 and §4 (R6: 160 bits). What all programs know.
STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_OCTETS: Final = 20
#: Steps before and after that are taken, too: clocks differ, and people are slow (RFC 6238 §5.2).
_STEPS_AROUND: Final = 1
RECOVERY_CODES: Final = 10
#: As in app passwords; 12 of 23 letters are 54 bits, and guesses are counted.
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP_LETTERS = 3, 4
_CODE_CHARACTERS: Final = 100
_HOUR_MICROSECONDS: Final = 3600 * 1_000_000


class WrongCode(Problem):
    """Not a code of the second factor, or one that was used before."""

    kind, status = Kind.NOT_AUTHENTICATED, Status(5, 7, 8)


class BadPasskey(Problem):
    """A passkey that cannot be kept, or is not there."""

    kind = Kind.INVALID


class NoSecondFactor(Problem):
    """There is none, or one already."""

    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Offer:
    """A secret to put into a program that makes codes. Never log it."""

    #: Base32, as people type it.
    secret: str
    #: As such programs read it from a picture (Key Uri Format).
    uri: str

    def __repr__(self) -> str:
        return "Offer()"


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a browser brings when a passkey was made, and what its owner calls it."""

    name: str
    client_data: bytes
    attestation: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows beside a password: one of these, or nothing yet."""

    #: Of a program, or for recovery. Never log it.
    code: str = field(default="", repr=False)
    passkey: Answer | None = None


def hotp(secret: bytes, counter: int) -> str:
    """The code of a counter (RFC 4226 §5.3)."""
    mac = hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: bytes, code: str, seconds: float, after: int) -> int | None:
    """The time step of a code that is good now and newer than step `after`; None when there is none."""
    now = int(seconds) // STEP_SECONDS
    found = None
    for step in range(max(0, now - _STEPS_AROUND), now + _STEPS_AROUND + 1):
        if hmac.compare_digest(hotp(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def get(app: Appliance, account: AccountID) -> SecondFactor:
    """What an account has; NOBODY is the administrator."""
    with app.store.read() as tx:
        return secondfactor.get(tx, account)


def offer(app: Appliance, who: str) -> Offer:
    """A new secret. It is nothing until it is confirmed. `who`: as the program shows it."""
    secret = base64.b32encode(app.random.token_bytes(SECRET_OCTETS)).decode()
    issuer = app.config.snapshot().static.hostname.domain.unicode
    label = f"{quote(issuer, safe='')}:{quote(who, safe='')}"
    return Offer(secret, f"otpauth://totp/{label}?secret={secret}&issuer={quote(issuer, safe='')}")


async def confirm(
    app: Appliance, account: AccountID, secret: str, code: str, passkey: Answer | None = None
) -> list[str]:
    """Begin to ask for codes of an offered secret, which `code` shows to work; the recovery codes, shown once.

    They take the place of earlier ones. Where there are passkeys, it takes one. Raises WrongCode, WrongPasskey,
    NoSecondFactor, NoSuchAccount.
    """
    try:
        octets = base64.b32decode(secret.replace(" ", "").upper())
    except (binascii.Error, ValueError) as error:
        raise WrongCode("the secret is not one that was offered") from error
    if len(octets) != SECRET_OCTETS:
        raise WrongCode("the secret is not one that was offered")
    now = app.clock.microseconds()
    step = step_of(octets, _plain(code), now / 1e6, 0)
    if step is None:
        raise WrongCode("the code is wrong: is the clock of the device right?")
    if get(app, account).passkeys:
        await check(app, account, Proof(passkey=passkey))
    codes = _new_codes()

    def write(tx: WriteTx) -> None:
        present = secondfactor.get(tx, account)
        if present.secret:
            raise NoSecondFactor("there is a second factor already; remove it first")
        digests = tuple(map(_digest, codes))
        new = replace(present, secret=octets, created=now, last_step=step, recovery=digests, wrong=0, wrong_since=0)
        secondfactor.put(tx, account, new)

    await app.store.write(write)
    return codes


async def require(app: Appliance, account: AccountID, proof: Proof) -> None:
    """For a login with the right password: more, where there is a second factor. Raises LoginFailed."""
    factor = get(app, account)
    if not factor.is_wanted:
        return
    if proof.passkey is not None:
        try:
            await passkeys.use(app, account, proof.passkey)
        except WrongPasskey as problem:
            raise LoginFailed(Why.WRONG_CODE, str(problem)) from problem
        return
    if not proof.code.strip():
        raise LoginFailed(Why.CODE_WANTED, "" if factor.secret else "a passkey is needed, too, or a recovery code")
    match await app.store.write(_use, account, proof.code, app.clock.microseconds()):
        case None:
            raise LoginFailed(Why.TOO_MANY_CODES)
        case False:
            raise LoginFailed(Why.WRONG_CODE)


async def require_verified(app: Appliance, account: AccountID, answer: Answer) -> None:
    """For a login without a password: a passkey that made sure who uses it. Raises LoginFailed."""
    try:
        presence = await passkeys.use(app, account, answer)
    except WrongPasskey as problem:
        raise LoginFailed(Why.WRONG_CODE, str(problem)) from problem
    if not presence.verified:
        raise LoginFailed(
            Why.CODE_WANTED, "this passkey does not ask who uses it: log in with the password, then with it"
        )


async def check(app: Appliance, account: AccountID, proof: Proof) -> None:
    """For a change of the second factor itself. Raises WrongCode, WrongPasskey, NoSecondFactor."""
    if not get(app, account).is_wanted:
        raise NoSecondFactor("there is no second factor")
    if proof.passkey is not None:
        await passkeys.use(app, account, proof.passkey)
        return
    match await app.store.write(_use, account, proof.code, app.clock.microseconds()):
        case None:
            raise WrongCode("too many wrong codes, try again in an hour")
        case False:
            raise WrongCode("the code is wrong, or was used before")


def _use(tx: WriteTx, account: AccountID, code: str, now: int) -> bool | None:
    """Whether a code is right, which is not so a second time; None when too many were wrong."""
    factor = secondfactor.get(tx, account)
    if now - factor.wrong_since > _HOUR_MICROSECONDS or now < factor.wrong_since:
        factor = replace(factor, wrong=0, wrong_since=now)
    if factor.wrong >= limits.WRONG_CODES:
        return None
    plain = _plain(code)
    has_program = bool(factor.secret) and plain.isdecimal()
    step = step_of(factor.secret, plain, now / 1e6, factor.last_step) if has_program else None
    digest = _digest(plain)
    if step is not None:
        secondfactor.put(tx, account, replace(factor, last_step=step, wrong=0))
        return True
    if digest in factor.recovery:
        left = tuple(one for one in factor.recovery if one != digest)
        secondfactor.put(tx, account, replace(factor, recovery=left, wrong=0))
        return True
    secondfactor.put(tx, account, replace(factor, wrong=factor.wrong + 1))
    return False


async def renew_recovery_codes(app: Appliance, account: AccountID, proof: Proof) -> list[str]:
    """New recovery codes in place of all old ones. Raises WrongCode, WrongPasskey, NoSecondFactor."""
    await check(app, account, proof)
    codes = _new_codes()

    def write(tx: WriteTx) -> None:
        factor = secondfactor.get(tx, account)
        if factor.is_wanted:
            secondfactor.put(tx, account, replace(factor, recovery=tuple(map(_digest, codes))))

    await app.store.write(write)
    return codes


async def remove_program(app: Appliance, account: AccountID, proof: Proof) -> None:
    """Ask for no codes of a program any more. Raises WrongCode, WrongPasskey, NoSecondFactor."""
    if not get(app, account).secret:
        raise NoSecondFactor("there is no second factor by a program")
    await check(app, account, proof)

    def write(tx: WriteTx) -> None:
        secondfactor.put(tx, account, secondfactor.without_program(secondfactor.get(tx, account)))

    await app.store.write(write)


async def remove_all(app: Appliance, account: AccountID) -> None:
    """Ask for nothing beside the password any more, for the operator. Raises NoSecondFactor."""
    if not get(app, account).is_wanted:
        raise NoSecondFactor("there is no second factor")

    def write(tx: WriteTx) -> None:
        secondfactor.put(tx, account, secondfactor.without_all(secondfactor.get(tx, account)))

    await app.store.write(write)


# Passkeys.


async def may_add_passkey(app: Appliance, account: AccountID, proof: Proof) -> None:
    """Before one is made: whoever has a second factor shows it. Raises WrongCode, WrongPasskey, BadPasskey."""
    factor = get(app, account)
    if len(factor.passkeys) >= limits.PASSKEYS:
        raise BadPasskey(f"there may be {limits.PASSKEYS} passkeys; remove one first")
    if factor.is_wanted:
        await check(app, account, proof)


async def add_passkey(
    app: Appliance, account: AccountID, asked: Asked, new: NewPasskey, login_address: str
) -> list[str]:
    """Keep a passkey that was just made; recovery codes, shown once, where there were none.

    Raises WrongPasskey, BadPasskey, NoSuchAccount.
    """
    name = _good_name(new.name)
    made = passkeys.registered(asked, new.client_data, new.attestation)
    kept = Passkey(
        credential=made.id,
        algorithm=made.algorithm,
        public_key=made.public_key,
        relying_party=asked.place.relying_party,
        login_address=login_address,
        name=name,
        created=app.clock.microseconds(),
        count=made.presence.count,
    )
    codes = _new_codes()

    def write(tx: WriteTx) -> list[str]:
        factor = secondfactor.get(tx, account)
        if any(one.credential == kept.credential for one in factor.passkeys):
            raise BadPasskey("this passkey is there already")
        if len(factor.passkeys) >= limits.PASSKEYS:
            raise BadPasskey(f"there may be {limits.PASSKEYS} passkeys; remove one first")
        has_codes = bool(factor.recovery)
        recovery = factor.recovery if has_codes else tuple(map(_digest, codes))
        secondfactor.put(tx, account, replace(factor, passkeys=(*factor.passkeys, kept), recovery=recovery))
        return [] if has_codes else codes

    return await app.store.write(write)


async def rename_passkey(app: Appliance, account: AccountID, id: str, name: str) -> None:
    """Call one of them otherwise. Raises BadPasskey."""
    good = _good_name(name)

    def write(tx: WriteTx) -> None:
        factor = secondfactor.get(tx, account)
        found = _passkey(factor, id)
        renamed = tuple(replace(one, name=good) if one is found else one for one in factor.passkeys)
        secondfactor.put(tx, account, replace(factor, passkeys=renamed))

    await app.store.write(write)


async def remove_passkey(app: Appliance, account: AccountID, id: str, proof: Proof) -> None:
    """Take one of them away; the proof may be by itself. Raises WrongCode, WrongPasskey, BadPasskey."""
    found = _passkey(get(app, account), id)
    await check(app, account, proof)

    def write(tx: WriteTx) -> None:
        factor = secondfactor.get(tx, account)
        secondfactor.put(tx, account, secondfactor.without_passkey(factor, found.credential))

    await app.store.write(write)


def _passkey(factor: SecondFactor, id: str) -> Passkey:
    found = next((one for one in factor.passkeys if passkeys.id_of(one) == id), None)
    if found is None:
        raise BadPasskey("there is no such passkey any more")
    return found


def _good_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > limits.PASSKEY_NAME_CHARACTERS or not name.isprintable():
        raise BadPasskey(f"the name must have 1 to {limits.PASSKEY_NAME_CHARACTERS} printable characters")
    return name


async def set_app_passwords_only(app: Appliance, account: AccountID, *, on: bool) -> None:
    """Say whether mail programs must use app passwords; who is connected stays so. Raises NoSuchAccount."""

    def write(tx: WriteTx) -> None:
        secondfactor.put(tx, account, replace(secondfactor.get(tx, account), app_passwords_only=on))

    await app.store.write(write)


def _new_codes() -> list[str]:
    def one() -> str:
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))
        return "-".join(groups)

    return [one() for _ in range(RECOVERY_CODES)]


def _plain(code: str) -> str:
    """A code as it is compared: people type spaces and hyphens where they like."""
    return "".join(code[:_CODE_CHARACTERS].split()).replace("-", "").lower()


def _digest(code: str) -> bytes:
    return hashlib.sha256(_plain(code).encode("utf-8", "surrogatepass")).digest()
