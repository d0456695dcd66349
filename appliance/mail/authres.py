"""Authentication-Results: what a server found out about who sent a message.

RFC 8601. Composing is exact, reading lenient. Finding the results is for msgauth; only fields of servers one trusts
mean anything, and `authserv_id` tells whose a field says it is (RFC 8601 §5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from appliance.mail import comment, header

FIELD = b"Authentication-Results"
#: The same in a set of ARC (RFC 8617 §4.1.1).
ARC_FIELD = b"ARC-Authentication-Results"


class AuthResultsError(ValueError):
    """Not an Authentication-Results value."""


class Property(msgspec.Struct, frozen=True):
    """What a result is about: `smtp.mailfrom=a@b.example`."""

    #: smtp, header, body, policy, dns.
    type: str
    name: str
    value: str
    #: Shown behind it; not read back by `parse`.
    comment: str = ""


class Method(msgspec.Struct, frozen=True):
    """One method with its result."""

    method: str
    result: str
    comment: str = ""
    reason: str = ""
    properties: tuple[Property, ...] = ()
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AuthResults:
    """All results of one server; no methods means that it checked nothing."""

    #: The server's name (authserv-id).
    hostname: str
    methods: tuple[Method, ...] = ()
    version: int | None = None


_PLAIN_CHARACTER = "[!#-'*+.0-9A-Z^-~\u00a1-\U0010ffff-]"
_PLAIN = re.compile(rf"{_PLAIN_CHARACTER}++")
_PLAIN_PVALUE = re.compile(rf"(?:{_PLAIN_CHARACTER}*+@)?{_PLAIN_CHARACTER}++")
_QUOTE = re.compile(r'(["\\])')
_COMMENT_QUOTE = re.compile(r"([()\\])")
_ESCAPED = r"\\\1"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def compose(results: AuthResults, *, utf8: bool = False, instance: int | None = None) -> bytes:
    """The whole field, folded, with its line end. Without `utf8` text beyond ASCII becomes question marks.

    `instance`: it is the field of a set of ARC, and which.
    """
    parts = [] if instance is None else [f"i={instance}"]
    parts += [results.hostname if results.version is None else f"{results.hostname} {results.version}"]
    parts += [_method(method) for method in results.methods] or ["none"]
    text = "; ".join(parts)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    name = FIELD if instance is None else ARC_FIELD
    return header.fold(name, text.encode("utf-8" if utf8 else "ascii", "replace"))


def _method(method: Method) -> str:
    version = "" if method.version is None else f"/{method.version}"
    text = f"{method.method}{version}={method.result}"
    if method.comment:
        text += f" {_comment(method.comment)}"
    if method.reason:
        text += f" reason={_value(method.reason, _PLAIN)}"
    for item in method.properties:
        text += f" {item.type}.{item.name}={_value(item.value, _PLAIN_PVALUE)}"
        if item.comment:
            text += f" {_comment(item.comment)}"
    return text


def _comment(text: str) -> str:
    return f"({_COMMENT_QUOTE.sub(_ESCAPED, text) if _COMMENT_QUOTE.search(text) else text})"


def _value(text: str, plain: re.Pattern[str]) -> str:
    return text if plain.fullmatch(text) else f'"{_QUOTE.sub(_ESCAPED, text)}"'


_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n]++)"
    rb"|(?P<word>[^\x00-\x20\x7f()<>,;:\\\x22/\[\]?=]++)"
    rb"|(?P<quoted>\x22(?:[^\x22\\]++|\\.)*+\x22)"
    rb"|(?P<mark>[;/=])"
    rb"|(?P<comment>\()"
    # Lenient: octets that ought to be quoted, such as those of an IPv6 address or base64, within a value.
    rb"|(?P<raw>[<>,:\[\]?])",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
# Lenient: underscores, as in `policy.expected_arc`.
_LAX_KEYWORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def authserv_id(value: bytes) -> str | None:
    """The server a value says it is from, in lower case; None when there is none. Reads no further.

    For removing what claims to be ours before it was (RFC 8601 §5): it finds the name in malformed values too.
    """
    for kind, octets in _tokens(value):
        if kind in {"word", "quoted"}:
            return octets.decode("utf-8", "replace").lower()
        if kind not in {"space", "comment"}:
            break
    return None


def parse(value: bytes, *, pedantic: bool = False) -> AuthResults:
    """The results of a field's value, folded or not.

    A trailing semicolon and underscores in names are tolerated unless `pedantic`. Raises AuthResultsError.
    """
    return _Parser(value, pedantic).parse()


def _tokens(value: bytes) -> Iterator[tuple[str, bytes]]:
    """(kind, octets unquoted); white space is ("space", b" "), the first octet that fits nowhere is "bad"."""
    position = 0
    while position < len(value):
        match = _TOKEN.match(value, position)
        kind = str(match.lastgroup) if match else "bad"
        if match is None:
            yield kind, value[position : position + 1]
            return
        octets, position = match[0], match.end()
        if kind == "comment":
            closed = comment.end(value, match.start())
            if closed is None:
                yield "bad", octets
                return
            octets, position = _QUOTED_PAIR.sub(rb"\1", value[position : closed - 1]), closed
        elif kind == "quoted":
            octets = _QUOTED_PAIR.sub(rb"\1", octets[1:-1].replace(b"\r", b"").replace(b"\n", b""))
        elif kind == "space":
            octets = b" "
        yield kind, octets


class _Parser:
    """One token of look-ahead over the value; comments are white space that is remembered."""

    def __init__(self, value: bytes, pedantic: bool) -> None:
        self._tokens = _tokens(value)
        self._pedantic = pedantic
        self._comment = ""
        #: Empty at the end.
        self._kind = ""
        self._text = ""
        self._advance()

    def parse(self) -> AuthResults:
        self._skip()
        hostname = self._value()
        self._skip()
        version = self._number() if self._kind == "word" else None
        self._skip()
        methods: list[Method] = []
        while self._kind:
            self._take(";")
            self._skip()
            if not self._kind and methods and not self._pedantic:
                break
            name = self._keyword()
            self._skip()
            if name == "none" and not methods and not self._kind:
                return AuthResults(hostname, (), version)
            methods.append(self._method(name))
        if not methods:
            raise AuthResultsError("neither methods nor none")
        return AuthResults(hostname, tuple(methods), version)

    def _method(self, name: str) -> Method:
        version = None
        if self._is_mark("/"):
            self._advance()
            self._skip()
            version = self._number()
            self._skip()
        self._take("=")
        self._skip()
        result = self._keyword()
        self._comment = ""
        self._skip()
        remark, reason, properties = self._comment, "", []
        while self._kind and not self._is_mark(";"):
            key = self._key()
            value = self._value()
            self._skip()
            if key == ["reason"]:
                reason = value
            elif len(key) == 2:
                properties.append(Property(key[0], key[1], value))
            else:
                raise AuthResultsError("a property is a type, a dot and a name")
        return Method(name, result, remark, reason, tuple(properties), version)

    def _key(self) -> list[str]:
        """What stands before an equals sign, split at its dot; the sign is taken too."""
        words: list[str] = []
        while self._kind == "word":
            words.append(self._text)
            self._advance()
            self._skip()
        self._take("=")
        self._skip()
        return [self._checked(word) for word in "".join(words).split(".", 1)]

    def _value(self) -> str:
        """A quoted string, or all octets up to white space, a comment or a semicolon."""
        parts: list[str] = []
        while self._kind not in {"", "space", "comment"} and not self._is_mark(";"):
            if self._pedantic and self._kind not in {"quoted", "word"}:
                raise AuthResultsError("value needs quotes")
            parts.append(self._text)
            self._advance()
        if not parts:
            raise AuthResultsError("value is missing")
        return "".join(parts)

    def _keyword(self) -> str:
        word = self._checked(self._text) if self._kind == "word" else ""
        if not word:
            raise AuthResultsError("keyword is missing")
        self._advance()
        return word

    def _checked(self, word: str) -> str:
        if not (_KEYWORD if self._pedantic else _LAX_KEYWORD).fullmatch(word):
            raise AuthResultsError("malformed keyword")
        return word.lower()

    def _number(self) -> int:
        if self._kind != "word" or not _DIGITS.fullmatch(self._text):
            raise AuthResultsError("version is not a number")
        number = int(self._text)
        self._advance()
        return number

    def _is_mark(self, mark: str) -> bool:
        return self._kind == "mark" and self._text == mark

    def _take(self, mark: str) -> None:
        if not self._is_mark(mark):
            raise AuthResultsError(f"expected {mark}")
        self._advance()

    def _skip(self) -> None:
        while self._kind in {"space", "comment"}:
            if self._kind == "comment":
                self._comment = self._comment or self._text
            self._advance()

    def _advance(self) -> None:
        kind, octets = next(self._tokens, ("", b""))
        if kind == "bad":
            raise AuthResultsError("octet that fits nowhere, or a quote or comment that is never closed")
        self._kind, self._text = kind, octets.decode("utf-8", "replace")
