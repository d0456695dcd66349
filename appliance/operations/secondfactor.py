"""A second factor for logins in browsers: codes of a program that shares a secret and knows the time (RFC 6238).

Whoever loses that program has recovery codes, each good for once. What is wrong is counted for each account: whoever
gets so far knows the password already. Mail programs cannot ask for codes: they go on with the account's password,
unless it is said to be for browsers alone, and need app passwords then.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations.login import LoginFailed, Why
from appliance.store import secondfactor
from appliance.store.records import SecondFactor
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


async def confirm(app: Appliance, account: AccountID, secret: str, code: str) -> list[str]:
    """Begin to ask for codes of an offered secret, which `code` shows to work; the recovery codes, shown once.

    Raises WrongCode, NoSecondFactor, NoSuchAccount.
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


async def require(app: Appliance, account: AccountID, code: str) -> None:
    """For a login with the right password: its code, where there is a second factor. Raises LoginFailed."""
    if not get(app, account).secret:
        return
    if not code.strip():
        raise LoginFailed(Why.CODE_WANTED)
    match await app.store.write(_use, account, code, app.clock.microseconds()):
        case None:
            raise LoginFailed(Why.TOO_MANY_CODES)
        case False:
            raise LoginFailed(Why.WRONG_CODE)


async def check(app: Appliance, account: AccountID, code: str) -> None:
    """For a change of the second factor itself. Raises WrongCode, NoSecondFactor."""
    if not get(app, account).secret:
        raise NoSecondFactor("there is no second factor")
    match await app.store.write(_use, account, code, app.clock.microseconds()):
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
    step = step_of(factor.secret, plain, now / 1e6, factor.last_step) if plain.isdecimal() else None
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


async def renew_recovery_codes(app: Appliance, account: AccountID, code: str) -> list[str]:
    """New recovery codes in place of all old ones. Raises WrongCode, NoSecondFactor."""
    await check(app, account, code)
    codes = _new_codes()

    def write(tx: WriteTx) -> None:
        factor = secondfactor.get(tx, account)
        if factor.secret:
            secondfactor.put(tx, account, replace(factor, recovery=tuple(map(_digest, codes))))

    await app.store.write(write)
    return codes


async def remove(app: Appliance, account: AccountID, code: str | None) -> None:
    """Ask for no codes any more; None: the operator need not show one. Raises WrongCode, NoSecondFactor."""
    if code is not None:
        await check(app, account, code)
    elif not get(app, account).secret:
        raise NoSecondFactor("there is no second factor")

    def write(tx: WriteTx) -> None:
        secondfactor.put(tx, account, secondfactor.without_codes(secondfactor.get(tx, account)))

    await app.store.write(write)


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
