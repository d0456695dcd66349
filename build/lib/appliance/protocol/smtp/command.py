"""The commands of SMTP as values, and the parser that makes them from lines.

RFC 5321 §4.1, with SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954), STARTTLS (RFC
3207), REQUIRETLS (RFC 8689), FUTURERELEASE (RFC 4865), DSN (RFC 3461) and CHUNKING (RFC 3030). Which command may come
when is for server.py.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from appliance.mail.address import AddressError, Path, parse_path, split_path
from appliance.mail.domain import Domain, DomainError, IPLiteral, parse_domain, parse_host
from appliance.mail.status import Status
from appliance.protocol.smtp import dsn
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.settings import Settings

# ---- Commands, as events of the server's conversation. ----


@dataclass(frozen=True, slots=True)
class Helo:
    """The client names itself and wants no extensions."""

    #: None where the argument is not looked at: mail clients of users send anything.
    host: Domain | None


@dataclass(frozen=True, slots=True)
class Ehlo:
    """The client names itself and asks for the extensions; LHLO in LMTP (RFC 2033 §4.1)."""

    #: None as with Helo.
    host: Domain | IPLiteral | None


@dataclass(frozen=True, slots=True)
class StartTLS:
    """The next octets are a TLS handshake (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The client starts a SASL exchange (RFC 4954)."""

    #: As sent, of the right form, not necessarily known.
    mechanism: str
    #: None when the client waits for a challenge; empty is a response.
    initial: bytes | None


class Body(Enum):
    """What the client says about its message (RFC 6152, RFC 3030 §3)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"


@dataclass(frozen=True, slots=True)
class FutureRelease:
    """When a submission may leave (RFC 4865)."""

    moment: datetime
    #: `for;SECONDS` or `until;DATE-TIME`, for delivery status notifications (RFC 4865 §9).
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A transaction begins. The AUTH parameter is checked and dropped: we trust nobody's word for it."""

    path: Path
    #: As declared; may be wrong.
    size_octets: int | None = None
    body: Body | None = None
    smtputf8: bool = False
    requiretls: bool = False
    release: FutureRelease | None = None
    #: What a notice of failure brings back: `FULL` or `HDRS`; None: our choice (RFC 3461 §4.3).
    ret: str | None = None
    #: The sender's name for this message, decoded (RFC 3461 §4.4).
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One recipient. `<postmaster>` is a path without domain (RFC 5321 §4.1.1.3)."""

    path: Path
    #: When its sender wants notices: some of `DELAY FAILURE SUCCESS`, sorted, or `NEVER` alone; None: not said
    #: (RFC 3461 §4.1).
    notify: tuple[str, ...] | None = None
    #: `addr-type;xtext` as it came: whom the message was first meant for (RFC 3461 §4.2).
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """The client wants to send its message."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """So many octets of the message follow at once (RFC 3030 §2)."""

    size_octets: int
    #: They are the last ones.
    last: bool


@dataclass(frozen=True, slots=True)
class Rset:
    """The transaction is forgotten."""


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing is asked for but a reply."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The client is done."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """A question whether a mailbox exists."""


@dataclass(frozen=True, slots=True)
class Expn:
    """A question who is behind a list."""


@dataclass(frozen=True, slots=True)
class Help:
    """A question for help."""


Command = Helo | Ehlo | StartTLS | Auth | Mail | Rcpt | Data | Bdat | Rset | Noop | Quit | Vrfy | Expn | Help

# ---- Arguments: what follows the verb and its space, empty when nothing does. ----

#: Octets of a forward-path with its brackets (RFC 5321 §4.5.3.1.3).
MAX_FORWARD_PATH_OCTETS = 256

#: RFC 4422 §3.1
_MECHANISM = re.compile(rb"[A-Z0-9_-]{1,20}")
#: esmtp-param (RFC 5321 §4.1.2), values with UTF-8 (RFC 6531 §3.3)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~\x80-\xff]++))?+")
#: RFC 1870 §4
_SIZE = re.compile(r"[0-9]{1,20}")
#: RFC 3030 §2
_CHUNK = re.compile(rb"([0-9]{1,20})(?: (LAST))?", re.IGNORECASE)
#: RFC 3461 §4, and the null address that AUTH also takes (RFC 4954 §5)
_XTEXT = re.compile(r"<>|(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
#: RFC 4865 §5.1
_HOLD_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
#: RFC 4865 §5.2, RFC 3339 §5.6
_HOLD_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,40})?Z")


def malformed(text: str, remainder: bytes = b"") -> ProtocolError:
    """A syntax error in a command."""
    return ProtocolError(Reply(501, Status(5, 5, 2), text), remainder=remainder)


def too_large(size_octets: int, settings: Settings, *, fatal: bool) -> ProtocolError:
    """A message, of this size at least, that is over the maximum (RFC 1870 §6)."""
    # Below what the product usually takes it is this listener that is strict, not the system.
    status = Status(5, 2, 3) if size_octets < settings.limits.usual_message_octets else Status(5, 3, 4)
    text = f"message is larger than the maximum of {settings.max_message_octets} octets"
    return ProtocolError(Reply(552, status, text), fatal=fatal)


def parse_helo(argument: bytes, settings: Settings) -> Helo:
    """HELO takes a domain (RFC 5321 §4.1.1.1). Raises ProtocolError."""
    if settings.submission and not settings.pedantic:
        return Helo(None)  # Lenient: mail clients send the name of a desk, a kernel, or nothing.
    try:
        return Helo(parse_domain(argument.decode("utf-8"), lax=not settings.pedantic))
    except (DomainError, UnicodeDecodeError) as error:
        raise malformed("HELO takes a domain name", argument) from error


def parse_ehlo(argument: bytes, settings: Settings) -> Ehlo:
    """EHLO takes a domain or an address literal (RFC 5321 §4.1.1.1). Raises ProtocolError."""
    if settings.submission and not settings.pedantic:
        return Ehlo(None)
    host = argument
    if host.startswith(b"["):
        host = host.partition(b" ")[0]  # Lenient: what follows a literal is somebody's comment.
    try:
        # Lenient: hosts of Windows networks have underscores in their names.
        return Ehlo(parse_host(host.decode("utf-8"), lax=not settings.pedantic))
    except (DomainError, UnicodeDecodeError) as error:
        raise malformed("EHLO takes a domain name or an address literal", argument) from error


def parse_auth(argument: bytes, settings: Settings) -> Auth:
    """AUTH takes a mechanism and perhaps a response (RFC 4954 §4). Raises ProtocolError."""
    name, space, response = argument.partition(b" ")
    if not _MECHANISM.fullmatch(name):
        raise malformed("AUTH takes the name of a mechanism, in upper case")
    mechanism = name.decode("ascii")
    if not space:
        return Auth(mechanism, None)
    if not settings.pedantic:
        response = response.lstrip(b" ")
    return Auth(mechanism, b"" if response == b"=" else parse_response(response or b"="))


def parse_response(line: bytes) -> bytes:
    """The octets of a base64 line in a SASL exchange (RFC 4954 §4).

    Raises ProtocolError, which does not quote the line: it may be somebody's password.
    """
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error as error:
        raise malformed("response is not base64") from error


def parse_mail(argument: bytes, settings: Settings, *, tls: bool, now: Callable[[], datetime]) -> Mail:
    """MAIL takes `FROM:`, a reverse-path and parameters (RFC 5321 §4.1.1.2). Raises ProtocolError."""
    octets, rest = _split(argument, b"FROM:", settings)
    # First the parameters: one of them says how to read the path.
    parameters = _parameters(rest, settings)
    size_octets: int | None = None
    body: Body | None = None
    requiretls = False
    release: FutureRelease | None = None
    ret: str | None = None
    envid: str | None = None
    for name, value in parameters.items():
        if name == "SIZE":
            size_octets = int(_valued(name, value, _SIZE))
            if size_octets > settings.max_message_octets:
                raise too_large(size_octets, settings, fatal=False)
        elif name == "BODY":
            try:
                body = Body((value or "").upper())
            except ValueError as error:
                raise _bad_body(settings) from error
            if body is Body.BINARY_MIME and not settings.binarymime:
                raise _bad_body(settings)
        elif name == "AUTH":
            _valued(name, value, _XTEXT)
        elif name == "SMTPUTF8":
            _flag(name, value)
        elif name == "REQUIRETLS":
            _flag(name, value)
            if not tls:
                raise ProtocolError(Reply(523, Status(5, 7, 10), "REQUIRETLS needs TLS on this connection"))
            if not settings.requiretls:
                raise _unknown(name)
            requiretls = True
        elif name in {"HOLDFOR", "HOLDUNTIL"} and settings.future_release:
            if release is not None:
                raise ProtocolError(Reply(501, Status(5, 5, 4), "HOLDFOR and HOLDUNTIL exclude each other"))
            release = _release(name, value, settings, now())
        elif name == "RET":
            ret = dsn.parse_ret(value)
        elif name == "ENVID":
            envid = dsn.parse_envid(value)
        else:
            raise _unknown(name)
    smtputf8 = "SMTPUTF8" in parameters
    path = _path(octets, settings, smtputf8=smtputf8, code_without_smtputf8=550)
    if path.domain is None and not path.is_null:
        raise malformed("reverse-path has no domain", octets)
    return Mail(path, size_octets, body, smtputf8, requiretls, release, ret, envid)


def parse_rcpt(argument: bytes, settings: Settings, *, smtputf8: bool) -> Rcpt:
    """RCPT takes `TO:`, a forward-path and parameters (RFC 5321 §4.1.1.3). Raises ProtocolError."""
    octets, rest = _split(argument, b"TO:", settings)
    notify: tuple[str, ...] | None = None
    orcpt: str | None = None
    for name, value in _parameters(rest, settings).items():
        if name == "NOTIFY":
            notify = dsn.parse_notify(value)
        elif name == "ORCPT":
            orcpt = dsn.parse_orcpt(value, smtputf8=smtputf8)
        else:
            raise _unknown(name)
    if len(octets) > MAX_FORWARD_PATH_OCTETS:
        raise malformed("path is too long", octets)
    path = _path(octets, settings, smtputf8=smtputf8, code_without_smtputf8=553)
    if path.is_null:
        raise malformed("a recipient has an address")
    return Rcpt(path, notify, orcpt)


def parse_bdat(argument: bytes) -> Bdat:
    """BDAT takes the number of octets that follow it, and perhaps `LAST` (RFC 3030 §2).

    Raises a fatal ProtocolError: how many octets are no commands is not known then.
    """
    if not (match := _CHUNK.fullmatch(argument)):
        text = "BDAT takes a number of octets and LAST"
        raise ProtocolError(Reply(501, Status(5, 5, 4), text), fatal=True, remainder=argument)
    return Bdat(int(match[1]), match[2] is not None)


def _bad_body(settings: Settings) -> ProtocolError:
    known = [body.value for body in Body if settings.binarymime or body is not Body.BINARY_MIME]
    return ProtocolError(Reply(555, Status(5, 5, 4), f"BODY is one of {', '.join(known)}"))


def _split(argument: bytes, keyword: bytes, settings: Settings) -> tuple[bytes, bytes]:
    """The path behind the keyword, with its brackets, and what follows.

    Strict: other servers take a path without brackets too; nobody writes one today but by mistake.
    """
    length = len(keyword)
    if argument[:length].upper() != keyword:
        raise malformed(f"{keyword.decode()} is missing", argument)
    if argument[length : length + 1] == b" " and not settings.pedantic:
        length += 1  # Lenient: Outlook and many scripts put a space there.
    try:
        return split_path(argument[length:])
    except AddressError as error:
        raise malformed(str(error), argument[length:]) from error


def _path(octets: bytes, settings: Settings, *, smtputf8: bool, code_without_smtputf8: int) -> Path:
    try:
        return parse_path(octets, smtputf8=smtputf8, strict=settings.pedantic)
    except AddressError as error:
        if error.lacks_smtputf8:  # RFC 6531 §3.5
            raise ProtocolError(Reply(code_without_smtputf8, Status(5, 6, 7), str(error))) from error
        raise malformed(str(error), octets) from error


def _parameters(octets: bytes, settings: Settings) -> dict[str, str | None]:
    """Parameters by name in upper case, None for one without value."""
    parameters: dict[str, str | None] = {}
    if not octets:
        return parameters
    first, *words = octets.split(b" ")
    if first:
        raise malformed("a space must follow the path", octets)
    for word in words:
        if not word and not settings.pedantic:
            continue  # Lenient: two spaces where one is due, as Postfix and Exim take them.
        if not (match := _PARAMETER.fullmatch(word)):
            raise malformed("malformed parameter", word)
        name = match[1].decode("ascii").upper()
        if name in parameters:
            raise ProtocolError(Reply(501, Status(5, 5, 4), f"parameter {name} is there twice"))
        parameters[name] = None if match[2] is None else match[2].decode("utf-8", "replace")
    return parameters


def _unknown(name: str) -> ProtocolError:
    return ProtocolError(Reply(555, Status(5, 3, 3), f"parameter {name} is not supported here"))


def _valued(name: str, value: str | None, form: re.Pattern[str]) -> str:
    if value is None or not form.fullmatch(value):
        raise malformed(f"malformed value of parameter {name}", (value or "").encode())
    return value


def _flag(name: str, value: str | None) -> None:
    if value is not None:
        raise malformed(f"parameter {name} takes no value", value.encode())


def _release(name: str, value: str | None, settings: Settings, now: datetime) -> FutureRelease:
    latest = now + timedelta(seconds=settings.limits.future_release_seconds)
    if name == "HOLDFOR":
        text = _valued(name, value, _HOLD_SECONDS)
        moment = now + timedelta(seconds=int(text))
    else:
        text = _valued(name, value, _HOLD_MOMENT)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise malformed("HOLDUNTIL takes a date and time", text.encode()) from error
    if not now <= moment <= latest:  # RFC 4865 §4.2.2
        raise ProtocolError(Reply(554, Status(5, 5, 4), f"{name} is in the past or too far ahead"))
    return FutureRelease(moment, f"{name[4:].lower()};{text}")
