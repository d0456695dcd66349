"""A message as an HTML document: its body alone, for a frame of the page, or with its header, to be printed.

Everything of the message was made safe before (mail.display); the Content-Security-Policy that goes with each document
is a second wall: no scripts, no forms, an origin of its own, and nothing is fetched but what the reader asked for.
Nothing here waits; all of it belongs in a thread.
"""

import base64
import html as markup
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.base import limits
from appliance.mail import decode, display, flatten, header, html, told
from appliance.mail.decode import UnknownEncoding
from appliance.mail.part import Part
from appliance.servers.web.stored import Stored


class Mode(StrEnum):
    """How a body is shown."""

    TEXT = "text"
    HTML = "html"
    #: HTML, and what it wants from elsewhere is fetched.
    EXTERNAL = "htmlexternal"


@dataclass(frozen=True, slots=True)
class Document:
    """An HTML document and the policy it is sent with."""

    octets: bytes
    policy: str


#: Pictures that browsers show and that hold no markup.
PICTURES: Final = frozenset("png jpeg jpg gif webp bmp x-icon vnd.microsoft.icon avif".split())

_SANDBOX: Final = "sandbox allow-popups allow-popups-to-escape-sandbox allow-modals"
_POLICY: Final = (
    f"{_SANDBOX}; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
_EXTERNAL: Final = (
    f"{_SANDBOX}; default-src 'none'; img-src data: http: https:; media-src http: https:; font-src http: https:; "
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)

_STYLE: Final = """
html { font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
.moxpy-target { display: inline-block; padding: 0 .35em; border-radius: .3em; background: #b3261e; color: #fff;
  font: 600 12px/1.5 system-ui, sans-serif; text-decoration: none; }
.moxpy-note { margin: 1em 0; padding: .5em .8em; border-left: 3px solid #8a8a8a; font: 13px/1.5 system-ui, sans-serif; }
.moxpy-picture { display: block; max-width: 100%; height: auto; margin: 1em 0; }
"""
_TEXT_STYLE: Final = """
body { margin: 12px 16px; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 8; }
.quote1 { color: #2458a6 } .quote2 { color: #8a3b8f } .quote3 { color: #2e7031 } .quote4 { color: #96590e }
a { color: #1a56b0 }
"""
_DARK: Final = """
body { background: #16181c; color: #e4e6ea } a { color: #8ab4f8 }
.quote1 { color: #8ab4f8 } .quote2 { color: #d8a0dd } .quote3 { color: #93cf96 } .quote4 { color: #e3b26a }
"""
#: Letters are laid out for some 600 pixels. On a phone what is so wide gives way, so that nobody scrolls sideways.
_WIDE: Final = ", ".join(
    [f'[width="{width}"]' for width in range(200, 810, 10)]
    + [f'[style*="width:{space}{width}px"]' for width in range(480, 810, 10) for space in ("", " ")]
)
_NARROW_STYLE: Final = f"""
@media (max-width: 600px) {{
  img {{ max-width: 100% !important; height: auto !important }}
  table, div {{ max-width: 100% !important }}
  :is({_WIDE}) {{ width: auto !important; min-width: 0 !important }}
  table:is({_WIDE}) {{ width: 100% !important }}
}}
"""
#: Letters are mostly made for white paper and say so only in part.
_HTML_STYLE: Final = """
html { background: #fff; color: #111; color-scheme: light }
body { margin: 12px 20px }
@media (max-width: 600px) { body { margin: 12px 16px } }
"""
_PAGE_STYLE: Final = """
body { margin: 16px; background: #fff; color: #111 }
.moxpy-head { border-collapse: collapse; margin-bottom: 16px; border-bottom: 1px solid #999; width: 100% }
.moxpy-head th { text-align: right; vertical-align: top; font-weight: 600; padding: 1px 10px 1px 0; width: 1%;
  white-space: nowrap }
.moxpy-head td { overflow-wrap: anywhere }
.moxpy-body { display: block; contain: content; position: relative; overflow: auto }
@media print { body { margin: 0 } .moxpy-body { overflow: visible } }
"""
_CUT: Final = '<p class="moxpy-note">This part is very long; the rest of it is not shown. Its source has all of it.</p>'
_NOTHING: Final = '<p class="moxpy-note">This message has no text.</p>'


def body(one: Stored, mode: Mode, *, theme: str = "") -> Document:
    """The body alone. `theme`: `light` or `dark`; otherwise as the reader's system has it."""
    shown = _Body(one, mode)
    content = shown.content()
    dark = {"dark": _DARK, "light": ""}.get(theme, f"@media (prefers-color-scheme: dark) {{ {_DARK} }}")
    is_html = shown.is_html
    style = _STYLE + (_HTML_STYLE + _NARROW_STYLE if is_html else _TEXT_STYLE + dark)
    scheme = "light" if is_html or theme == "light" else "dark" if theme == "dark" else "light dark"
    octets = (
        f'<!doctype html><html><head><meta charset="utf-8"><title>message</title>'
        f'<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="{scheme}">'
        f"<style>{style}</style>{_style(shown.styles)}</head><body{shown.attributes}>{content}</body></html>"
    )
    return Document(octets.encode("utf-8", "replace"), _policy(mode))


def page(one: Stored, mode: Mode) -> Document:
    """Header and body, to be read in a window of its own and printed."""
    shown = _Body(one, mode)
    content = shown.content()
    octets = one.prefix + one.read(0, min(one.facts.root.body, limits.HEADER.octets))
    head = told.Header(octets, header.fields(octets, limits=limits.HEADER), limits.ADDRESSES)
    rows = [(title, _people(head, name)) for title, name in (("From", b"from"), ("To", b"to"), ("Cc", b"cc"))]
    if head.date is not None:
        rows.append(("Date", head.date.strftime("%a, %d %b %Y %H:%M %z")))
    rows.append(("Subject", head.subject))
    rows.append(("Attached", ", ".join(file_name(part) for part in flatten.flatten(one.facts.root).offered)))
    table = "".join(f"<tr><th>{name}</th><td>{markup.escape(value)}</td></tr>" for name, value in rows if value)
    if shown.is_html:
        # In a tree of its own, so that the letter's styles reach nothing of what stands above it.
        styles = f"<style>{_STYLE}{_NARROW_STYLE}</style>{_style(shown.styles)}"
        inside = f'<template shadowrootmode="open">{styles}<div{shown.attributes}>{content}</div></template>'
    else:
        inside = f'<div style="white-space: pre-wrap">{content}</div>'
    octets = (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{markup.escape(head.subject or "message")}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{_PAGE_STYLE}</style></head>'
        f'<body><table class="moxpy-head">{table}</table><div class="moxpy-body">{inside}</div></body></html>'
    ).encode("utf-8", "replace")
    return Document(octets, _policy(mode))


def _people(head: told.Header, name: bytes) -> str:
    people = head.addresses(name)
    return ", ".join(
        f"{one.name} <{one.address}>" if one.name and one.address else one.name or one.address for one in people
    )


def _policy(mode: Mode) -> str:
    return _EXTERNAL if mode is Mode.EXTERNAL else _POLICY


def _style(styles: str) -> str:
    return f"<style>{styles}</style>" if styles else ""


class _Body:
    """What is shown of a message's body, one part after the other."""

    def __init__(self, one: Stored, mode: Mode) -> None:
        self._one = one
        self._mode = mode
        self._left = limits.DISPLAY.inline_octets
        self._pictures: dict[str, Part] | None = None
        self.is_html = False
        self.styles = ""
        self.attributes = ""

    def content(self) -> str:
        """The HTML of all parts."""
        flat = flatten.flatten(self._one.facts.root)
        parts = flat.text if self._mode is Mode.TEXT else flat.html
        self.is_html = self._mode is not Mode.TEXT and any(part.subtype == "html" for part in parts)
        written = [self._part(part) for part in parts]
        return "".join(written) or _NOTHING

    def _part(self, part: Part) -> str:
        if part.media_type != "text":
            return self._picture_part(part)
        octets = self._one.read(part.body, min(part.end, part.body + limits.TEXT.part_octets))
        text = decode.part_text(part, octets)
        if part.subtype == "html" and self._mode is not Mode.TEXT:
            shown = display.sanitized(
                text, external=self._mode is Mode.EXTERNAL, picture=self._picture, limits=limits.DISPLAY
            )
            self.styles += shown.styles
            self.attributes = self.attributes or shown.attributes
        elif part.subtype == "html":
            shown = display.plain(_compact(html.to_text(text)), flowed=False, delsp=False, limits=limits.DISPLAY)
        else:
            flowed = (part.parameter("format") or "").lower() == "flowed"
            delsp = (part.parameter("delsp") or "").lower() == "yes"
            shown = display.plain(text, flowed=flowed, delsp=delsp, limits=limits.DISPLAY)
            if self.is_html:
                shown.body = f'<div style="white-space: pre-wrap">{shown.body}</div>'
        is_cut = shown.is_cut or part.end - part.body > limits.TEXT.part_octets
        return shown.body + _CUT * is_cut

    def _picture_part(self, part: Part) -> str:
        url = self._data_url(part)
        return "" if url is None else f'<img class="moxpy-picture" src="{url}" alt="{markup.escape(file_name(part))}">'

    def _picture(self, content_id: str) -> str | None:
        if self._pictures is None:
            self._pictures = {}
            for part in self._one.facts.root.walk():
                if part.content_id and not part.parts:
                    self._pictures.setdefault(part.content_id.strip().removeprefix("<").removesuffix(">"), part)
        found = self._pictures.get(content_id)
        return None if found is None else self._data_url(found)

    def _data_url(self, part: Part) -> str | None:
        """A picture within the document, as long as there is room for it."""
        if part.media_type != "image" or part.subtype not in PICTURES or part.end - part.body > self._left:
            return None
        octets = self._one.read(part.body, part.end)
        try:
            octets = decode.decode_transfer(octets, part.encoding)
        except UnknownEncoding:
            return None
        self._left -= part.end - part.body
        return f"data:image/{part.subtype};base64,{base64.b64encode(octets).decode('ascii')}"


_BLANKS: Final = re.compile(r"[ \t\xa0]+")
_LINES: Final = re.compile(r"\n{3,}")


def _compact(text: str) -> str:
    """The text of a page without the space it was laid out with."""
    lines = [_BLANKS.sub(" ", line).strip() for line in text.replace("\r", "\n").split("\n")]
    return _LINES.sub("\n\n", "\n".join(lines)).strip("\n")


# Names of files.

_BAD_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\"*/:<>?\\|]+")


def safe_name(name: str, otherwise: str) -> str:
    """A file's name without directories, and without what hides where it ends."""
    name = _BAD_IN_NAMES.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" ._")
    while len(name.encode("utf-8", "replace")) > limits.FILE_NAME_OCTETS:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[:-8]}{dot}{suffix}" if dot and len(stem) > 8 and len(suffix) < 20 else name[:-8]
    return name or otherwise


def file_name(part: Part, *, otherwise: Callable[[Part], str] | None = None) -> str:
    """The name of a part as a file."""
    if part.nested is not None and not part.filename:
        return "message.eml"
    if otherwise is not None:
        return safe_name(part.filename or "", otherwise(part))
    return safe_name(part.filename or "", f"{part.media_type}.{_suffix(part)}")


def _suffix(part: Part) -> str:
    known = {"plain": "txt", "jpeg": "jpg", "calendar": "ics", "octet-stream": "bin"}
    return known.get(part.subtype, re.sub(r"[^a-z0-9]", "", part.subtype)[:10] or "bin")
