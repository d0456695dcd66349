"""Paths of requests: as they are passed on, and what of them names a file."""

from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from appliance.servers.web.asgi import Scope

#: Left as it is in the path of a URL (RFC 3986 §3.3).
_SAFE: Final = "/:@!$&'()*+,;=-._~"
#: Where sites put what others look for (RFC 8615): begins with a dot, and is meant to be seen.
_WELL_KNOWN: Final = ".well-known"


def encoded(path: str) -> str:
    """A decoded path as it stands in a URL."""
    return quote(path, safe=_SAFE)


def as_sent(scope: Scope, skip: int = 0) -> str:
    """The path of a request for a URL, without so many characters at its beginning.

    As the client wrote it if that is clean: applications tell `%2F` from a slash. Else what we made of it, so that
    nobody behind us sees another path than the one that was looked at here.
    """
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path", b"")
    written = raw.decode("latin-1")
    if unquote(written) != path:
        return encoded(path[skip:])
    skipped = path[:skip].encode()
    at = seen = 0
    while seen < len(skipped) and at < len(raw):
        at += 3 if _is_encoded(raw, at) else 1
        seen += 1
    if unquote_to_bytes(raw[:at]) != skipped:
        return encoded(path[skip:])  # Not UTF-8, which is decoded to other characters.
    return quote(written[at:], safe=_SAFE + "%")


def _is_encoded(raw: bytes, at: int) -> bool:
    digits = raw[at + 1 : at + 3]
    return raw[at : at + 1] == b"%" and len(digits) == 2 and digits.strip(b"0123456789abcdefABCDEF") == b""


def segments_of(path: str, prefix: str, *, dotfiles: bool) -> list[str] | None:
    """The names of directories and file that a path leads through below a root; None: to nothing there.

    What is left behind a prefix need not be clean though the path was: `/site` leaves `/..` of `/site/..`, and `..` of
    `/site..`.
    """
    if not path.startswith(prefix):
        return None
    segments = [one for one in path[len(prefix) :].split("/") if one]
    if any(one in {".", ".."} or "\0" in one for one in segments):
        return None
    return segments if dotfiles or not hidden(segments) else None


def hidden(segments: list[str]) -> bool:
    """Whether a name begins with a dot: such files are seldom meant for others."""
    return any(one.startswith(".") for one in segments[1:] if one) or (
        bool(segments) and segments[0].startswith(".") and segments[0] != _WELL_KNOWN
    )
