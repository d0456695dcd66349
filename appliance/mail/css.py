"""Style sheets of strangers, reduced to what only changes how their own text looks.

Everything is parsed and written anew: what is not known is left out, and what would fetch something is left out unless
its reader asked for it. Linear for any input but one: what is nested deeper than NESTING is dropped unread.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

import tinycss2
from tinycss2.ast import Node

#: Blocks within blocks; pages of people have some three.
NESTING: Final = 12
_PREFIXES: Final = re.compile(r"-(?:webkit|moz|ms|o|khtml|apple|epub)-")
#: Properties by which old browsers ran scripts, and those by which a page takes hold of what lies around it.
_REFUSED: Final = frozenset({"behavior", "binding"})
#: Functions that fetch, or that show what is elsewhere.
_FETCHING: Final = frozenset("url src image image-set cross-fade element paint expression attr".split())
#: Rules that say when others count; they hold rules.
_CONDITIONS: Final = frozenset({"media", "supports", "layer", "container"})
#: Rules that hold declarations; those in the second fetch, too.
_HOLDERS: Final = frozenset({"font-face", "page"})

#: What may be shown for a URL: itself, another, or None for nothing.
Allow = Callable[[str], str | None]


def stylesheet(source: str, allow: Allow) -> str:
    """The content of a style element. `allow` says of each URL whether it may be fetched."""
    if _depth(source) > NESTING:
        return ""
    rules = tinycss2.parse_stylesheet(source, skip_comments=True, skip_whitespace=True)
    # What could end the element where it is put is written otherwise (CSS Syntax §4.3.7).
    return "\n".join(_rules(rules, allow)).replace("<", "\\3c ")


def declarations(source: str, allow: Allow) -> str:
    """The value of a style attribute."""
    if _depth(source) > NESTING:
        return ""
    return _declarations(tinycss2.parse_blocks_contents(source, skip_comments=True, skip_whitespace=True), allow)


def _depth(source: str) -> int:
    """No less than how deep blocks are nested; what stands in strings counts as well."""
    depth = most = 0
    for match in re.finditer(r"[\[({)}\]]", source):
        depth = depth + 1 if match[0] in "[({" else max(0, depth - 1)
        most = max(most, depth)
    return most


def _rules(rules: Iterable[Node], allow: Allow) -> Iterable[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            inside = _declarations(
                tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True), allow
            )
            if inside and _is_quiet(rule.prelude):
                yield f"{tinycss2.serialize(rule.prelude).strip()} {{ {inside} }}"
        elif rule.type == "at-rule" and rule.content is not None and _is_quiet(rule.prelude):
            yield from _at_rule(rule, allow)


def _at_rule(rule: Node, allow: Allow) -> Iterable[str]:
    name, prelude = rule.lower_at_keyword, tinycss2.serialize(rule.prelude).strip()
    if name in _CONDITIONS:
        inner = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
        if inside := "\n".join(_rules(inner, allow)):
            yield f"@{name} {prelude} {{ {inside} }}"
    elif name in _HOLDERS:
        inner = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
        inside = _declarations(inner, allow)
        if inside and (name != "font-face" or "src:" in inside):
            yield f"@{name} {prelude} {{ {inside} }}"
    elif _PREFIXES.sub("", name) == "keyframes":
        inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
        if inside := "\n".join(_rules(inner, allow)):
            yield f"@{name} {prelude} {{ {inside} }}"


def _declarations(found: Iterable[Node], allow: Allow) -> str:
    kept = []
    for one in found:
        if one.type != "declaration" or _PREFIXES.sub("", one.lower_name) in _REFUSED:
            continue
        value = _value(one.value, allow)
        if value is not None:
            important = " !important" if one.important else ""
            kept.append(f"{tinycss2.serialize([_ident(one.name)])}: {value.strip()}{important}")
    return "; ".join(kept)


def _ident(name: str) -> Node:
    return tinycss2.ast.IdentToken(0, 0, name)


def _is_quiet(tokens: Iterable[Node]) -> bool:
    return _value(tokens, lambda _: None) is not None


def _value(tokens: Iterable[Node], allow: Allow) -> str | None:
    """A value with what may be fetched in it; None when it has something that may not."""
    written: list[str] = []
    for token in tokens:
        if token.type == "error":
            return None
        if token.type == "url":
            if (url := allow(token.value)) is None:
                return None
            written.append(f'url("{_quoted(url)}")')
        elif token.type == "function" and token.lower_name in _FETCHING:
            # With a string for a URL: url("…"), and nothing of what may stand beside it.
            given = [one for one in token.arguments if one.type not in {"whitespace", "comment"}]
            if token.lower_name != "url" or len(given) != 1 or given[0].type != "string":
                return None
            if (url := allow(given[0].value)) is None:
                return None
            written.append(f'url("{_quoted(url)}")')
        elif token.type == "function":
            if (inside := _value(token.arguments, allow)) is None:
                return None
            written.append(f"{tinycss2.serialize([_ident(token.name)])}({inside})")
        elif token.type in _BRACKETS:
            if (inside := _value(token.content, allow)) is None:
                return None
            opening, closing = _BRACKETS[token.type]
            written.append(f"{opening}{inside}{closing}")
        else:
            written.append(token.serialize())
    return "".join(written)


_BRACKETS: Final = {"() block": ("(", ")"), "[] block": ("[", "]"), "{} block": ("{", "}")}


def _quoted(url: str) -> str:
    """A URL between double quotes."""
    return "".join(f"\\{ord(one):x} " if one in '"\\\n\r\f<' or ord(one) < 32 else one for one in url)
