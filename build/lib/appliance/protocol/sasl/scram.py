"""SCRAM: both sides prove that they know the password, without sending it (RFC 5802, RFC 7677).

Channel bindings as RFC 5929 and RFC 9266 define them. A failure in the last step is told to the client as `e=`; then it
has one line to answer, which is dropped.
"""

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from appliance.protocol.sasl.exchange import (
    Answer,
    Fault,
    Proven,
    SASLError,
    ScramSecrets,
    ScramWanted,
    Step,
    Surroundings,
    ask,
)

#: Printable, no comma (RFC 5802 §7 `printable`). A shorter one is no nonce, a longer one would not fit our challenge.
_NONCE: Final = re.compile(rb"[!-+\--~]{8,256}")
#: An attribute that we do not know (RFC 5802 §7 `attr-val`).
_ATTRIBUTE: Final = re.compile(rb"[A-Za-z]=[^\x00,]+")
_ESCAPE: Final = re.compile(r"=(2C|3D)?")
#: The types we know, so that one that this connection cannot have is told from one that is none.
BINDINGS: Final = frozenset({"tls-unique", "tls-exporter", "tls-server-end-point"})


@dataclass(frozen=True, slots=True)
class _First:
    """The client's first message, understood."""

    #: With both commas.
    header: bytes
    #: The data of the channel binding the client wants; None without one.
    binding: bytes | None
    user: str
    nonce: bytes
    #: client-first-message-bare.
    bare: bytes


def scram(algorithm: str, *, plus: bool) -> Callable[[Surroundings, bytes | None], Generator[Step, Answer, Proven]]:
    """A SCRAM mechanism; the algorithm as hashlib names it. `plus`: the client must bind to the channel."""

    def exchange(surroundings: Surroundings, initial: bytes | None) -> Generator[Step, Answer, Proven]:
        message = initial if initial is not None else (yield from ask(b""))
        first = _first_message(message, surroundings, plus=plus)
        secrets = yield ScramWanted(first.user)
        assert isinstance(secrets, ScramSecrets)
        nonce = first.nonce + surroundings.nonce.encode("ascii")
        server_first = b"r=%b,s=%b,i=%d" % (nonce, base64.b64encode(secrets.salt), secrets.iterations)
        final = yield from ask(server_first)
        try:
            without_proof, binding, proof = _final_message(final, nonce)
        except ValueError as error:
            yield from _failed(str(error), Fault.FINAL_MESSAGE)
        authentication = b",".join((first.bare, server_first, without_proof))
        matching = _matching(algorithm, secrets, authentication, proof)
        if matching < 0:
            yield from _failed("invalid-proof", Fault.WRONG)
        # Only after the proof: whoever does not know the password shall not make us cry wolf.
        if not hmac.compare_digest(binding, first.header + (first.binding or b"")):
            yield from _failed("channel-bindings-dont-match", Fault.BINDING)
        signature = hmac.digest(secrets.keys[matching][1], authentication, algorithm)
        if (yield from ask(b"v=" + base64.b64encode(signature))):
            raise SASLError(Fault.MALFORMED, "nothing comes after the end of SCRAM")
        return Proven(first.user, matching)

    return exchange


def _failed(reason: str, fault: Fault) -> Generator[Step, Answer, None]:
    """Tell the client why, wait for its line, and end the exchange (RFC 5802 §7 `server-error`)."""
    with suppress(SASLError):  # It may give up with `*` or send anything: the failure is the same.
        yield from ask(b"e=" + reason.encode("ascii"))
    raise SASLError(fault, reason)


def _matching(algorithm: str, secrets: ScramSecrets, authentication: bytes, proof: bytes) -> int:
    """Which password was proven, -1 for none. All are looked at, whichever it is (RFC 5802 §3)."""
    matching = -1
    for at, (stored_key, _) in enumerate(secrets.keys):
        signature = hmac.digest(stored_key, authentication, algorithm)
        if len(proof) != len(signature):
            return -1
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if hmac.compare_digest(hashlib.new(algorithm, client_key).digest(), stored_key):
            matching = at
    return matching


