"""TLS public keys: clients that log in by the certificate they show in the handshake.

The certificate is only how a public key travels. It is known by its fingerprint, the SHA-256 of its DER
SubjectPublicKeyInfo; names, dates and issuers are not looked at.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found
from appliance.delivery.appliance import Appliance
from appliance.mail.address import Address, AddressError, parse_address
from appliance.mail.status import Status
from appliance.net import clientkey
from appliance.net.tlsstream import TLSInfo
from appliance.operations import login
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt
from appliance.store import tlskeys
from appliance.store.problems import NoSuchAccount, NoSuchTLSKey
from appliance.store.records import TLSPublicKey
from appliance.store.tables import AccountID
from appliance.store.transaction import ReadTx
from appliance.tls import selfsigned

#: What an attempt to log in by the handshake alone is called.
MECHANISM: Final = "tlsclientauth"
#: Smaller ones can be broken (NIST SP 800-131A).
_RSA_BITS: Final = 2048
_PEM: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----\s.*?-----END \1-----", re.DOTALL)
_NAME_CHARACTERS: Final = 256
_PEM_CHARACTERS: Final = 65_536


class BadCertificate(Problem):
    """What was given is no certificate with a key we take."""

    kind, status = Kind.INVALID, Status(5, 7, 0)


class NoSuchLoginAddress(Problem):
    """Not an address that an account logs in with."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key with what it is called by."""

    #: Unpadded base64url.
    fingerprint: str
    key: TLSPublicKey
    #: Name of its account; empty when that is gone.
    account: str


# The handshake.


class Judge:
    """Decides in a handshake whether a client may come in with its key; afterwards it tells who that is.

    Wrong keys are counted at once, right ones when the caller says that the handshake is done (`succeeded`): only then
    the client has proved that it holds the key. Each verdict reads the store as it is now, so that a key that was
    removed no longer works in resumed sessions either.
    """

    def __init__(self, app: Appliance, attempt: Attempt, *, imap: bool = False) -> None:
        """`imap`: keys may be marked not to log in by themselves there."""
        self._app = app
        self._attempt = attempt
        self._imap = imap
        #: Whom the key stands for; None without a key.
        self.actor: Actor | None = None
        #: The key itself logs in; otherwise the client wants to do so, with SASL EXTERNAL for one.
        self.logs_in = False
        #: What to say to a key that would log in, were its account not disabled; IMAP can say it in a greeting.
        self.refusal = ""

    def __call__(self, fingerprint: bytes) -> bool:
        """Whether a key is welcome."""
        app = self._app
        if not app.login_failures.allowed(self._attempt.remote, app.clock.microseconds() / 1e6):
            return True  # Nobody looks at it: the connection is turned away for that, in words.
        attempt = replace(self._attempt, key=fingerprint)
        with app.store.read() as tx:
            key = tlskeys.find(tx, fingerprint)
            actor = None if key is None else _holder(app, tx, key, fingerprint)
        if key is None or actor is None:
            login.failed(app, attempt, "badcreds", key.login_address if key else "", actor)
            return False
        logs_in = not (self._imap and key.no_imap_preauth)
        self.refusal = app.config.snapshot().domains.accounts[actor.name].login_disabled or "" if logs_in else ""
        if self.refusal:
            login.failed(app, attempt, "logindisabled", key.login_address, actor)
            return self._imap
        self.actor, self.logs_in = actor, logs_in
        return True

    def succeeded(self, tls: TLSInfo | None) -> bool:
        """The handshake is done: the client is logged in by its key, unless that was removed meanwhile."""
        assert self.actor is not None
        assert self.actor.key is not None
        if not self(self.actor.key) or self.refusal:
            return False
        login.succeeded(self._app, replace(self._attempt, tls=tls), self.actor)
        return True


