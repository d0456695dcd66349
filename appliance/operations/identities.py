"""Who an account may send as, with what is set of each: names, signatures, where answers go (RFC 8621 §6).

There is one for each address of the account, for aliases whose members may send as them, and `*@domain` for a
catch-all: these come from the configuration and stay as long as it has them. Beside them are those that people add, for
addresses they may send as: a variant with a separator, or the same address with another signature.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, AddressError, parse_address
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.operations import submit
from appliance.operations.actor import Actor, Right
from appliance.operations.submit import NotYourAddress, SenderDisabled
from appliance.store import preferences, tables
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx, WriteTx
from appliance.store.webrecords import Identity, Named

#: Begins an identity of any address of a domain.
ANY: Final = "*@"
_NAME_CHARACTERS: Final = 200
_ID_OCTETS: Final = 8


class NoSuchIdentity(Problem):
    """There is none of this id."""

    kind = Kind.NOT_FOUND


class StaysThere(Problem):
    """It comes from the configuration."""

    kind = Kind.FORBIDDEN


class BadIdentity(Problem):
    """Something that an identity cannot have; the text says what."""

    kind = Kind.INVALID

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        #: The field that cannot be so.
        self.name = name


@dataclass(frozen=True, slots=True)
class Shown:
    """An identity as it counts now."""

    id: str
    email: str
    name: str
    reply_to: Sequence[Named] | None
    bcc: Sequence[Named] | None
    text_signature: str
    html_signature: str
    may_delete: bool

    def covers(self, address: Address) -> bool:
        """Whether a message of this identity may have the address as its sender."""
        if self.email.startswith(ANY):
            return self.email[len(ANY) :] == address.domain.unicode
        return self.email.lower() == address.unicode.lower()


def all_of(app: Appliance, actor: Actor, config: Config) -> dict[str, Shown]:
    """All of an account by id: of its addresses in the order of the configuration, then those that were added."""
    with app.store.read() as tx:
        return _all(tx, config, actor.account, actor.name)


#: A state says what there was of so many; of more, only whether anything is different.
_MOST_TOLD: Final = 16
_MARK_OCTETS: Final = 6
_STATE: Final = re.compile(r"none|[DU][0-9a-f]{16,32}\.[0-9a-f]{12}(?:-[DU][0-9a-f]{16,32}\.[0-9a-f]{12}){0,15}")


def marks(shown: Mapping[str, Shown]) -> dict[str, str]:
    """For each identity something short that is another when anything of it is different."""

    def mark(one: Shown) -> str:
        return hashlib.blake2b(msgspec.json.encode(one), digest_size=_MARK_OCTETS).hexdigest()

    return {id: mark(one) for id, one in shown.items()}


def state(marks: Mapping[str, str]) -> str:
    """Another one when anything is different; as far as these are few, it says what there was."""
    text = "-".join(f"{id}.{mark}" for id, mark in sorted(marks.items()))
    if len(marks) > _MOST_TOLD:
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    return text or "none"


def marks_of(state: str) -> dict[str, str] | None:
    """What a state says; None where it does not, or is none."""
    if not _STATE.fullmatch(state):
        return None
    return dict(one.split(".") for one in state.split("-")) if state != "none" else {}


def _all(tx: ReadTx, config: Config, account: AccountID, name: str) -> dict[str, Shown]:
    stored = preferences.identities(tx, account)
    found: dict[str, Shown] = {}
    for email, full_name in _configured(config, name):
        id = _id_of(email)
        if id not in found:
            found[id] = _shown(id, stored.get(id) or Identity(email), full_name, may_delete=False)
    full_name = config.domains.accounts[name].full_name if name in config.domains.accounts else ""
    for id, one in stored.items():
        if id not in found and id.startswith("U") and may_send_as(config, name, one.email):
            found[id] = _shown(id, one, full_name, may_delete=True)
    return found


def _shown(id: str, one: Identity, full_name: str, *, may_delete: bool) -> Shown:
    name = full_name if one.name is None else one.name
    return Shown(
        id, one.email, name, one.reply_to, one.bcc, one.text_signature, one.html_signature, may_delete=may_delete
    )


def _id_of(email: str) -> str:
    return f"D{tables.digest(email).hex()}"


def _configured(config: Config, name: str) -> Iterator[tuple[str, str]]:
    """Addresses of an account, and what it is called there."""
    account, index = config.domains.accounts.get(name), config.derived.addresses
    if account is None:
        return
    for written, destination in account.destinations.items():
        full_name = destination.full_name or account.full_name
        if written.startswith("@"):
            domain = _domain(written[1:])
            if domain is not None and _is_enabled(config, domain):
                yield f"{ANY}{domain.unicode}", full_name
            continue
        address = parse_address(written)
        if _is_enabled(config, address.domain):
            yield address.unicode, full_name
    for found in index.aliases.values():
        # There may be thousands, and push looks at this each second.
        if found.alias.allow_msg_from and may_send_as(config, name, found.address_key):
            yield found.address_key, account.full_name


def _domain(text: str) -> Domain | None:
    try:
        return parse_domain(text)
    except DomainError:
        return None


def _is_enabled(config: Config, domain: Domain) -> bool:
    entry = config.derived.addresses.domains.get(domain.ascii)
    return entry is not None and not entry.config.disabled


def may_send_as(config: Config, name: str, email: str) -> bool:
    """Whether an account may send as an address, or as any of a domain."""
    if email.startswith(ANY):
        domain = _domain(email[len(ANY) :])
        catchall = config.derived.addresses.catchalls.get(domain.ascii) if domain is not None else None
        return isinstance(catchall, Found) and catchall.account == name and not _disabled(config, domain)
    try:
        submit.check_sender(config, name, parse_address(email))
    except (AddressError, NotYourAddress, SenderDisabled):
        return False
    return True


def _disabled(config: Config, domain: Domain | None) -> bool:
    return domain is None or not _is_enabled(config, domain)


# Changing.


async def create(app: Appliance, actor: Actor, config: Config, new: Identity) -> str:
    """Add one; its id. Raises NotYourAddress, BadIdentity, TooMany."""
    actor.require(Right.CHANGE_MAIL)
    new = msgspec.structs.replace(_checked(new), email=_email(config, actor.name, new.email))
    id = f"U{app.random.token_bytes(_ID_OCTETS).hex()}"
    await app.store.write(preferences.keep_identity, actor.account, id, new, _most(config, actor.name))
    return id


def _email(config: Config, name: str, written: str) -> str:
    """As it is kept. Raises NotYourAddress, BadIdentity."""
    if written.startswith(ANY):
        domain = _domain(written[len(ANY) :])
        email = f"{ANY}{domain.unicode}" if domain is not None else ""
    else:
        try:
            email = parse_address(written).unicode
        except AddressError as error:
            raise BadIdentity(f"not an address: {error}", "email") from error
    if not email or not may_send_as(config, name, email):
        raise NotYourAddress(f"{written[:300]} is not an address of this account")
    return email


async def update(app: Appliance, actor: Actor, config: Config, id: str, new: Identity, *, keeps_name: bool) -> None:
    """Set one anew; the address stays, and the name, be it that of the configuration, if so said.

    Raises NoSuchIdentity, BadIdentity, TooMany.
    """
    actor.require(Right.CHANGE_MAIL)
    new = _checked(new)

    def body(tx: WriteTx) -> None:
        shown = _all(tx, config, actor.account, actor.name).get(id)
        if shown is None:
            raise NoSuchIdentity("no such identity")
        kept = msgspec.structs.replace(new, email=shown.email)
        if keeps_name:
            stored = preferences.identities(tx, actor.account).get(id)
            kept = msgspec.structs.replace(kept, name=stored.name if stored is not None else None)
        preferences.keep_identity(tx, actor.account, id, kept, _most(config, actor.name))

    await app.store.write(body)


async def destroy(app: Appliance, actor: Actor, config: Config, id: str) -> None:
    """Remove one that was added. Raises NoSuchIdentity, StaysThere."""
    actor.require(Right.CHANGE_MAIL)

    def body(tx: WriteTx) -> None:
        shown = _all(tx, config, actor.account, actor.name).get(id)
        if shown is None:
            raise NoSuchIdentity("no such identity")
        if not shown.may_delete:
            raise StaysThere("it is an address of the account, and goes when that goes")
        preferences.remove_identity(tx, actor.account, id)

    await app.store.write(body)


def _most(config: Config, name: str) -> int:
    """What is set of addresses that are configured does not count."""
    return limits.IDENTITIES + sum(1 for _ in _configured(config, name))


def _checked(new: Identity) -> Identity:
    """Raises BadIdentity."""
    if new.name is not None and (len(new.name) > _NAME_CHARACTERS or not new.name.isprintable()):
        raise BadIdentity(f"a name is printable and has at most {_NAME_CHARACTERS} characters", "name")
    for name, text in (("textSignature", new.text_signature), ("htmlSignature", new.html_signature)):
        if len(text) > limits.SIGNATURE_CHARACTERS or "\0" in text:
            raise BadIdentity(f"a signature has at most {limits.SIGNATURE_CHARACTERS} characters", name)
    for name, entries in (("replyTo", new.reply_to), ("bcc", new.bcc)):
        if len(entries or ()) > limits.IDENTITY_ADDRESSES:
            raise BadIdentity(f"at most {limits.IDENTITY_ADDRESSES} addresses", name)
        for one in entries or ():
            if len(one.name) > _NAME_CHARACTERS or not one.name.isprintable():
                raise BadIdentity("the name of an address is not printable, or too long", name)
            try:
                parse_address(one.email)
            except AddressError as error:
                raise BadIdentity(f"{one.email[:100]!r} is not an address: {error}", name) from error
    return new
