"""Pages about the methods, for people who write programs: what to send, what comes back, a form to try it.

No script stands in a page: browsers are told to run ours alone, which is a document of its own.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from appliance.servers.web.respond import HTML, Response
from appliance.servers.web.webapi.call import Method
from appliance.servers.web.webapi.forms import FILES

_STYLE: Final = """
:root { color-scheme: light dark; --soft: #8882; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
pre, textarea { font: .9rem/1.5 ui-monospace, monospace; box-sizing: border-box; width: 100%; border-radius: .4rem;
  padding: .75rem; }
pre { background: var(--soft); overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
label { display: block; margin: .5rem 0; }
button { font: inherit; padding: .25rem 1rem; }
"""
_SCRIPT: Final = b"""// Posts the form of a page, and shows the answer below it.
'use strict'
for (const form of document.querySelectorAll('form[data-json]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const answer = document.querySelector('#answer')
    const button = form.querySelector('button')
    button.disabled = true
    answer.textContent = '...'
    try {
      const response = await fetch(location.href, { method: 'POST', body: new FormData(form) })
      const content = await response.text()
      let shown = content
      try {
        shown = JSON.stringify(JSON.parse(content), null, 2)
      } catch {
        // Shown as it came.
      }
      answer.textContent = `${response.status} ${response.statusText}\\n\\n${shown}`
    } catch (error) {
      answer.textContent = String(error)
    } finally {
      button.disabled = false
    }
  })
}
"""
SCRIPT_NAME: Final = "form.js"

_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_FIELDS: Final = {
    "content-security-policy": _POLICY,
    "cache-control": "no-cache",
    "x-robots-tag": "noindex, nofollow",
}

#: By name below the version.
DOCUMENTS: Final[Mapping[str, Response]] = {
    SCRIPT_NAME: Response(200, _SCRIPT, "text/javascript; charset=utf-8", {"cache-control": "no-cache"}, validated=True)
}


def _page(title: str, *content: str) -> Response:
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex,nofollow">',
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">',
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        *content,
        "</body>\n</html>\n",
    ]
    return Response(200, "\n".join(parts).encode(), HTML, _FIELDS, validated=True)


def index(methods: Mapping[str, Method]) -> Response:
    """All methods with links."""
    rows = (f'<li><a href="{one.name}">{one.name}</a>: {escape(one.about)}</li>' for one in methods.values())
    return _page(
        "Methods of the webapi",
        "<h1>Methods of the webapi</h1>",
        "<p>A call is a POST to the page of a method, with HTTP Basic authentication (an address of the account and "
        "its password, or an app password for the webapi) and a form field <code>request</code> that holds JSON. A "
        "call that fails is answered with status 400 and an object with Code and Message. The same as "
        '<a href="openapi.json">OpenAPI</a>.</p>',
        "<ul>",
        *rows,
        "</ul>",
    )


def of_method(method: Method) -> Response:
    """One method."""
    files = [f'<label>{name} <input type="file" name="{name}" multiple></label>' for name in FILES]
    is_json = method.response is not None
    request = escape(_shown(method.example))
    rows = request.count("\n") + 2
    answer = escape(_shown(method.example_response)) if is_json else "(octets)"
    return _page(
        f"{method.name} - webapi",
        f'<p><a href="./">All methods</a></p>\n<h1>{method.name}</h1>\n<p>{escape(method.about)}</p>',
        f'<h2>Request</h2>\n<form method="post" enctype="multipart/form-data"{" data-json" if is_json else ""}>',
        f'<textarea name="request" rows="{rows}" spellcheck="false" aria-label="Request">{request}</textarea>',
        *(files if method.name == "Send" else []),
        "<p><button>Call</button></p>\n</form>",
        *(["<h2>Answer</h2>", '<pre id="answer" aria-live="polite"></pre>'] if is_json else []),
        f"<h2>Example of an answer</h2>\n<pre>{answer}</pre>",
        *([f'<script src="{SCRIPT_NAME}" defer></script>'] if is_json else []),
    )


def _shown(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)
