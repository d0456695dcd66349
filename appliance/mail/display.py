"""What strangers wrote, as HTML that is safe: nothing runs, nothing is fetched but what its reader asked for.

HTML is parsed as browsers do and written anew from lists of what is allowed (nh3); style sheets likewise (mail.css). A
link says where it truly leads: in its tooltip always, and beside it where its text names another host or its host's
name is not plain ASCII, since letters of other scripts look alike. All is linear, and bounded by `DisplayLimits`.
"""

import html as markup
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import nh3

from appliance.mail import css, html
from appliance.mail.domain import DomainError, parse_domain


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayLimits:
    """How much is shown."""

    #: Characters of HTML and of plain text; the rest is left out, and the reader is told.
    html_characters: int
    #: Elements within elements; what has more is shown as text. Parsing takes its square.
    depth: int
    text_characters: int
    #: Of all style elements together, and of one style attribute; longer ones are left out.
    css_characters: int
    style_characters: int
    url_characters: int
    #: Octets of pictures within the message that are shown, as they come.
    inline_octets: int


@dataclass(slots=True)
class Shown:
    """HTML that is safe."""

    #: Attributes of the body element, with a space before them.
    attributes: str = ""
    #: Of a style element.
    styles: str = ""
    body: str = ""
    #: The limit was reached.
    is_cut: bool = False


#: A picture of the message by its content id, as a `data:` URL; None when there is none.
Picture = Callable[[str], str | None]

_TAGS: Final = frozenset(
    "a abbr acronym address area article aside b bdi bdo big blockquote br caption center cite code col colgroup "
    "data dd del details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img "
    "ins kbd li main map mark menu nav nobr ol p pre q rb rp rt rtc ruby s samp section small span strike strong sub "
    "summary sup table tbody td tfoot th thead time tr tt u ul var wbr".split()
)
_MEDIA: Final = frozenset({"audio", "source", "video"})
#: What is in them is no text for readers.
_EMPTIED: Final = frozenset(
    "applet base canvas embed frame frameset iframe math meta noembed noframes object script select style svg template "
    "textarea title xml xmp".split()
)
_ATTRIBUTES: Final = {
    "*": set(
        "abbr align alt bgcolor border bordercolor cellpadding cellspacing char charoff cite class clear color colspan "
        "compact coords datetime dir face frame headers height hspace id lang noshade nowrap open reversed role "
        "rowspan rules scope shape size span start style summary title type usemap valign value vspace width "
        "background".split()
    ),
    "a": {"href", "name"},
    "area": {"href"},
    "img": {"src"},
    "map": {"name"},
}
_MEDIA_ATTRIBUTES: Final = {
    "audio": {"src", "controls"},
    "video": {"src", "controls", "poster"},
    "source": {"src", "media"},
}
_PICTURE: Final = re.compile(
    r"data:image/(?:png|jpe?g|gif|webp|bmp|x-icon|avif)(?:;[a-z0-9=_-]{1,40}){0,9},", re.IGNORECASE
)
_LINK_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "sms", "xmpp", "matrix", "geo"})
_REMOTE: Final = frozenset({"http", "https"})
#: Browsers read over these within a URL, and over all of the first row before it (URL Standard §4.4).
_IGNORED: Final = re.compile(r"[\t\n\r]+")
_AROUND: Final = "".join(map(chr, range(33)))
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_NAMED: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,40})")
#: Those that hold nothing, and those that end by themselves.
_UNCOUNTED: Final = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th tbody thead tfoot "
    "colgroup option html head body".split()
)
_BODY: Final = re.compile(r"<body\b((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>", re.IGNORECASE)
#: Of what nh3 writes: every value stands in double quotes and has none in it.
_ANCHOR: Final = re.compile(r'<a((?: [a-zA-Z-]+(?:="[^"]*+")?)*+)>(.*?)</a>', re.DOTALL)
_HREF: Final = re.compile(r' href="([^"]*+)"')
_GOES: Final = re.compile(r' (?:target|rel)="[^"]*+"')
_TITLE: Final = re.compile(r' title="[^"]*+"')
_TAG: Final = re.compile(r'<[^>"]*+(?:"[^"]*+"[^>"]*+)*+>')
#: A text that names a host, by itself or in a URL.
_NAMES_HOST: Final = re.compile(
    r"\s*(?:https?://)?(?:[^\s/@]{1,200}@)?((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})\.?(?::[0-9]{1,5})?(?:[/?#]\S*)?\s*",
    re.IGNORECASE,
)


