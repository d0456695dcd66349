"""Values a config file holds, checked when made: durations, sizes, domains, addresses, patterns, names.

Each is a string or number that remembers how it was written (so it is written back as given) and knows what it
means. Making one raises ValueError with a text for the operator, to be read behind the name of the key.
"""

import base64
import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import ClassVar, Final, Self
from urllib.parse import SplitResult, urlsplit

from appliance.base import regexp
from appliance.base.limits import PATTERN_STEPS
from appliance.mail.address import Address, AddressError, normalise_localpart, parse_address
from appliance.mail.domain import Domain, DomainError, parse_domain

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNIT_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_DURATION_PART = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
#: Nothing that a mail server waits for or keeps is counted in longer times, and dates stay within the calendar.
MAX_DURATION_SECONDS = 100 * 366 * 86400.0

_SIZE = re.compile(r"(-?)(\d{1,18})([kKMG]?)")
_SIZE_FACTOR = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
#: Sizes are stored as signed 64-bit numbers.
MAX_SIZE_OCTETS = (1 << 63) - 1

#: Characters of a regular expression; more is a mistake and makes matching costly.
MAX_PATTERN_CHARACTERS = 4096
#: Octets and levels of a mailbox name, as for mailboxes made over IMAP.
MAX_MAILBOX_OCTETS, MAX_MAILBOX_ELEMENT_OCTETS, MAX_MAILBOX_LEVELS = 1000, 200, 32
#: Below it stand mailboxes of other accounts; none of one's own begins with it.
OTHER_USERS = "Other Users"
_NOT_IN_MAILBOX = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PRINTABLE = re.compile(r"[ -~]{1,256}")


class Value(str):
    """A checked string. Sub-classes check in `__new__`."""

    #: What the commented template shows.
    EXAMPLE: ClassVar[str] = ""


class Duration(Value):
    """A time span such as `72h`, `1h30m` or `2w`; units ns us ms s m h d w."""

    EXAMPLE = "24h"
    #: Length in seconds, never negative.
    seconds: float

    def __new__(cls, text: str) -> Self:
        value = super().__new__(cls, text)
        value.seconds = _duration_seconds(text)
        return value


@lru_cache(maxsize=256)
def _duration_seconds(text: str) -> float:
    if not _DURATION.fullmatch(text):
        raise ValueError('must be a duration such as "72h", "1h30m" or "2w" (units ns us ms s m h d w)')
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    if seconds > MAX_DURATION_SECONDS:
        raise ValueError("is longer than 100 years")
    return seconds


class Size(int):
    """A number of octets; in the file an integer, or a string with a suffix k, M or G (powers of 1024)."""

    def __new__(cls, value: int | str) -> Self:
        size = super().__new__(cls, _size_octets(value))
        if size < 0 and not cls.may_be_negative:
            raise ValueError("must not be negative")
        return size

    may_be_negative: ClassVar[bool] = False


class Quota(Size):
    """A size that may be negative, which means unlimited."""

    may_be_negative = True


def _size_octets(value: int | str) -> int:
    if isinstance(value, str):
        if not (match := _SIZE.fullmatch(value)):
            raise ValueError('must be a number of bytes, or a string such as "500M" (suffixes k, M, G)')
        value = int(match[1] + match[2]) * _SIZE_FACTOR[match[3]]
    if abs(value) > MAX_SIZE_OCTETS:
        raise ValueError("is too large")
    return value


class Port(int):
    """A TCP port."""

    def __new__(cls, value: int) -> Self:
        if not 0 < value < 65536:
            raise ValueError("must be a port number from 1 to 65535")
        return super().__new__(cls, value)


class DomainName(Value):
    """A domain in its Unicode spelling, lower-case; `.domain` has both spellings."""

    EXAMPLE = "mail.example.org"
    domain: Domain

    def __new__(cls, text: str) -> Self:
        domain = config_domain(text)
        value = super().__new__(cls, domain.unicode)
        value.domain = domain
        return value