def _holder(app: Appliance, tx: ReadTx, key: TLSPublicKey, fingerprint: bytes) -> Actor | None:
    """The account of a key, if the login address still belongs to it."""
    found = _lookup(app, key.login_address)
    if found is None or tx.account_id(found.account) != key.account or tx.account(key.account).removed:
        return None
    return Actor(key.account, found.account, key.login_address, key=fingerprint)


def _lookup(app: Appliance, address: str | Address) -> Found | None:
    try:
        path = parse_address(address) if isinstance(address, str) else address
    except AddressError:
        return None
    found = app.config.snapshot().derived.addresses.lookup(path, for_login=True)
    return found if isinstance(found, Found) else None


# Keeping.


async def add(
    app: Appliance,
    pem: str,
    login_address: str,
    name: str = "",
    *,
    no_imap_preauth: bool = False,
    account: AccountID | None = None,
) -> NamedKey:
    """Let a key log in with an address, which must be of `account` if that is given.

    Raises BadCertificate, NoSuchLoginAddress, TLSKeyExists, TooMany, NoSuchAccount.
    """
    certificate = parse_certificate(pem)
    kind = key_type(certificate)
    path, owner, name_of_account = _login_address(app, login_address, account)
    key = TLSPublicKey(
        created=app.clock.microseconds(),
        type=kind,
        name=_one_line(name) or default_name(certificate),
        no_imap_preauth=no_imap_preauth,
        certificate=certificate.public_bytes(Encoding.DER),
        account=owner,
        login_address=str(path),
    )
    fingerprint = clientkey.digest(certificate)
    await app.store.write(tlskeys.add, fingerprint, key, most=limits.TLS_KEYS)
    return NamedKey(clientkey.spell(fingerprint), key, name_of_account)


def _login_address(app: Appliance, text: str, account: AccountID | None) -> tuple[Address, AccountID, str]:
    """A login address, its account and that one's name. Raises NoSuchLoginAddress."""
    try:
        path = parse_address(text)
    except AddressError as error:
        raise NoSuchLoginAddress(f"{text!r} is not an address: {error}") from error
    found = _lookup(app, path)
    with app.store.read() as tx:
        owner = None if found is None else tx.account_id(found.account)
    if found is None or owner is None or account not in {None, owner}:
        raise NoSuchLoginAddress(f"{text} is not an address that an account logs in with")
    return path, owner, found.account


async def update(
    app: Appliance, fingerprint: str, account: str, *, login_address: str, name: str, no_imap_preauth: bool
) -> NamedKey:
    """Change what a key of a named account logs in with and is called; what it opened with another address ends.

    Raises NoSuchTLSKey, NoSuchLoginAddress.
    """
    present = of_account(app, fingerprint, account)
    path, _, _ = _login_address(app, login_address, present.key.account)
    octets = _parse(fingerprint)
    changed = msgspec.structs.replace(
        present.key,
        login_address=str(path),
        name=_one_line(name) or present.key.name,
        no_imap_preauth=no_imap_preauth,
    )
    with trio.CancelScope(shield=True):
        await app.store.write(tlskeys.replace, octets, changed)
        if changed.login_address != present.key.login_address:
            app.sessions.end(account, lambda login: login.key == octets)
    return replace(present, key=changed)


def of_account(app: Appliance, fingerprint: str, account: str) -> NamedKey:
    """One key of a named account. Raises NoSuchTLSKey, also for keys of others."""
    found = find(app, fingerprint)
    if found.account != account:
        raise NoSuchTLSKey(f"the account has no TLS public key {fingerprint!r}")
    return found


def find(app: Appliance, fingerprint: str) -> NamedKey:
    """One key. Raises NoSuchTLSKey."""
    octets = _parse(fingerprint)
    with app.store.read() as tx:
        key = tlskeys.find(tx, octets)
        if key is None:
            raise NoSuchTLSKey(f"no TLS public key {fingerprint!r}; `moxpy config tlspubkey list` shows them")
        return NamedKey(clientkey.spell(octets), key, _account_name(tx, key))


