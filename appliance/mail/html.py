"""HTML reduced to its text: for previews, for searches, and for readers that show none."""

import html
import re
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Final

#: Elements whose content is not for readers.
_HIDDEN: Final = {
    name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "svg", "template")
}
_BLOCKS: Final = frozenset(
    "p div br tr td th li ul ol table h1 h2 h3 h4 h5 h6 hr blockquote pre section article header footer dt dd".split()
)
_NAME: Final = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*+")
#: The rest of a tag, as nearly all are, or whatever. Values may be in quotes; one that is never closed is none.
_REST: Final = re.compile(r"""(?:[^>=]*+(?:="[^"]*+"[^>=]*+)*+>|(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>)""")
_ALT: Final = re.compile(r"""\balt\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']++))""", re.IGNORECASE)
# More digits than any character has; int() refuses thousands of them.
_ABSURD_REFERENCE: Final = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")


#: A comment, an element that is hidden without its end, an image, or another tag. What begins and does not end hides
#: the rest. Possessive, so it cannot backtrack. Groups: what is hidden, an image, the name of another tag.
_MARKUP: Final = re.compile(
    r"<(?:!--(?:[^-]++|-(?!->))*+(?:-->)?+"
    rf"|({'|'.join(_HIDDEN)})(?![a-z0-9])(?:{_REST.pattern}(?:[^<]++|<(?!/\1))*+|.*+)"
    rf"|(img(?![a-z0-9])(?:{_REST.pattern}|.*+))"
    rf"|(?:(/?+[a-z][a-z0-9]*+)|(?=[!?/]))(?:{_REST.pattern}|.*+))",
    re.IGNORECASE | re.DOTALL,
)
_APART: Final = _BLOCKS | {f"/{name}" for name in _BLOCKS}
#: What stands in the place of a tag.
_GAPS: Final = dict.fromkeys(_APART | {name.upper() for name in _APART}, " ")
_VALUE: Final = r"""\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']++))"""
_TITLE: Final = re.compile(r"\btitle=" + _VALUE, re.IGNORECASE)
#: Of images their alternative text, too.
_SAID: Final = re.compile(r"\b(?:alt|title)=" + _VALUE, re.IGNORECASE)
#: Characters of a page that is split in one go, during which nobody else runs.
_AT_ONCE: Final = 256 * 1024


def searched(source: str) -> str:
    """What people look for in a page: its text, titles, and what images say, on one line (RFC 8621 §4.4.1).

    Linear, never raises. Much quicker than `to_text` for most pages: every message that comes in is read so.
    """
    if len(source) > _AT_ONCE or "itle=" in source or "ITLE=" in source:
        found = _searched_pieces(source)
    else:
        split = _MARKUP.split(source)
        texts, images, names = split[::4], split[2::4], split[3::4]
        for at, image in enumerate(images):
            if image is not None:
                texts[at] += _said(_SAID, image)
        gaps = [*map(_GAPS.get, names, repeat("")), ""]
        found = chain.from_iterable(zip(texts, gaps, strict=True))
    return " ".join(_resolved("".join(found)).split())


def _searched_pieces(source: str) -> Iterator[str]:
    """The same of any page, one tag after the other."""
    at = 0
    for match in _MARKUP.finditer(source):
        yield source[at : match.start()]
        at = match.end()
        _, image, name = match.groups()
        if image is not None:
            yield _said(_SAID, image)
        elif name is not None:
            yield _said(_TITLE, match[0]) + _GAPS.get(name, "")
    yield source[at:]


def _said(attributes: re.Pattern[str], tag: str) -> str:
    """Values of attributes, apart from what is around them; none of a tag that does not end."""
    if not tag.endswith(">"):
        return ""
    found = [one[0] or one[1] or one[2] for one in attributes.findall(tag)]
    return f" {' '.join(found)} " if found else ""


def to_text(source: str) -> str:
    """All of it at once."""
    return "".join(pieces(source))


def pieces(source: str) -> Iterator[str]:
    """The text, piece by piece: tags and comments gone, blocks apart by line ends, references resolved.

    Images stand for their alternative text. White space stays as it is in the source. Linear, never raises; what
    begins and does not end hides the rest, as in browsers.
    """
    at = 0
    while (tag := source.find("<", at)) >= 0:
        if tag > at:
            yield _resolved(source[at:tag])
        if source.startswith("<!--", tag):
            at = source.find("-->", tag + 4) + 3
            if at < 3:
                return
            continue
        named = _NAME.match(source, tag + 1)
        if not named and not source.startswith(("!", "?", "/"), tag + 1):
            yield "<"
            at = tag + 1
            continue
        if not (rest := _REST.match(source, tag + 1)):
            return
        at = rest.end()
        name = named[0].lower() if named else ""
        if name.removeprefix("/") in _BLOCKS:
            yield "\n"
        elif name in _HIDDEN:
            if not (end := _HIDDEN[name].search(source, at)):
                return
            at = end.start()
        elif name == "img" and (alternative := _ALT.search(source, tag, at)):
            yield f" {_resolved(alternative[1] or alternative[2] or alternative[3] or '')} "
    yield _resolved(source[at:])


def _resolved(text: str) -> str:
    """Character references as characters."""
    if "&" not in text:
        return text
    return html.unescape(_ABSURD_REFERENCE.sub("\ufffd", text))
