"""Commented templates of both config files, made from the schema that reads them, so they cannot drift.

Explanations stand behind `# `, keys that may be left out behind `#` alone: taking those away leaves valid TOML.
"""

import textwrap
from typing import Any

from appliance.config.domains import Domains
from appliance.config.errors import KeyPath, quote_key
from appliance.config.schema import Key, Leaf, ListOf, MapOf, Shape, SubTable, Table, example, keys_of, plain_value
from appliance.config.static import Static
from appliance.config.submitting import Submitting

_WIDTH = 100
#: Keys of tables that the operator names, for the template.
_EXAMPLE_KEYS = {
    "package_log_levels": "queue",
    "acme": "letsencrypt",
    "listeners": "public",
    "transports": "example",
    "domains": "example.org",
    "accounts": "example",
    "selectors": "2026a",
    "aliases": "support",
    "destinations": "user@example.org",
    "headers_regexp": "^list-id$",
    "web_domain_redirects": "example.org",
    "response_headers": "Cache-Control",
}


def describe_static() -> str:
    """The template of moxpy.toml."""
    return _describe(Static, "Static configuration of the mail server: moxpy.toml. Changes need a restart.")


def describe_domains() -> str:
    """The template of domains.toml."""
    return _describe(
        Domains,
        "Dynamic configuration of the mail server: domains.toml, beside moxpy.toml. "
        "Changes are noticed while it runs; the server writes this file too, and keeps comments.",
    )


def describe_sendmail() -> str:
    """The template of moxpysubmit.toml."""
    return _describe(
        Submitting,
        "How moxpy sendmail, and moxpy called by the name sendmail, submits mail of this machine's programs: "
        "/etc/moxpysubmit.toml. It may hold a secret: then let only root read it, and all users send by a service "
        "(moxpy config sendmailservice --install). The program itself must not be setgid, and does not start then.",
    )


def _describe(table: type[Table], title: str) -> str:
    lines = comment_lines(title)
    lines += comment_lines("Lines with # and no space behind it are keys that may be left out.")
    lines.append("")
    _table(table, (), lines, optional=False, lender=None)
    return "\n".join(lines).rstrip("\n") + "\n"


def comment_lines(text: str) -> list[str]:
    """An explanation as comment lines of a config file."""
    return ["# " + line for line in textwrap.wrap(text, _WIDTH)]


def _table(table: type[Table], path: KeyPath, lines: list[str], *, optional: bool, lender: Table | None) -> None:
    """The keys of a table: values first, then its sub-tables, as TOML wants it."""
    keys = keys_of(table).values()
    for key in keys:
        if _is_value(key.shape):
            _value(key, lines, optional=optional, lender=lender)
    for key in keys:
        if not _is_value(key.shape):
            _sub_table(key, path, lines, optional=optional)


def _is_value(shape: Shape) -> bool:
    return isinstance(shape, Leaf) or (isinstance(shape, ListOf) and isinstance(shape.item, Leaf))


def _value(key: Key, lines: list[str], *, optional: bool, lender: Table | None) -> None:
    default = getattr(lender, key.attribute) if lender is not None else key.default
    is_required = key.is_required and lender is None
    shown = None if default is None or default == () else toml_value(plain_value(default))
    about = "required" if is_required else f"optional, default: {shown}" if shown else "optional"
    lines += comment_lines(f"{key.doc} ({about})")
    if not shown:
        shown = toml_value(plain_value(_example(key.shape)))
    mark = "#" if optional or not is_required else ""
    lines += [f"{mark}{key.name} = {shown}", ""]


def _example(shape: Shape) -> Any:
    if isinstance(shape, ListOf):
        return (_example(shape.item),)
    assert isinstance(shape, Leaf)
    return example(shape)


def _sub_table(key: Key, path: KeyPath, lines: list[str], *, optional: bool) -> None:
    optional = optional or not key.is_required
    about = "optional" if not key.is_required else "required"
    lines += comment_lines(f"{key.doc} ({about})")
    mark = "#" if optional else ""
    here, shape = (*path, key.name), key.shape
    lender = key.default if key.lends_defaults else None
    name = _EXAMPLE_KEYS.get(key.name, "example")
    if isinstance(shape, MapOf) and isinstance(shape.item, Leaf):
        lines += [
            f"{mark}[{_header(here)}]",
            f"{mark}{quote_key(name)} = {toml_value(plain_value(example(shape.item)))}",
            "",
        ]
        return
    brackets = ("[[", "]]") if isinstance(shape, ListOf) else ("[", "]")
    if isinstance(shape, MapOf):
        here = (*here, name)
    inner = shape.item if isinstance(shape, MapOf | ListOf) else shape
    assert isinstance(inner, SubTable)
    lines += [f"{mark}{brackets[0]}{_header(here)}{brackets[1]}", ""]
    _table(inner.type, here, lines, optional=optional, lender=lender)


def _header(path: KeyPath) -> str:
    return ".".join(quote_key(str(key)) for key in path)


def toml_value(value: Any) -> str:
    """A plain value (string, number, boolean, list of these) as TOML writes it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        return quote_string(value)
    return repr(value)


def quote_string(text: str) -> str:
    """A TOML string: literal where that saves backslashes, else basic."""
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return quote_key(text) if quote_key(text).startswith('"') else f'"{text}"'