def config_domain(text: str) -> Domain:
    """A domain as config files spell it: in U-labels. Raises ValueError."""
    try:
        domain = parse_domain(text)
    except DomainError as error:
        raise ValueError(f"is not a valid domain name: {error}") from error
    if unicodedata.normalize("NFC", text).lower() != domain.unicode:
        raise ValueError(f'must be written in its Unicode form, "{domain.unicode}"')
    return domain


class HostPattern(Value):
    """A host, or `*.` and a domain for every host one label below it (RFC 8461 §4.1)."""

    EXAMPLE = "mail.example.org"
    #: The host, or the domain behind the `*.`.
    domain: Domain
    is_wildcard: bool

    def __new__(cls, text: str) -> Self:
        is_wildcard = text.startswith("*.")
        domain = config_domain(text.removeprefix("*."))
        value = super().__new__(cls, ("*." if is_wildcard else "") + domain.unicode)
        value.domain, value.is_wildcard = domain, is_wildcard
        return value


class RouteDomain(Value):
    """Which domains a route is for: one, `.domain` for it and all below, or `.` for the null sender."""

    EXAMPLE = ".example.org"
    #: None for the lone dot.
    domain: Domain | None
    with_subdomains: bool

    def __new__(cls, text: str) -> Self:
        domain = None if text == "." else config_domain(text.removeprefix("."))
        dot = "." if text.startswith(".") else ""
        value = super().__new__(cls, dot + (domain.unicode if domain else ""))
        value.domain, value.with_subdomains = domain, bool(dot)
        return value

    def matches(self, domain: Domain | None) -> bool:
        """Whether a sender's or recipient's domain is meant; None is the null sender's."""
        if self.domain is None or domain is None:
            return self.domain is domain
        if domain == self.domain:
            return True
        return self.with_subdomains and domain.ascii.endswith("." + self.domain.ascii)


class AddressName(Value):
    """An email address, `local@domain`, its domain in Unicode spelling."""

    EXAMPLE = "user@example.org"
    address: Address

    def __new__(cls, text: str) -> Self:
        address = config_address(text)
        value = super().__new__(cls, address.unicode)
        value.address = address
        return value


def config_address(text: str) -> Address:
    """An address as config files spell it. Raises ValueError."""
    try:
        address = parse_address(text)
    except AddressError as error:
        raise ValueError(f"is not a valid address: {error}") from error
    config_domain(text.rpartition("@")[2])
    return address


def typed_address(text: str) -> AddressName:
    """An address as a person types it, its domain in either spelling. Raises ValueError."""
    try:
        return AddressName(parse_address(text).unicode)
    except AddressError as error:
        raise ValueError(f"{text!r} is not an address: {error}") from error


def typed_domain(text: str) -> DomainName:
    """A domain as a person types it, in either spelling. Raises ValueError."""
    try:
        return DomainName(parse_domain(text).unicode)
    except DomainError as error:
        raise ValueError(f"{text!r} is not a domain: {error}") from error


class Localpart(Value):
    """What stands before the `@` of an address; in NFC, unquoted."""

    EXAMPLE = "user"

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, config_localpart(text))


def config_localpart(text: str) -> str:
    """A localpart written as in an address (quoted if need be), in NFC. Raises ValueError."""
    try:
        return parse_address(f"{text}@localhost").localpart
    except AddressError as error:
        raise ValueError(f"is not a valid localpart: {error}") from error


class Separator(Value):
    """What begins the ignored rest of a localpart."""

    EXAMPLE = "+"

    def __new__(cls, text: str) -> Self:
        if not 0 < len(text) <= 16 or "@" in text or '"' in text or not text.isprintable() or " " in text:
            raise ValueError("must be 1 to 16 characters without space, quote and @")
        return super().__new__(cls, normalise_localpart(text))


