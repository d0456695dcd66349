"""A page that says what runs on this machine and how to reach it. Whole in itself: no scripts, nothing is fetched."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from appliance.servers.web.respond import HTML, Response

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: normal; white-space: nowrap; }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .4rem; padding: .75rem; overflow-x: auto; }
@media (max-width: 32rem) { th, td { display: block; border: 0; padding: 0; } td { border-bottom: 1px solid var(--line);
  padding-bottom: .4rem; margin-bottom: .4rem; } }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Our own style and nothing else.
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A service or a fact. What begins with http is a link."""

    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page tells."""

    version: str
    #: A sentence on what this is.
    about: str
    login: Sequence[Row]
    services: Sequence[Row]
    #: What may be tried, as lines for a shell.
    commands: Sequence[str]
    #: What one might look for in vain, and other remarks.
    notes: Sequence[str]


def page(facts: Facts) -> Response:
    """The page."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>moxpy {escape(facts.version)}</title>\n<link rel="icon" href="data:,">',
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>moxpy {escape(facts.version)}</h1>\n<p>{escape(facts.about)}</p>",
        "<h2>Log in</h2>",
        _table(facts.login),
        "<h2>What runs here</h2>",
        _table(facts.services),
        "<h2>Try it</h2>",
        f"<pre>{escape(chr(10).join(facts.commands))}</pre>",
        "<h2>Good to know</h2>",
        *(f"<p>{escape(note)}</p>" for note in facts.notes),
        "</body>\n</html>\n",
    ]
    return Response(
        200,
        "\n".join(parts).encode(),
        HTML,
        {"content-security-policy": _POLICY, "cache-control": "no-cache"},
        validated=True,
    )


def _table(rows: Sequence[Row]) -> str:
    lines = (f"<tr><th>{_name(row.name)}</th><td>{escape(row.about)}</td></tr>" for row in rows)
    return "\n".join(["<table>", *lines, "</table>"])


def _name(name: str) -> str:
    shown = escape(name)
    return f'<a href="{shown}">{shown}</a>' if name.startswith("http") else f"<code>{shown}</code>"