def keys(app: Appliance, account: str | None = None) -> list[NamedKey]:
    """All keys, or those of one account, oldest first. Raises NoSuchAccount."""
    with app.store.read() as tx:
        number = None if account is None else tx.account_id(account)
        if account is not None and number is None:
            raise NoSuchAccount(f"no account {account!r}; `moxpy config account list` shows them")
        return [
            NamedKey(clientkey.spell(octets), key, _account_name(tx, key)) for octets, key in tlskeys.keys(tx, number)
        ]


async def remove(app: Appliance, fingerprint: str) -> None:
    """Forget a key: what it opened ends, and it opens nothing more, resumed connections included.

    Raises NoSuchTLSKey.
    """
    account, octets = find(app, fingerprint).account, _parse(fingerprint)
    with trio.CancelScope(shield=True):
        await app.store.write(tlskeys.remove, octets)
        app.sessions.end(account, lambda login: login.key == octets)


def _account_name(tx: ReadTx, key: TLSPublicKey) -> str:
    return tx.account(key.account).name


# Certificates and fingerprints.


def _parse(fingerprint: str) -> bytes:
    try:
        octets = base64.b64decode(fingerprint + "=" * (-len(fingerprint) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) != 32:
        raise NoSuchTLSKey(f"{fingerprint!r} is no fingerprint, which is the SHA-256 of a public key in base64url")
    return octets


def parse_certificate(pem: str) -> x509.Certificate:
    """The certificate that is the first block of a PEM file, in which no private key may be. Raises BadCertificate."""
    if len(pem) > _PEM_CHARACTERS:
        raise BadCertificate("the file is too large for a certificate")
    block = _PEM.search(pem)
    if block is None:
        raise BadCertificate("there is no PEM block; a certificate begins with -----BEGIN CERTIFICATE-----")
    if "PRIVATE KEY-----" in pem:
        raise BadCertificate("that is a private key, which nobody but its owner should have; give its certificate")
    if block[1] != "CERTIFICATE":
        raise BadCertificate(f"the first PEM block is of type {block[1]}, not CERTIFICATE")
    try:
        return x509.load_pem_x509_certificate(block[0].encode())
    except clientkey.UNREADABLE as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from error


def key_type(certificate: x509.Certificate) -> str:
    """`rsa-<bits>`, `ecdsa-<curve>` or `ed25519`. Raises BadCertificate for any other key, and for a weak one."""
    try:
        key = certificate.public_key()
    except clientkey.UNREADABLE as error:
        raise BadCertificate(f"the public key of the certificate cannot be read: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _RSA_BITS:
            raise BadCertificate(f"an RSA key must have at least {_RSA_BITS} bits, this one has {key.key_size}")
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ecdsa-" + re.sub(r"sec(p\d+)r1", r"\1", key.curve.name.lower())
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    raise BadCertificate("the public key must be RSA, ECDSA or ed25519")


def default_name(certificate: x509.Certificate) -> str:
    """What a key is called when nobody says: the CommonName, else the serial number."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:  # A subject that cannot be read.
        names = []
    name = names[0].value if names else ""
    return _one_line(name if isinstance(name, str) else "") or str(certificate.serial_number)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_NAME_CHARACTERS]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair for one client, and the certificate that carries its public part."""

    #: PKCS#8, PEM.
    private_key: str
    certificate: str
    #: Of which the private key is made (RFC 8032 §5.1.5): 32 octets in unpadded base64url.
    seed: str
    fingerprint: str


def generate(now: datetime) -> NewKey:
    """An ed25519 key and the least certificate there can be."""
    key = ed25519.Ed25519PrivateKey.generate()
    pair = selfsigned.carrier(key, now)
    return NewKey(
        private_key=pair.key.decode(),
        certificate=pair.chain.decode(),
        seed=clientkey.spell(key.private_bytes_raw()),
        fingerprint=clientkey.spell(clientkey.digest(x509.load_pem_x509_certificate(pair.chain))),
    )