class MailboxName(Value):
    """A mailbox name in NFC; `inbox` in any case is `Inbox`, alone and as first element."""

    EXAMPLE = "Archive"

    def __new__(cls, text: str) -> Self:
        nfc = unicodedata.normalize("NFC", text)
        if nfc != text:
            raise ValueError(f'must be written in Unicode normal form NFC: "{nfc}"')
        if _NOT_IN_MAILBOX.search(text):
            raise ValueError("must not have control characters")
        if text.startswith("#"):
            raise ValueError("must not begin with #")
        elements = text.split("/")
        if any(element in {"", ".", ".."} for element in elements):
            raise ValueError('must not have an empty, "." or ".." element between slashes')
        if (
            len(elements) > MAX_MAILBOX_LEVELS
            or len(text.encode()) > MAX_MAILBOX_OCTETS
            or any(len(element.encode()) > MAX_MAILBOX_ELEMENT_OCTETS for element in elements)
        ):
            raise ValueError("is too long")
        if elements[0].lower() == "inbox":
            elements[0] = "Inbox"
        if elements[0] == OTHER_USERS:
            raise ValueError(f'must not begin with "{OTHER_USERS}", where mailboxes of other accounts are')
        return super().__new__(cls, "/".join(elements))

    @property
    def is_inbox(self) -> bool:
        """Whether this is the Inbox itself."""
        return self == "Inbox"


#: A group in what replaces a match, like the template syntax of RE2: ${1}, $1, ${name}, $name.
GROUP: Final = re.compile(r"\$(?:\{([^}]*)\}|(\w+))")


class Pattern(Value):
    """A regular expression in the syntax common to Python and RE2, searched unanchored.

    Back-references, look-around, atomic groups and possessive repeats are refused, so that matching can be
    done in linear time. This is the source; `base.regexp` searches with it.
    """

    EXAMPLE = "^example$"

    def __new__(cls, text: str) -> Self:
        if fault := _pattern_fault(text):
            raise ValueError(fault)
        return super().__new__(cls, text)

    def matches(self, text: str) -> bool:
        """Whether it is found in a name; not if looking takes too much work, however the expression is made.

        Outcomes are remembered, for the same few names come again and again.
        """
        return _matches(self, text)


@lru_cache(maxsize=2048)
def _matches(pattern: str, text: str) -> bool:
    try:
        return regexp.compile(pattern).search(text, regexp.Budget(PATTERN_STEPS))
    except regexp.TooMuchWork:
        return False


_PATTERN_PIECE = re.compile(
    r"\\(?P<escape>.)"
    r"|\[\^?\]?(?P<set>(?:\\.|[^\]\\])*)\]"
    r"|(?P<group>\(\?(?:<[=!]|P=|[=!>(#]))"
    r"|(?P<possessive>[*+?}]\+)"
    r"|.",
    re.DOTALL,
)
#: What RE2 and Python read differently within brackets.
_AMBIGUOUS_SET = re.compile(r"(?:\\.|[^\\])*?(?:\[|--|&&|~~|\|\|)", re.DOTALL)


@lru_cache(maxsize=1024)
def _pattern_fault(text: str) -> str:
    if len(text) > MAX_PATTERN_CHARACTERS:
        return f"is longer than {MAX_PATTERN_CHARACTERS} characters"
    for piece in _PATTERN_PIECE.finditer(text):
        escape, members = piece["escape"], piece["set"]
        if piece["group"] or piece["possessive"] or (escape and escape in "123456789"):
            return f'has "{piece.group()}", which is not supported (no back-references, no look-around)'
        if members and _AMBIGUOUS_SET.match(members):
            return f'has "{piece.group()}": write [, -, &, ~ and | within brackets with a backslash'
    try:
        regexp.compile(text)
    except regexp.RegexpError as error:
        return str(error)
    return ""


class IPName(Value):
    """An IP address."""

    EXAMPLE = "192.0.2.1"
    ip: IPAddress

    def __new__(cls, text: str) -> Self:
        try:
            ip = ipaddress.ip_address(text)
        except ValueError as error:
            raise ValueError("is not an IP address") from error
        if "%" in text:
            raise ValueError("must not have a zone")
        value = super().__new__(cls, str(ip))
        value.ip = ip
        return value


class NetworkName(Value):
    """A network of IP addresses; one address is a network too."""

    EXAMPLE = "192.0.2.0/24"
    network: IPNetwork

    def __new__(cls, text: str) -> Self:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise ValueError("is not an IP address or network, like 192.0.2.0/24") from error
        if "%" in text:
            raise ValueError("must not have a zone")
        if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
            raise ValueError(f"has bits set behind its prefix; that network is {network}")
        value = super().__new__(cls, str(network))
        value.network = network
        return value