def sanitized(source: str, *, external: bool, picture: Picture, limits: DisplayLimits) -> Shown:
    """The HTML of a message. `external`: its reader wants what is elsewhere to be fetched. Belongs in a thread."""
    shown = Shown(is_cut=len(source) > limits.html_characters)
    source = source[: limits.html_characters]
    if _depth(source) > limits.depth:
        shown.body = f'<pre style="white-space: pre-wrap">{markup.escape(html.to_text(source), quote=False)}</pre>'
        return shown
    work = _Work(external, picture, limits)
    shown.styles = work.styles(source)
    if found := _BODY.match(source, max(source.lower().find("<body"), 0)):
        # What does not look like a tag to both of us is no body: this is written anew like all else.
        one = work.clean(f"<div{found[1]}></div>")
        if one.startswith("<div") and one.endswith("></div>"):
            shown.attributes = one[len("<div") : -len("></div>")]
    shown.body = _ANCHOR.sub(_told, work.clean(source))
    return shown


def _depth(source: str) -> int:
    """No less than how deep elements are nested, and seldom more.

    Elements that end where the next of their kind begins do not count: each lies in one that does.
    """
    open_, depth, most = dict[str, int](), 0, 0
    for match in _NAMED.finditer(source):
        name = match[2].lower()
        if name in _UNCOUNTED:
            continue
        count = open_.get(name, 0)
        if not match[1]:
            open_[name] = count + 1
            depth += 1
            most = max(most, depth)
        elif count:
            open_[name] = count - 1
            depth -= 1
    return most


