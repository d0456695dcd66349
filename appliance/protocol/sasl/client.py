"""The client's halves of SASL exchanges: PLAIN, LOGIN, CRAM-MD5, SCRAM and EXTERNAL, for servers that relay our mail.

RFC 4616, RFC 2195, RFC 5802, RFC 7677, RFC 4422 §A. An exchange is a generator. It yields a `Response` and is sent the
server's next challenge, or None when the server has said that the login succeeded; it yields a `Derivation` and is sent
the key, which somebody else computes, as it takes time. That it returns means that the login stands.
"""

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Final

#: What a server may ask for. Fewer would help whoever wants to guess the password from the exchange (RFC 7677 §4); more
#: would keep a processor busy for seconds.
LEAST_ITERATIONS: Final = 4096
MOST_ITERATIONS: Final = 1_000_000
#: RFC 5802 §7 `printable`.
_NONCE: Final = re.compile(rb"[!-+\--~]{1,512}")
_COUNT: Final = re.compile(rb"[1-9][0-9]{0,9}")
_ALGORITHMS: Final = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
#: All there are, the best first.
MECHANISMS: Final = (
    *("EXTERNAL", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"),
    *("CRAM-MD5", "PLAIN", "LOGIN"),
)


class ExchangeError(Exception):
    """The server broke the exchange, or did not prove that it knows the password. No password was given away by us."""


@dataclass(frozen=True, slots=True)
class Response:
    """To be sent to the server; None: nothing yet, the server speaks first."""

    octets: bytes | None


@dataclass(frozen=True, slots=True)
class Derivation:
    """PBKDF2 is wanted: `hashlib.pbkdf2_hmac` with these, in this order."""

    algorithm: str
    password: bytes
    salt: bytes
    iterations: int

    def __repr__(self) -> str:
        return f"Derivation({self.algorithm!r}, {self.iterations})"


Exchange = Generator[Response | Derivation, bytes | None, None]


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the server."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.username!r})"


@dataclass(frozen=True, slots=True)
class Channel:
    """The connection, as far as an exchange is tied to it."""

    tls: bool
    #: The type of channel binding we would use, and its data; None: there is none.
    binding: tuple[str, bytes] | None = None
    #: Our certificate was sent.
    certificate: bool = False


def choose(
    offered: Collection[str], wanted: Sequence[str], channel: Channel, *, insecure_passwords: bool = False
) -> str | None:
    """The first mechanism we want that the server offers and the channel allows; None: there is none.

    Passwords are sent by TLS alone, unless `insecure_passwords`.
    """
    for name in wanted:
        allowed = (
            (channel.certificate and channel.tls)
            if name == "EXTERNAL"
            else channel.binding is not None
            if name.endswith("-PLUS")
            else (channel.tls or insecure_passwords)
            if name in {"PLAIN", "LOGIN"}
            else True
        )
        if name in MECHANISMS and name in offered and allowed:
            return name
    return None


def start(mechanism: str, login: Login, channel: Channel, offered: Collection[str], nonce: str) -> Exchange:
    """The exchange of a mechanism that `choose` chose. `nonce`: fresh, unguessable, printable ASCII without comma."""
    base = mechanism.removesuffix("-PLUS")
    if base in _ALGORITHMS:
        plus = mechanism != base
        # RFC 5802 §6: `y` tells that we could bind and were not offered to, so that a server that did offer it notices
        # that somebody took that out of its words.
        could = channel.binding is not None and f"{base}-PLUS" not in offered
        flag = f"p={channel.binding[0]}" if plus and channel.binding else "y" if could else "n"
        data = channel.binding[1] if plus and channel.binding else b""
        return scram(_ALGORITHMS[base], login, nonce, flag=flag, binding=data)
    if mechanism == "CRAM-MD5":
        return cram_md5(login)
    if mechanism == "PLAIN":
        return plain(login)
    if mechanism == "LOGIN":
        return log_in(login)
    assert mechanism == "EXTERNAL", mechanism
    return external()


def plain(login: Login) -> Exchange:
    """RFC 4616 §2."""
    yield from _end(b"\0%b\0%b" % (login.username.encode(), _prepared(login.password)))


def external() -> Exchange:
    """As the certificate says (RFC 4422 §A.1)."""
    yield from _end(b"")


def log_in(login: Login) -> Exchange:
    """LOGIN has no standard: name and password follow whatever the two challenges say."""
    _expect((yield Response(None)))
    _expect((yield Response(login.username.encode())))
    yield from _end(_prepared(login.password))


def cram_md5(login: Login) -> Exchange:
    """RFC 2195 §2."""
    challenge = _expect((yield Response(None)))
    digest = hmac.new(_prepared(login.password), challenge, "md5").hexdigest()
    yield from _end(f"{login.username} {digest}".encode())


def scram(algorithm: str, login: Login, nonce: str, *, flag: str, binding: bytes) -> Exchange:
    """RFC 5802 §3; the algorithm as hashlib names it. The server, too, must prove that it knows the password."""
    header = f"{flag},,".encode()
    name = _prepared(login.username).replace(b"=", b"=3D").replace(b",", b"=2C")
    bare = b"n=%b,r=%b" % (name, nonce.encode("ascii"))
    server_first = _expect((yield Response(header + bare)))
    whole_nonce, salt, iterations = _server_first(server_first, nonce.encode("ascii"))
    salted = yield Derivation(algorithm, _prepared(login.password), salt, iterations)
    assert salted is not None
    without_proof = b"c=%b,r=%b" % (base64.b64encode(header + binding), whole_nonce)
    authentication = b",".join((bare, server_first, without_proof))
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    signature = hmac.digest(hashlib.new(algorithm, client_key).digest(), authentication, algorithm)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    server_final = _expect((yield Response(b"%b,p=%b" % (without_proof, base64.b64encode(proof)))))
    expected = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), authentication, algorithm)
    verifier, _, _ = server_final.partition(b",")
    if verifier.startswith(b"e="):
        said = verifier[2:100].decode("ascii", "replace")
        is_wrong = said in {"invalid-proof", "unknown-user"}  # RFC 5802 §7
        raise ExchangeError(f"user name or password is wrong ({said})" if is_wrong else f"the server says {said!r}")
    if not hmac.compare_digest(verifier, b"v=" + base64.b64encode(expected)):
        raise ExchangeError("the server does not know the password")
    yield from _end(b"")


