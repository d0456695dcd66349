"""Hints about the HTML of a message that is being developed: what mail programs leave out, and what readers will miss.

A hint names a feature, how often it is there, who does not show it, and what to do. It is a reader's advice, not a
verdict: a letter may do without Outlook. Facts about programs are of 2026. Pure and linear; belongs in a thread.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

import tinycss2
from tinycss2.ast import Node


class Severity(StrEnum):
    """How much it matters."""

    #: Many readers see something broken, or nothing.
    ERROR = "error"
    #: Some readers see less.
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint."""

    id: str
    severity: Severity
    count: int
    text: str
    #: What to do instead.
    advice: str
    #: Who does not show it; empty where it is not a matter of programs.
    clients: tuple[str, ...] = ()


#: Beyond this Gmail shows "[Message clipped]".
CLIPPED_OCTETS: Final = 102 * 1024
#: What is looked at.
_CHARACTERS: Final = 1024 * 1024

_OUTLOOK, _GMAIL, _YAHOO, _OUTLOOK_WEB = "Outlook for Windows", "Gmail", "Yahoo Mail", "Outlook.com"
_EVERYBODY: Final = ("nearly all mail programs",)

#: Elements: severity, what it is, what to do, who leaves it out.
_ELEMENTS: Final[dict[str, tuple[Severity, str, str, tuple[str, ...]]]] = {
    "script": (Severity.ERROR, "a script", "no mail program runs scripts, and some refuse the message", _EVERYBODY),
    "iframe": (Severity.ERROR, "a frame", "link to the page instead", _EVERYBODY),
    "object": (Severity.ERROR, "an embedded object", "link to it or attach it", _EVERYBODY),
    "embed": (Severity.ERROR, "an embedded object", "link to it or attach it", _EVERYBODY),
    "form": (Severity.ERROR, "a form", "link to a page that has it", (_OUTLOOK, _OUTLOOK_WEB, _GMAIL)),
    "input": (Severity.WARNING, "a field of a form", "link to a page that has it", (_OUTLOOK, _GMAIL)),
    "button": (Severity.WARNING, "a button element", "make a link look like a button", (_OUTLOOK, _YAHOO)),
    "link": (Severity.ERROR, "a linked style sheet", "put styles into the message", (_GMAIL, _OUTLOOK_WEB, _YAHOO)),
    "base": (Severity.WARNING, "a base element", "write whole URLs", (_GMAIL, _OUTLOOK_WEB)),
    "video": (Severity.WARNING, "a video", "show a picture that links to it", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "audio": (Severity.WARNING, "sound", "link to it", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "svg": (Severity.WARNING, "an SVG picture", "use PNG or JPEG", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "canvas": (Severity.ERROR, "a canvas", "use a picture", _EVERYBODY),
    "math": (Severity.WARNING, "MathML", "use a picture", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "picture": (
        Severity.NOTE,
        "alternatives of a picture",
        "see that the img within is good alone",
        (_OUTLOOK, _GMAIL),
    ),
    "template": (Severity.ERROR, "a template", "it is never shown", _EVERYBODY),
    "marquee": (Severity.NOTE, "moving text", "let it stand still", (_GMAIL, _OUTLOOK)),
    "dialog": (Severity.WARNING, "a dialog", "write it into the letter", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "details": (Severity.NOTE, "text that is folded", "it is shown unfolded", (_OUTLOOK, _OUTLOOK_WEB)),
}

#: Properties, or one of their values (`display: flex`).
_STYLES: Final[dict[str, tuple[Severity, str, tuple[str, ...]]]] = {
    "display: flex": (Severity.WARNING, "lay it out with tables", (_OUTLOOK, _YAHOO)),
    "display: inline-flex": (Severity.WARNING, "lay it out with tables", (_OUTLOOK, _YAHOO)),
    "display: grid": (Severity.WARNING, "lay it out with tables", (_OUTLOOK, _OUTLOOK_WEB, _YAHOO)),
    "position": (Severity.WARNING, "lay it out with tables", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "float": (Severity.NOTE, "use the attribute align", (_OUTLOOK,)),
    "background-image": (Severity.NOTE, "give it a colour, too", (_OUTLOOK,)),
    "border-radius": (Severity.NOTE, "see that it looks good with corners", (_OUTLOOK,)),
    "box-shadow": (Severity.NOTE, "see that it looks good without", (_OUTLOOK, _GMAIL)),
    "opacity": (Severity.NOTE, "use a lighter colour", (_OUTLOOK,)),
    "max-width": (Severity.NOTE, "give a width, too", (_OUTLOOK,)),
    "min-width": (Severity.NOTE, "give a width, too", (_OUTLOOK,)),
    "object-fit": (Severity.NOTE, "use a picture of the right size", (_OUTLOOK, _GMAIL)),
    "animation": (Severity.NOTE, "the letter must be whole without", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "transition": (Severity.NOTE, "the letter must be whole without", (_GMAIL, _OUTLOOK)),
    "transform": (Severity.NOTE, "the letter must be whole without", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "filter": (Severity.NOTE, "use a picture that has it", (_GMAIL, _OUTLOOK)),
    "clip-path": (Severity.NOTE, "use a picture that has it", (_GMAIL, _OUTLOOK)),
    "mix-blend-mode": (Severity.NOTE, "use a picture that has it", (_GMAIL, _OUTLOOK)),
    "gap": (Severity.WARNING, "use margins or cells", (_OUTLOOK, _GMAIL)),
    "margin: auto": (Severity.NOTE, "use align=center", (_OUTLOOK,)),
    "negative margin": (Severity.WARNING, "move it another way", (_GMAIL, _OUTLOOK, _OUTLOOK_WEB)),
    "calc()": (Severity.NOTE, "write the number", (_OUTLOOK, _YAHOO)),
    "var()": (Severity.WARNING, "write the value", (_OUTLOOK, _GMAIL, _YAHOO)),
    "rem": (Severity.NOTE, "use px", (_OUTLOOK,)),
    "vh or vw": (Severity.NOTE, "use px or percent", (_OUTLOOK, _GMAIL)),
    "rgba() or hsl()": (Severity.NOTE, "give a plain colour before it", (_OUTLOOK,)),
}
_RULES: Final[dict[str, tuple[Severity, str, str, tuple[str, ...]]]] = {
    "import": (
        Severity.ERROR,
        "an imported style sheet",
        "put styles into the message",
        (_GMAIL, _OUTLOOK, _OUTLOOK_WEB),
    ),
    "font-face": (
        Severity.NOTE,
        "a font from elsewhere",
        "name a usual font behind it",
        (_GMAIL, _OUTLOOK, _OUTLOOK_WEB),
    ),
    "media": (Severity.NOTE, "styles for some screens", "it must be good without", (_OUTLOOK,)),
    "supports": (Severity.NOTE, "styles for some programs", "it must be good without", (_OUTLOOK, _GMAIL)),
    "keyframes": (Severity.NOTE, "an animation", "the letter must be whole without", (_GMAIL, _OUTLOOK)),
}
_SELECTORS: Final = re.compile(r":(?:hover|focus|checked|target|not|has|nth-|before|after|:before|:after)|\[")
_COLOURS: Final = frozenset({"rgba", "hsl", "hsla", "oklch", "lab", "lch", "color-mix"})


class _Reader(HTMLParser):
    """Counts what is there."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.styles: list[str] = []
        self.inline: list[str] = []
        self.has_doctype = False
        self.lang = self.title = ""
        self.text = 0
        self._within = ""

    def handle_decl(self, decl: str) -> None:
        self.has_doctype = self.has_doctype or decl.lower().startswith("doctype")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements[tag] += 1
        if tag in {"style", "title", "script"}:
            self._within = tag
        if tag == "html":
            self.lang = given.get("lang", "")
        if style := given.get("style"):
            self.inline.append(style)
        self.found["handler"] += any(name.startswith("on") for name in given)
        match tag:
            case "img":
                self._picture(given)
            case "a":
                self._link(given.get("href", ""))
            case "link":
                # Only style sheets are looked for; an icon does no harm.
                self.elements["link"] -= "stylesheet" not in given.get("rel", "").lower()
            case "table":
                self.found["table without role"] += "role" not in given
            case "meta" if given.get("http-equiv", "").lower() == "refresh":
                self.found["refresh"] += 1

    def _picture(self, given: dict[str, str]) -> None:
        source = given.get("src", "").strip().lower()
        self.found["img without alt"] += "alt" not in given
        self.found["img without width"] += "width" not in given
        self.found["img data"] += source.startswith("data:")
        self.found["img http"] += source.startswith("http:")
        self.found["img local"] += _is_local(source)
        self.found["img svg"] += source.split("?")[0].endswith(".svg")
        self.found["img webp"] += source.split("?")[0].endswith((".webp", ".avif"))
        self.found["img relative"] += not re.match(r"[a-z][a-z0-9+.-]*:|//", source)

    def _link(self, href: str) -> None:
        href = href.strip().lower()
        self.found["link empty"] += href in {"", "#"}
        self.found["link script"] += href.startswith("javascript:")
        self.found["link http"] += href.startswith("http:") and not _is_local(href)
        self.found["link local"] += _is_local(href)
        self.found["link relative"] += not re.match(r"[a-z][a-z0-9+.-]*:|//|#|$", href)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "style":
            self.styles.append(data)
        elif self._within == "title":
            self.title += data
        elif not self._within:
            self.text += len(data.strip())


def _is_local(url: str) -> bool:
    if not url.startswith(("http:", "https:")):
        return False
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return (
        host == "localhost"
        or host.endswith((".localhost", ".local", ".test", ".internal"))
        or host.startswith(("127.", "10.", "192.168."))
    )


def check(source: str, *, octets: int, has_text: bool) -> list[Hint]:
    """Hints about the HTML of a message, what matters most first.

    `octets` is its size as it is sent, `has_text` whether the message says the same in plain text.
    """
    reader = _Reader()
    try:
        reader.feed(source[:_CHARACTERS])
        reader.close()
    except (AssertionError, ValueError):
        pass  # The library gives up on some malformed declarations; what was read before counts.
    hints = [
        *_of_elements(reader),
        *_of_styles(reader),
        *_of_whole(reader, octets=octets, has_text=has_text),
        *_of_pictures(reader.found),
    ]
    order = list(Severity)
    return sorted(hints, key=lambda hint: order.index(hint.severity))


def _of_elements(reader: _Reader) -> Iterator[Hint]:
    for name, (severity, what, advice, clients) in _ELEMENTS.items():
        if count := reader.elements[name]:
            yield Hint(f"element-{name}", severity, count, f"<{name}>: {what}", advice, clients)


def _of_whole(reader: _Reader, *, octets: int, has_text: bool) -> Iterator[Hint]:
    found = reader.found
    rows: list[tuple[bool | int, str, Severity, str, str, tuple[str, ...]]] = [
        (
            not has_text,
            "no-text",
            Severity.WARNING,
            "there is no plain text beside the HTML",
            "add a text/plain alternative: filters and some readers look for it",
            (),
        ),
        (
            octets > CLIPPED_OCTETS,
            "size",
            Severity.ERROR,
            f"the HTML has {octets // 1024} KB",
            "keep it below 102 KB, or its end is not shown",
            (_GMAIL,),
        ),
        (not reader.has_doctype, "doctype", Severity.NOTE, "there is no doctype", "begin with <!doctype html>", ()),
        (
            not reader.lang,
            "lang",
            Severity.NOTE,
            "the language is not told",
            'write <html lang="en">, so that it is read out right',
            (),
        ),
        (
            not reader.title.strip(),
            "title",
            Severity.NOTE,
            "there is no title",
            "write a <title>: some readers show it",
            (),
        ),
        (found["handler"], "handler", Severity.ERROR, "handlers of events (onclick ...)", "remove them", _EVERYBODY),
        (found["refresh"], "refresh", Severity.ERROR, "a refresh", "remove it", _EVERYBODY),
        (found["link empty"], "link-empty", Severity.ERROR, "links that lead nowhere", "give them an address", ()),
        (found["link script"], "link-script", Severity.ERROR, "links that run a script", "lead to a page", _EVERYBODY),
        (
            found["link relative"],
            "link-relative",
            Severity.ERROR,
            "links without a host",
            "write whole URLs",
            _EVERYBODY,
        ),
        (
            found["link local"],
            "link-local",
            Severity.ERROR,
            "links to this machine or network",
            "others cannot reach them: is this the address of a test?",
            (),
        ),
        (found["link http"], "link-http", Severity.NOTE, "links without TLS", "use https", ()),
        (
            found["table without role"],
            "table-role",
            Severity.NOTE,
            "tables without a role",
            'write role="presentation" where they only lay out: they are read out otherwise',
            (),
        ),
        (
            reader.elements["img"] and reader.text < 20,
            "only-pictures",
            Severity.WARNING,
            "there is hardly any text",
            "many readers see no pictures at first, and filters mind it",
            (),
        ),
    ]
    for count, id, severity, text, advice, clients in rows:
        if count:
            yield Hint(id, severity, int(count), text, advice, clients)


def _of_pictures(found: Counter[str]) -> Iterator[Hint]:
    rows = [
        (
            "img without alt",
            Severity.WARNING,
            "pictures without alt",
            'say what they show, or alt="" for decoration',
            (),
        ),
        ("img without width", Severity.NOTE, "pictures without width", "write it, or the layout jumps", (_OUTLOOK,)),
        (
            "img data",
            Severity.WARNING,
            "pictures in data: URLs",
            "attach them, with cid:",
            (_GMAIL, _OUTLOOK, _OUTLOOK_WEB),
        ),
        ("img http", Severity.WARNING, "pictures without TLS", "use https", (_GMAIL,)),
        ("img local", Severity.ERROR, "pictures on this machine or network", "others cannot reach them", ()),
        ("img svg", Severity.WARNING, "SVG pictures", "use PNG or JPEG", (_GMAIL, _OUTLOOK)),
        ("img webp", Severity.NOTE, "WebP or AVIF pictures", "use PNG or JPEG", (_OUTLOOK,)),
        ("img relative", Severity.ERROR, "pictures without a host", "write whole URLs", _EVERYBODY),
    ]
    for name, severity, text, advice, clients in rows:
        if found[name]:
            yield Hint(name.replace(" ", "-"), severity, found[name], text, advice, clients)


# Styles.


def _of_styles(reader: _Reader) -> Iterator[Hint]:
    used: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    left = _CHARACTERS // 4
    for style in reader.styles:
        left -= len(style)
        if left >= 0 and style.count("{") < 20_000:
            _read_rules(tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True), used, rules, 0)
    for style in reader.inline:
        left -= len(style)
        if left < 0:
            break
        _read_declarations(tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True), used)
    for name, (severity, what, advice, clients) in _RULES.items():
        if rules[name]:
            yield Hint(f"rule-{name}", severity, rules[name], f"@{name}: {what}", advice, clients)
    if rules["selector"]:
        text, advice = "selectors of states and attributes", "it must be good without"
        yield Hint("selectors", Severity.NOTE, rules["selector"], text, advice, (_GMAIL, _OUTLOOK))
    for name, (severity, advice, clients) in _STYLES.items():
        if used[name]:
            id = "style-" + re.sub(r"[^a-z]+", "-", name).strip("-")
            yield Hint(id, severity, used[name], name, advice, clients)


def _read_rules(nodes: Iterable[Node], used: Counter[str], rules: Counter[str], depth: int) -> None:
    for node in nodes:
        if node.type == "qualified-rule":
            rules["selector"] += bool(_SELECTORS.search(tinycss2.serialize(node.prelude)))
            _read_declarations(
                tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True), used
            )
        elif node.type == "at-rule":
            name = (
                node.lower_at_keyword.rpartition("-")[2]
                if node.lower_at_keyword.endswith("keyframes")
                else (node.lower_at_keyword)
            )
            rules[name] += 1
            if node.content is not None and name in {"media", "supports"} and depth < 3:
                inner = tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
                _read_rules(inner, used, rules, depth + 1)


def _read_declarations(nodes: Iterable[Node], used: Counter[str]) -> None:
    for node in nodes:
        if node.type != "declaration":
            continue
        name = node.lower_name.removeprefix("-webkit-").removeprefix("-moz-").removeprefix("-ms-")
        value = tinycss2.serialize(node.value).strip().lower()
        for told in (name, f"{name}: {value.split(' ')[0]}"):
            if told in _STYLES:
                used[told] += 1
        for wanted, test in _VALUES.items():
            used[wanted] += test(name, value)


def _has(pattern: str) -> Callable[[str, str], bool]:
    compiled = re.compile(pattern)
    return lambda _, value: compiled.search(value) is not None


_VALUES: Final[dict[str, Callable[[str, str], bool]]] = {
    "background-image": lambda name, value: name == "background" and "url(" in value,
    "margin: auto": lambda name, value: name == "margin" and "auto" in value and value != "auto",
    "negative margin": lambda name, value: (
        name.startswith("margin") and re.search(r"(?:^|\s)-[0-9.]", value) is not None
    ),
    "animation": lambda name, _: name.startswith("animation-"),
    "transition": lambda name, _: name.startswith("transition-"),
    "calc()": _has(r"\bcalc\("),
    "var()": _has(r"\bvar\("),
    "rem": _has(r"[0-9]rem\b"),
    "vh or vw": _has(r"[0-9]v[hw]\b"),
    "rgba() or hsl()": _has(rf"\b(?:{'|'.join(sorted(_COLOURS))})\("),
}