class _Work:
    """One message."""

    def __init__(self, external: bool, picture: Picture, limits: DisplayLimits) -> None:
        self._external = external
        self._picture = picture
        self._limits = limits
        self._tags = set(_TAGS | _MEDIA if external else _TAGS)
        self._attributes = {**_ATTRIBUTES, **_MEDIA_ATTRIBUTES} if external else _ATTRIBUTES
        #: What was made of style attributes: newsletters have few, and repeat them in every cell.
        self._declared: dict[str, str] = {}

    def clean(self, source: str) -> str:
        """HTML, written anew."""
        return nh3.clean(
            source,
            tags=self._tags,
            clean_content_tags=set(_EMPTIED),
            attributes=self._attributes,
            attribute_filter=self._attribute,
            link_rel="noopener noreferrer",
            url_schemes={*_LINK_SCHEMES, "cid", "data"},
            set_tag_attribute_values={"a": {"target": "_blank"}, "area": {"target": "_blank"}},
        )

    def styles(self, source: str) -> str:
        """What stands in style elements, outside of comments."""
        kept, left, at = [], self._limits.css_characters, 0
        lower = source.lower()
        while (start := lower.find("<style", at)) >= 0:
            comment = lower.find("<!--", at, start)
            if comment >= 0:
                at = lower.find("-->", comment + 4) + 3
                if at < 3:
                    break
                continue
            begin, end = lower.find(">", start) + 1, lower.find("</style", start)
            if begin == 0 or end < begin:
                break
            at = end + 1
            left -= end - begin
            if left < 0:
                break
            content = source[begin:end].replace("<!--", "").replace("-->", "")
            kept.append(css.stylesheet(content, self._fetched))
        return "\n".join(one for one in kept if one)

    def _attribute(self, tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return link(value, self._limits.url_characters)
        if name in {"src", "poster", "background"}:
            return self._source(value, is_picture=tag not in _MEDIA or name == "poster")
        if name == "style":
            if len(value) > self._limits.style_characters:
                return None
            if (declared := self._declared.get(value)) is None:
                declared = self._declared[value] = css.declarations(value, self._fetched)
            return declared or None
        return value

    def _source(self, value: str, *, is_picture: bool) -> str | None:
        url = _IGNORED.sub("", value).strip(_AROUND)
        if url[:4].lower() == "cid:" and is_picture:
            return self._picture(_unquoted(url[4:]))
        if _PICTURE.match(url) and is_picture:
            return url if len(url) <= self._limits.inline_octets else None
        return self._fetched(url)

    def _fetched(self, value: str) -> str | None:
        """A URL that a browser would fetch; None when it may not."""
        url = _IGNORED.sub("", value).strip(_AROUND)
        if _PICTURE.match(url):
            return url if len(url) <= self._limits.inline_octets else None
        if url.startswith("//"):
            url = f"https:{url}"
        scheme = _SCHEME.match(url)
        if scheme is None or scheme[1].lower() not in _REMOTE or len(url) > self._limits.url_characters:
            return None
        return url if self._external else None


def link(value: str, most: int) -> str | None:
    """Where a link leads, if one may be led there: on the web, to an address, within the message."""
    url = _IGNORED.sub("", value).strip(_AROUND)
    if url.startswith("//"):
        url = f"https:{url}"
    if len(url) > most:
        return None
    if url.startswith("#"):
        return url
    scheme = _SCHEME.match(url)
    if scheme is not None:
        return url if scheme[1].lower() in _LINK_SCHEMES else None
    # A bare name is meant as a host; any other path leads nowhere, as there is no page it would be relative to.
    return f"https://{url}" if re.match(r"www\.[\w.-]{1,250}(?:[/?#]|$)", url) else None


def _unquoted(text: str) -> str:
    return re.sub(r"%([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)


# Links that say where they lead.


def host_of(url: str) -> str:
    """The host of a web address in ASCII; empty when it has none, "?" when it cannot be read."""
    if not url.lower().startswith(("http:", "https:")):
        return ""
    try:
        name = (urlsplit(url).hostname or "").rstrip(".")
        return name if not name or name.isascii() else parse_domain(name).ascii
    except (ValueError, DomainError):
        return "?"


def _told(match: re.Match[str]) -> str:
    """A link with its target told."""
    attributes, inside = match[1], match[2]
    href = _HREF.search(attributes)
    if href is None:
        return f"<a{_GOES.sub('', attributes)}>{inside}</a>"
    url = markup.unescape(href[1])
    if url.startswith("#"):
        # Within the message: no other page is opened.
        return f'<a href="{href[1]}">{inside}</a>'
    attributes = _TITLE.sub("", attributes)
    return f'<a{attributes} title="{markup.escape(url)}">{inside}</a>{_mark(url, inside)}'


def _mark(url: str, inside: str) -> str:
    """What stands behind a link that is not what it seems."""
    host = host_of(url)
    if not host:
        return ""
    text = markup.unescape(_TAG.sub("", inside))
    named = _NAMES_HOST.fullmatch(text)
    if named is not None:
        seen = named[1].lower()
        try:
            seen = seen if seen.isascii() else parse_domain(seen).ascii
        except DomainError:
            seen = ""
        if not _same_place(seen, host):
            return _target(host)
    return _target(host) if "xn--" in host or host == "?" else ""


def _same_place(seen: str, host: str) -> bool:
    seen, host = seen.removeprefix("www."), host.removeprefix("www.")
    return seen == host or host.endswith(f".{seen}")


def _target(host: str) -> str:
    return f' <span class="moxpy-target">[{markup.escape(host)}]</span>'


# Plain text.

_URL: Final = re.compile(
    r"(?P<url>\b(?:https?://|www\.)[^\s<>\"'`\u201c\u201d\u00ab\u00bb]{1,2000})"
    r"|(?P<mail>\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-zA-Z]{2,24}\b)",
    re.IGNORECASE,
)
_ENDS: Final = ".,;:!?*_~"
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
#: Depths of quoting that look different.
_COLOURS: Final = 4


def plain(text: str, *, flowed: bool, delsp: bool, limits: DisplayLimits) -> Shown:
    """Plain text as HTML: links are links, quotes have their depth. `flowed`, `delsp`: as RFC 3676 has them."""
    shown = Shown(is_cut=len(text) > limits.text_characters)
    lines = text[: limits.text_characters].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    depths = [_quote(line) for line in lines]
    pieces: list[str] = []
    current = -1
    paragraph: list[str] = []

    def end_paragraph() -> None:
        if paragraph:
            pieces.append(_linked("".join(paragraph)) + "\n")
            paragraph.clear()

    for depth, rest in depths:
        if depth != current:
            end_paragraph()
            pieces.append("</div>" * (current >= 0))
            pieces.append(f'<div class="quote{min(depth, _COLOURS)}">' if depth else '<div class="own">')
            current = depth
        marks = "> " * depth
        if flowed:
            rest = rest.removeprefix(" ")  # Space-stuffing (RFC 3676 §4.4).
        if not paragraph:
            paragraph.append(marks)
        if flowed and rest.endswith(" ") and rest != "-- ":
            paragraph.append(rest[:-1] if delsp else rest)
            continue
        paragraph.append(rest)
        end_paragraph()
    end_paragraph()
    pieces.append("</div>")
    shown.body = "".join(pieces)
    return shown


def _quote(line: str) -> tuple[int, str]:
    """How deep a line is quoted, and what it says."""
    depth = at = 0
    while at < len(line) and line[at] == ">":
        depth += 1
        at += 1
        # As programs write it: "> > text" and ">> text" alike.
        if line[at : at + 2] == " >":
            at += 1
    return depth, line[at:].removeprefix(" ") if depth else line


def _linked(text: str) -> str:
    """Escaped, with links."""
    written, at = [], 0
    for match in _URL.finditer(text):
        found = match[0]
        while found and (
            found[-1] in _ENDS or (found[-1] in _PAIRS and found.count(_PAIRS[found[-1]]) < found.count(found[-1]))
        ):
            found = found[:-1]
        if match["mail"]:
            url = f"mailto:{found}"
        else:
            url = found if "://" in found[:8] else f"https://{found}"
        written.append(markup.escape(text[at : match.start()], quote=False))
        shown, target = markup.escape(found, quote=False), markup.escape(url)
        written.append(f'<a href="{target}" target="_blank" rel="noopener noreferrer" title="{target}">{shown}</a>')
        host = host_of(url)
        if "xn--" in host or host == "?":
            written.append(_target(host))
        at = match.start() + len(found)
    written.append(markup.escape(text[at:], quote=False))
    return "".join(written)