def _server_first(message: bytes, nonce: bytes) -> tuple[bytes, bytes, int]:
    """Nonce, salt, iterations (RFC 5802 §5.1). Raises ExchangeError."""
    fields = message.split(b",")
    # Extensions that must be known come first as `m=`, and we know none.
    if len(fields) < 3 or [field[:2] for field in fields[:3]] != [b"r=", b"s=", b"i="]:
        raise ExchangeError("the server's first message of SCRAM is malformed")
    whole, count = fields[0][2:], fields[2][2:]
    if not whole.startswith(nonce) or len(whole) == len(nonce) or not _NONCE.fullmatch(whole):
        raise ExchangeError("the server's nonce is not made from ours")
    try:
        salt = binascii.a2b_base64(fields[1][2:], strict_mode=True)
    except binascii.Error as error:
        raise ExchangeError("the salt is not base64") from error
    if not salt or not _COUNT.fullmatch(count) or not LEAST_ITERATIONS <= int(count) <= MOST_ITERATIONS:
        raise ExchangeError("the salt is empty, or the count of iterations too low or too high")
    return whole, salt, int(count)


def _end(octets: bytes) -> Exchange:
    """The last response, after which the server can only say that it was right."""
    if (yield Response(octets)) is not None:
        raise ExchangeError("the server goes on after the end of the exchange")


def _expect(challenge: bytes | None) -> bytes:
    if challenge is None:
        raise ExchangeError("the server ended the exchange before it was complete")
    return challenge


def _prepared(text: str) -> bytes:
    """SASLprep as far as it changes anything (RFC 4013 §2.1, §2.2): what others derived is derived from that."""
    if text.isascii():
        return text.encode()
    mapped = (" " if stringprep.in_table_c12(one) else one for one in text if not stringprep.in_table_b1(one))
    return unicodedata.normalize("NFKC", "".join(mapped)).encode()
