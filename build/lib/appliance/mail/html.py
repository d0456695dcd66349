"""HTML reduced to its text: for previews and for readers that show none."""

import html
import re
from collections.abc import Iterator
from typing import Final

#: Elements whose content is not for readers.
_HIDDEN: Final = {
    name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "svg", "template")
}
_BLOCKS: Final = frozenset(
    "p div br tr td th li ul ol table h1 h2 h3 h4 h5 h6 hr blockquote pre section article header footer dt dd".split()
)
_NAME: Final = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*+")
#: The rest of a tag. Values may be in quotes; one that is never closed is none.
_REST: Final = re.compile(r"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""")
_ALT: Final = re.compile(r"""\balt\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']++))""", re.IGNORECASE)
# More digits than any character has; int() refuses thousands of them.
_ABSURD_REFERENCE: Final = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")


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