class HostPort(Value):
    """`host:port`, an IPv6 address in brackets."""

    EXAMPLE = "127.0.0.1:1080"
    host: str
    port: int

    def __new__(cls, text: str) -> Self:
        host, colon, port = text.rpartition(":")
        is_bracketed = host.startswith("[") and host.endswith("]")
        if not colon or not host or (":" in host and not is_bracketed):
            raise ValueError("must be host:port")
        if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
            raise ValueError("has no valid port")
        host = host[1:-1] if is_bracketed else host
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError:
            host = config_domain(host).ascii
        value = super().__new__(cls, text)
        value.host, value.port = host, int(port)
        return value


class WebURL(Value):
    """An absolute http or https URL."""

    EXAMPLE = "https://www.example.org/"
    parts: SplitResult

    def __new__(cls, text: str) -> Self:
        try:
            parts = urlsplit(text)
            _ = parts.port  # raises when it is not a number
        except ValueError as error:
            raise ValueError(f"is not a valid URL: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an absolute http or https URL")
        if not text.isprintable() or " " in text:
            raise ValueError("must not have spaces or control characters")
        value = super().__new__(cls, text)
        value.parts = parts
        return value


class WebhookSecret(Value):
    """A key for signing, as Standard Webhooks writes it."""

    EXAMPLE = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

    def __new__(cls, text: str) -> Self:
        try:
            octets = base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except ValueError:
            octets = b""
        if not text.startswith("whsec_") or not 24 <= len(octets) <= 64:
            raise ValueError("must be whsec_ and 24 to 64 octets in base64")
        return super().__new__(cls, text)


class URLPath(Value):
    """Where a web service lives: begins and ends with a slash. A missing last slash is added."""

    EXAMPLE = "/"
    #: Whether the last slash was missing in the file.
    was_completed: bool

    def __new__(cls, text: str) -> Self:
        if not text.startswith("/"):
            raise ValueError("must begin with a slash")
        if not text.isprintable() or set(text) & set(" ?#"):
            raise ValueError("must be a plain URL path")
        value = super().__new__(cls, text if text.endswith("/") else text + "/")
        value.was_completed = not text.endswith("/")
        return value


class FilePath(Value):
    """The name of a file; relative ones start at the config directory unless the key says otherwise."""

    EXAMPLE = "file.pem"

    def __new__(cls, text: str) -> Self:
        if not text or "\0" in text:
            raise ValueError("must be a file name")
        return super().__new__(cls, text)


class ReplyText(Value):
    """A text that is sent in SMTP or IMAP replies: 1 to 256 printable ASCII characters."""

    EXAMPLE = "text"

    def __new__(cls, text: str) -> Self:
        if not _PRINTABLE.fullmatch(text):
            raise ValueError("must be at most 256 printable ASCII characters")
        return super().__new__(cls, text)


class HeaderName(Value):
    """A header field name of mail or HTTP."""

    EXAMPLE = "Subject"

    def __new__(cls, text: str) -> Self:
        if not re.fullmatch(r"[!-9;-~]{1,256}", text):
            raise ValueError("must be a header field name without space or colon")
        return super().__new__(cls, text)


def plain(value: object) -> object:
    """A checked value as the plain string or number of its JSON and TOML forms (msgspec's `enc_hook`)."""
    if isinstance(value, Value):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    raise NotImplementedError(f"{type(value).__name__} has no plain form")


def typed_quota(text: str) -> Quota:
    """A quota as a person types it: a size, `none`, or `default` for that of the static file. Raises ValueError."""
    if text in {"none", "default"}:
        return Quota(-1 if text == "none" else 0)
    try:
        octets = Size(int(text) if text.isascii() and text.isdigit() else text)
    except ValueError as error:
        raise ValueError(f"size {text!r} {error}, or none, or default") from error
    if not octets:
        raise ValueError("the size must not be 0: for no limit say none")
    return Quota(octets)
