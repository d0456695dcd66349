"""Where a redirect leads: pure."""

import re
from functools import partial
from typing import Final

from appliance.base import limits, regexp
from appliance.config.domains import Redirect
from appliance.config.values import GROUP
from appliance.net.http import parse_url
from appliance.servers.web.asgi import Scope
from appliance.servers.web.dispatch import clean_path
from appliance.servers.web.site.paths import as_sent, encoded

_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class NoMatch(Exception):
    """The path is none that the redirect is about."""


def location(redirect: Redirect, scope: Scope) -> str | None:
    """The URL to go to; None if that is where the client is already. Raises NoMatch.

    Without `base_url` it is a path: a browser stays at the host where it is, however that was spelled.
    """
    path: str = scope["path"]
    shown = as_sent(scope)
    if redirect.orig_path_regexp:
        path = replaced(redirect.orig_path_regexp, redirect.replace_path, path)
        shown = encoded(path)
    here = _place(scope["scheme"], scope["state"]["host"], _port(scope))
    there, begin, query, fragment = here, "", scope["query_string"].decode("latin-1"), ""
    if redirect.base_url is not None:
        parts, url = redirect.base_url.parts, parse_url(redirect.base_url)
        there = _place(url.scheme, url.host, url.port)
        begin = f"{url.scheme}://{url.authority}"
        query = "&".join(one for one in (parts.query, query) if one)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
    if (there, path) == (here, scope["path"]):
        return None
    return begin + shown + (f"?{query}" if query else "") + fragment


def replaced(pattern: str, template: str, path: str) -> str:
    """The path with every match of a pattern replaced, `$1` and `${name}` in the template by its groups.

    Raises NoMatch. Clean again: two slashes at its beginning would be another host (RFC 3986 §4.2).
    """
    compiled, budget = regexp.compile(pattern, groups=True), regexp.Budget(limits.FIND_STEPS)
    pieces, at, seek = [], 0, 0
    try:
        while (found := compiled.find(path, budget, seek)) is not None:
            pieces += [path[at : found.begin], GROUP.sub(partial(_of_template, found), template)]
            at = found.end
            seek = at + (found.begin == found.end)
            if sum(map(len, pieces)) > limits.HTTP_HEAD_OCTETS // 2:
                raise NoMatch
    except regexp.TooMuchWork as error:
        raise NoMatch from error
    if not pieces:
        raise NoMatch
    cleaned = clean_path("/" + "".join(pieces) + path[at:])
    if cleaned is None:
        raise NoMatch
    return cleaned


def _of_template(match: regexp.Match, group: re.Match[str]) -> str:
    return match.group(group[1] if group[1] is not None else group[2])


def _port(scope: Scope) -> int | None:
    value = next((value for name, value in scope["headers"] if name == b"host"), b"")
    number = value.rpartition(b":")[2]
    return int(number) if number.isdigit() and b":" in value else None


def _place(scheme: str, host: str, port: int | None) -> tuple[str, str, int]:
    return scheme, host, _PORTS[scheme] if port is None else port
