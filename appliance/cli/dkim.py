"""Commands about DKIM: keys, their records in the DNS, messages signed and verified. No server needs to run."""

import sys
import time
from pathlib import Path
from typing import Final

import trio

from appliance.base import limits
from appliance.base.clock import SystemClock
from appliance.cli import lookup, output
from appliance.cli.configuration import load_config
from appliance.cli.main import FAILED, OK, Failed, Invocation
from appliance.cli.msgauth import NOT_PASSED
from appliance.dns.resolver import Resolver
from appliance.mail import header
from appliance.mail.address import AddressError, sole_from
from appliance.mail.domain import DomainError, parse_domain
from appliance.mail.lineend import crlf
from appliance.msgauth.dkim import keys, record, sign as signing, verify as verifying
from appliance.msgauth.results import AuthStatus

#: Of a string in a zone file; a record is as many of them as it takes (RFC 6376 §3.6.2.2).
STRING_CHARACTERS: Final = 100
_MESSAGE_OCTETS: Final = 256 * 1024 * 1024
_KEY_OCTETS: Final = 1024 * 1024


def _resolver(invocation: Invocation) -> Resolver:
    return Resolver(lookup.network(invocation, SystemClock()), caller="cli")


def generate_ed25519(_: Invocation) -> int:
    """Print a new ed25519 key."""
    return _generate("ed25519")


def generate_rsa(_: Invocation) -> int:
    """Print a new RSA key."""
    return _generate("rsa")


def _generate(kind: str) -> int:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    # Without a note what it is: OpenDKIM does not read a key with a text before it, Mail::DKIM none with one behind it,
    # OpenSSL none with one inside.
    print(keys.generate(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), end="")
    return OK


def txt(_: Invocation) -> int:
    """Print the DNS record for the key on standard input."""
    try:
        key = keys.load_private(sys.stdin.buffer.read(_KEY_OCTETS))
    except keys.KeyUnusable as problem:
        raise Failed(str(problem)) from problem
    text = record.compose(key)
    strings = [text[at : at + STRING_CHARACTERS] for at in range(0, len(text), STRING_CHARACTERS)]
    print("<selector>._domainkey.<your.domain.> TXT " + " ".join(f'"{one}"' for one in strings))
    return OK


def look_up(invocation: Invocation) -> int:
    """Print the key record of a selector, and whether it is in order."""
    try:
        domain = parse_domain(invocation.arguments[1].removesuffix("."), lax=True).ascii
        # A selector of digits is no domain name by itself.
        name = parse_domain(f"{invocation.arguments[0]}.{domain}", lax=True).ascii
    except DomainError as error:
        raise Failed(str(error)) from error
    selector = name.removesuffix(f".{domain}")
    resolver = _resolver(invocation)

    async def ask() -> record.Found:
        with trio.move_on_after(lookup.SECONDS):
            return await record.lookup(resolver, selector, domain, dnssec=True)
        raise Failed(f"no answer in {lookup.SECONDS:g} s")

    found = trio.run(ask)
    output.show(invocation, _document(found), _lines(found))
    return OK if found.record is not None else FAILED


def _lines(found: record.Found) -> list[str]:
    lines = []
    if found.problem is not None:
        lines.append(f"error: {found.problem.value}" + (f": {found.text}" if found.text else ""))
    lines.append(f"status: {_status(found)}")
    lines += [f"TXT record: {text}" for text in found.texts]
    lines.append(f"dnssec-signed: {'yes' if found.authentic else 'no'}")
    if found.record is not None:
        lines += [f"{name}: {value}" for name, value in _fields(found).items()]
    return lines


def _status(found: record.Found) -> str:
    """As in a signature's result, before there is a message to speak about."""
    if found.problem is None:
        return "neutral"
    return "temperror" if found.problem in record.TEMPORARY else "permerror"


def _fields(found: record.Found) -> dict[str, object]:
    one = found.record
    assert one is not None
    return {
        "key": "revoked" if one.key is None else one.key_type + (f", {one.key_bits} bits" if one.key_bits else ""),
        "hashes": "any" if one.hashes is None else ":".join(one.hashes),
        "services": ":".join(one.services),
        "flags": ":".join(one.flags),
        "notes": one.notes,
    }


def _document(found: record.Found) -> dict[str, object]:
    return {
        "status": _status(found),
        "error": None if found.problem is None else found.problem.value,
        "text": found.text,
        "records": list(found.texts),
        "authentic": found.authentic,
        "record": None if found.record is None else _fields(found),
    }


def verify(invocation: Invocation) -> int:
    """Verify the signatures of a message; the verdict is the output."""
    octets = _message(invocation)
    body = header.header_end(octets)
    resolver = _resolver(invocation)
    terms = verifying.Terms(now=time.time(), minds_testing=False, dnssec=True)

    def read(start: int, end: int) -> bytes:
        return octets[start:end]

    async def run() -> list[verifying.Outcome]:
        return await verifying.outcomes(
            resolver, octets[:body], lambda start, end: octets[start:end], len(octets), terms
        )

    found = trio.run(run)
    lines = []
    for one in found:
        lines.append(f'status "{one.result.status.value}", err {one.result.text or "none"}')
        lines.append(f'record "{one.key.text if one.key else ""}"')
        lines.append("header " + one.field.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n"))
        lines.append("")
    document = [
        {
            "status": one.result.status.value,
            "error": one.result.text,
            "domain": one.result.domain.unicode if one.result.domain else None,
            "selector": one.result.selector,
            "identity": one.result.identity,
            "algorithm": one.result.algorithm,
            "authentic": one.result.authentic,
            "record": one.key.text if one.key else None,
            "header": one.field.decode("utf-8", "replace"),
        }
        for one in found
    ]
    output.show(invocation, document, lines or ["no signatures"])
    passed = any(one.result.status is AuthStatus.PASS for one in found)
    return NOT_PASSED if invocation.given("check") and not passed else OK


def sign(invocation: Invocation) -> int:
    """Print a message with the signatures of From's domain."""
    config = load_config(invocation, check_files=True)
    octets = _message(invocation)
    fields = header.fields(octets, limits=limits.HEADER)
    try:
        sender = sole_from(header.get_all(octets, fields, b"From"))
    except AddressError as error:
        raise Failed(str(error)) from error
    if sender.domain.ascii not in config.derived.addresses.domains:
        raise Failed(f"{sender.domain} is not a domain of the configuration")
    is_utf8 = not octets[: header.header_end(octets)].isascii()
    try:
        signatures = signing.sign_octets(config, sender, octets, now=time.time(), utf8=is_utf8)
    except signing.CannotSign as problem:
        raise Failed(str(problem)) from problem
    if not signatures:
        raise Failed(f"{sender.domain} does not sign: it has no selectors in dkim.sign")
    sys.stdout.buffer.write(signatures + octets)
    sys.stdout.buffer.flush()
    return OK


def _message(invocation: Invocation) -> bytes:
    """The message in a file, or on standard input for `-`, with the line ends it has on its way."""
    name = invocation.arguments[0]
    try:
        if name == "-":
            octets = sys.stdin.buffer.read(_MESSAGE_OCTETS + 1)
        else:
            with Path(name).open("rb") as stream:
                octets = stream.read(_MESSAGE_OCTETS + 1)
    except OSError as error:
        raise Failed(f"{name}: {error.strerror or error}") from error
    if len(octets) > _MESSAGE_OCTETS:
        raise Failed(f"{name}: the message is too large")
    return octets if b"\r\n" in octets else crlf(octets)
