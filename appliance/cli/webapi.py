"""The command webapi: what methods there are, what they take and give, and calling them."""

import json
import os
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError

_SECONDS: Final = 60


def webapi(invocation: Invocation) -> int:
    """List methods, show one, or call one with JSON from standard input."""
    from appliance.servers.web.webapi import methods

    if not invocation.arguments:
        width = max(map(len, methods.METHODS))
        for method in methods.METHODS.values():
            print(f"{method.name.ljust(width)}  {method.about}")
        return OK
    name, *base = invocation.arguments
    if name not in methods.METHODS:
        raise Failed(f"there is no method {name!r}; moxpy webapi lists them")
    if base:
        return _call(invocation, name, base[0])
    method = methods.METHODS[name]
    print(f"{method.name}: {method.about}\n\nrequest:\n{_pretty(method.example)}\n\nresponse:")
    print("octets" if method.response is None else _pretty(method.example_response))
    return OK


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _call(invocation: Invocation, name: str, base: str) -> int:
    """POST to `base`, such as https://address:password@mail.example.org/webapi/v0/; the reply to standard output."""
    where = urlsplit(base)
    if where.scheme not in {"http", "https"} or not where.hostname:
        raise UsageError(f"the address must begin with http:// or https://\nusage: {invocation.command.usage}")
    user, password = where.username, where.password
    if user is None:
        user, password = os.environ.get("MOXPY_USER"), os.environ.get("MOXPY_PASSWORD")
    body = urlencode({"request": sys.stdin.read().strip() or "{}"}).encode()
    at = where._replace(netloc=where.netloc.rpartition("@")[2], path=f"{where.path.rstrip('/')}/{quote(name)}")
    request = urllib.request.Request(at.geturl(), body, method="POST")  # noqa: S310
    if user is not None:
        from urllib.parse import unquote

        token = b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            sys.stdout.flush()
            sys.stdout.buffer.write(response.read())
            sys.stdout.buffer.flush()
    except urllib.error.HTTPError as error:
        octets = error.read()
        if error.code == 400:
            print(octets.decode("utf-8", "replace").strip())
        else:
            print(f"{error.code} {error.reason}\n{octets.decode('utf-8', 'replace').strip()}", file=sys.stderr)
        return FAILED
    except OSError as error:
        raise Failed(f"cannot call {at.hostname}: {error}") from error
    return OK
