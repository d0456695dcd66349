"""The page that lists a directory. Whole in itself: no scripts, nothing is fetched."""

import base64
import hashlib
from datetime import UTC, datetime
from html import escape
from typing import Final

from appliance.servers.web.respond import HTML, Response
from appliance.servers.web.site.mapping import Directory, Entry
from appliance.servers.web.site.paths import encoded

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: normal; opacity: .7; }
td { font: .9rem/1.5 ui-monospace, monospace; white-space: nowrap; }
td:first-child, th:first-child { text-align: right; }
td:last-child { width: 100%; white-space: normal; overflow-wrap: anywhere; }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Our own style and nothing else: names of files are anybody's.
HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}


def page(path: str, directory: Directory, *, is_root: bool) -> Response:
    """The page. `path`: of the request; `is_root`: nothing is above it."""
    title = f"Index of {escape(path)}"
    rows = [] if is_root else ['<tr><td></td><td></td><td><a href="../">../</a></td></tr>']
    rows += [_row(one) for one in directory.entries or ()]
    note = "<p>There are more files than are shown here.</p>" if directory.more else ""
    lines = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<table>",
        "<tr><th>Size in MB</th><th>Changed (UTC)</th><th>Name</th></tr>",
        *rows,
        f"</table>\n{note}</body>\n</html>\n",
    ]
    return Response(200, "\n".join(lines).encode(errors="replace"), HTML, validated=True)


def _row(entry: Entry) -> str:
    name = entry.name + ("/" if entry.is_directory else "")
    size = "" if entry.is_directory else f"{entry.size_octets / 1e6:.2f}"
    changed = datetime.fromtimestamp(entry.mtime_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    # Without "./", a name with a colon would be a scheme (RFC 3986 §4.2).
    link = escape("./" + encoded(name.encode(errors="surrogateescape").decode(errors="replace")))
    return f'<tr><td>{size}</td><td>{changed}</td><td><a href="{link}">{escape(name)}</a></td></tr>'