def _first_message(message: bytes, surroundings: Surroundings, *, plus: bool) -> _First:
    """Raises SASLError."""
    flag, comma, rest = message.partition(b",")
    authorization, second_comma, bare = rest.partition(b",")
    if not comma or not second_comma:
        raise _bad_first("message is malformed")
    header = message[: len(message) - len(bare)]
    binding = _binding(flag, surroundings, plus=plus)
    attributes = bare.split(b",")
    if attributes[0].startswith(b"m="):
        raise _bad_first("extensions-not-supported")  # RFC 5802 §5.1: an extension we must know
    if len(attributes) < 2 or not attributes[0].startswith(b"n=") or not attributes[1].startswith(b"r="):
        raise _bad_first("message is malformed")
    _unknown_attributes(attributes[2:])
    nonce = attributes[1][2:]
    if not _NONCE.fullmatch(nonce):
        raise _bad_first("nonce is too short, too long or not printable")
    user = _name(attributes[0][2:])
    # Lenient: GNU SASL writes `a=` for nobody in particular.
    if authorization not in {b"", b"a="}:
        if not authorization.startswith(b"a="):
            raise _bad_first("message is malformed")
        if _name(authorization[2:]) != user:
            raise SASLError(Fault.AUTHORIZATION, "cannot act for somebody else")
    return _First(header, binding, user, nonce, bare)


def _binding(flag: bytes, surroundings: Surroundings, *, plus: bool) -> bytes | None:
    """The binding data for a gs2-cbind-flag (RFC 5802 §6). Raises SASLError."""
    if flag == b"n" and not plus:
        return None
    if flag == b"y" and not plus:
        if surroundings.offered_binding:
            # The client thinks we cannot bind although we said so: somebody has cut it out of what we said.
            raise _bad_first("server-does-support-channel-binding")
        return None
    if not flag.startswith(b"p="):
        raise _bad_first("mechanism needs channel binding" if plus else "message is malformed")
    # Lenient: Cyrus SASL binds under the name of the mechanism without -PLUS.
    name = flag[2:].decode("ascii", "replace")
    data = surroundings.binding(name) if name in BINDINGS else None
    if data is None:
        raise _bad_first("unsupported-channel-binding-type")
    return data


def _name(octets: bytes) -> str:
    """A saslname: `,` and `=` stand there as =2C and =3D (RFC 5802 §5.1). Raises SASLError."""
    try:
        written = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad_first("invalid-username-encoding") from error
    if not written or any(not escape[1] for escape in _ESCAPE.finditer(written)):
        raise _bad_first("invalid-username-encoding")
    name = _ESCAPE.sub(lambda escape: "," if escape[1] == "2C" else "=", written)
    if unicodedata.normalize("NFC", name) != name:
        # The name is part of what is signed, so it cannot be put right here.
        raise _bad_first("user name is not in NFC")
    return name


def _final_message(message: bytes, nonce: bytes) -> tuple[bytes, bytes, bytes]:
    """The message without its proof, the channel binding with header, the proof.

    Raises ValueError with a value of server-error-value (RFC 5802 §7).
    """
    without_proof, comma, proof = message.rpartition(b",p=")
    attributes = without_proof.split(b",")
    if not comma or len(attributes) < 2 or not attributes[0].startswith(b"c=") or not attributes[1].startswith(b"r="):
        raise ValueError("other-error")
    if any(one.startswith(b"m=") for one in attributes[2:]):
        raise ValueError("extensions-not-supported")
    if any(not _ATTRIBUTE.fullmatch(one) for one in attributes[2:]):
        raise ValueError("other-error")
    if not hmac.compare_digest(attributes[1][2:], nonce):
        raise ValueError("other-error")
    try:
        binding = binascii.a2b_base64(attributes[0][2:], strict_mode=True)
        return without_proof, binding, binascii.a2b_base64(proof, strict_mode=True)
    except binascii.Error as error:
        raise ValueError("invalid-encoding") from error


def _unknown_attributes(attributes: list[bytes]) -> None:
    """Unknown attributes are ignored, unless they may not be (RFC 5802 §5.1). Raises SASLError."""
    for one in attributes:
        if one.startswith(b"m="):
            raise _bad_first("extensions-not-supported")
        if not _ATTRIBUTE.fullmatch(one):
            raise _bad_first("message is malformed")


def _bad_first(text: str) -> SASLError:
    return SASLError(Fault.FIRST_MESSAGE, text)
