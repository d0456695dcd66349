"""The built pages: one HTML file for each application, and files beside it whose names change with their content.

What must lie at an application's root, as the worker of webmail, is called `webmail.worker.js` in the folder.
`frontend/` builds them into `assets/`, compressed already; a source tree where nobody did so has none, and says how.
Only files that are there when the first request comes are served, looked up in a table: no path leads anywhere else.
"""

import gzip
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import trio

from appliance.base import licenses
from appliance.config.files import FileIdentity
from appliance.servers.web.asgi import Scope
from appliance.servers.web.respond import HTML, Response, text

FOLDER: Final = Path(__file__).parent / "assets"
#: Where built files lie; their names have a hash of their content.
_BUILT: Final = "static"
_LICENCES: Final = "licenses.txt"

_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
#: Packed at first use where the build did not.
_PACKED: Final = frozenset({".js", ".css", ".svg", ".json", ".txt", ".webmanifest"})
#: Of a file that an operator adds.
_ADDED_OCTETS: Final = 1024 * 1024

#: Of pages: everything from here, nothing inline, nobody frames them. Styles may be set by scripts, not by markup.
#: Frames show messages, whose documents have policies of their own; the worker keeps the page for use without network.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FOREVER: Final = "public, max-age=31536000, immutable"

_MISSING: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>moxpy</title></head><body>
<h1>These pages are not built</h1>
<p>This is a source tree, or a package made without them. Node.js builds them: <code>build/frontend.sh</code>, then
start the server again. The executable has them.</p>
<p>Their <a href="api/">functions</a> work without.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    octets: bytes
    media_type: str
    #: By name of the encoding.
    packed: dict[str, bytes]


class Assets:
    """The pages of one application."""

    def __init__(self, application: str, folder: Path = FOLDER) -> None:
        self._application = application
        self._folder = folder
        self._files: dict[str, _File] | None = None
        self._licences: _File | None = None
        self._lock = trio.Lock()

    async def respond(self, scope: Scope, path: str, directory: Path) -> Response:
        """What lies at a path below the application's root. `directory`: where operators may add `webaccount.css`."""
        async with self._lock:
            if self._files is None:
                self._files = await trio.to_thread.run_sync(self._load)
        if path == "":
            page = self._files.get(f"{self._application}.html")
            if page is None:
                return Response(200, _MISSING.encode(), HTML, {"cache-control": "no-store"})
            added = await trio.to_thread.run_sync(self._added, directory)
            content = page.octets if not added else page.octets.replace(b"</head>", added + b"</head>", 1)
            return Response(200, content, HTML, {"cache-control": "no-cache"}, validated=True)
        if path in {f"web{self._application}.css", f"web{self._application}.js"}:
            return await trio.to_thread.run_sync(_added_file, directory / path)
        if path == _LICENCES:
            async with self._lock:
                if self._licences is None:
                    self._licences = await trio.to_thread.run_sync(self._load_licences)
            return _coded(scope, self._licences, "no-cache") if self._licences else text(404, "not known here")
        if path.startswith(f"{_BUILT}/"):
            found, cache = self._files.get(path), _FOREVER
        else:
            found, cache = self._files.get(f"{self._application}.{path}") if path != "html" else None, "no-cache"
        if found is None:
            return text(404, "there is nothing here")
        return _coded(scope, found, cache)

    def _load(self) -> dict[str, _File]:
        """All files, read once: they are some hundred KB."""
        files = {}
        for path in sorted(self._folder.rglob("*")) if self._folder.is_dir() else []:
            name = path.relative_to(self._folder).as_posix()
            media_type = _TYPES.get(path.suffix)
            if name == f"{self._application}.html":
                files[name] = _File(path.read_bytes(), HTML, {})
            elif name.startswith((f"{_BUILT}/", f"{self._application}.")) and media_type is not None and path.is_file():
                octets = path.read_bytes()
                packed = {
                    coding: one.read_bytes()
                    for coding, suffix in (("br", ".br"), ("gzip", ".gz"))
                    if (one := path.with_name(path.name + suffix)).is_file()
                }
                if "gzip" not in packed and path.suffix in _PACKED:
                    packed["gzip"] = gzip.compress(octets, 6, mtime=0)
                files[name] = _File(octets, media_type, packed)
        return files

    def _load_licences(self) -> _File | None:
        """Those of the build, or of what is installed here."""
        try:
            octets = licenses.all_texts().encode()
        except LookupError:
            return None
        return _File(octets, _TYPES[".txt"], {"gzip": gzip.compress(octets, 6, mtime=0)})

    def _added(self, directory: Path) -> bytes:
        """What an operator adds to the page; its address changes with the file."""
        tags = []
        for suffix, tag in (
            ("css", '<link rel="stylesheet" href="{}">'),
            ("js", '<script src="{}"></script>'),
        ):
            name = f"web{self._application}.{suffix}"
            identity = FileIdentity.at(directory / name)
            if identity is not None:
                tags.append(tag.format(escape(f"{name}?{identity.mtime_ns:x}")))
        return "".join(tags).encode()


def _added_file(path: Path) -> Response:
    try:
        with path.open("rb") as file:
            octets = file.read(_ADDED_OCTETS + 1)
    except OSError:
        return text(404, "there is nothing here")
    if len(octets) > _ADDED_OCTETS:
        return text(404, "the file is too large")
    return Response(200, octets, _TYPES[path.suffix], {"cache-control": "no-cache"}, validated=True)


def _coded(scope: Scope, file: _File, cache: str = _FOREVER) -> Response:
    """The file as its client can unpack it (RFC 9110 §12.5.3)."""
    accepted = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding")
    # Whoever gives a coding any weight can unpack it; `q=0` is how to say that one cannot.
    parts = ([part.strip().lower() for part in one.split(";")] for one in accepted.split(","))
    wanted = {coding for coding, *weights in parts if not any(one.strip("q=0.") == "" for one in weights)}
    headers = {"cache-control": cache, "vary": "accept-encoding"}
    for coding in ("br", "gzip"):
        if coding in wanted and coding in file.packed:
            return Response(200, file.packed[coding], file.media_type, {**headers, "content-encoding": coding})
    return Response(200, file.octets, file.media_type, headers)
