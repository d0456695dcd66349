import difflib
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings, strategies as st
from msgspec.structs import replace

from appliance.config.domains import Account, Alias, Destination, Route, Ruleset
from appliance.config.edit import NoSuchKey, get_value, remove, set_value, update_table
from appliance.config.values import AddressName, DomainName, MailboxName, Pattern, ReplyText
from support.exampleconfig import DATA, load_example

EXAMPLE = (DATA / "domains.toml").read_text()
COMMENTED = """# about all
a = 1  # one
b = [1, 2]

# about t
[t]
x = "y"  # why
[t.s]
z = 1

[[l]]  # first
n = 1
[[l]]
n = 2
[u]
i = { p = 1 }
"""


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("text", [EXAMPLE, (DATA / "moxpy.toml").read_text(), COMMENTED])
def test_unchanged_is_identical(text: str) -> None:
    assert tomlkit.dumps(tomlkit.parse(text)) == text
    crlf = text.replace("\n", "\r\n")
    assert tomlkit.dumps(tomlkit.parse(crlf)) == crlf


@pytest.mark.parametrize(
    ("path", "value", "lines"),
    [
        pytest.param(("a",), 2, ["- a = 1  # one", "+ a = 2  # one"], id="value keeps its comment"),
        pytest.param(("c",), True, ["+ c = true"], id="new value at the top"),
        pytest.param(("t", "x"), "n", ['- x = "y"  # why', '+ x = "n"  # why'], id="in a table"),
        pytest.param(("t", "w"), 1.5, ["+ w = 1.5"], id="before the sub-tables"),
        pytest.param(("l", 1, "n"), 3, ["- n = 2", "+ n = 3"], id="in an array of tables"),
        pytest.param(("u", "i", "q"), ["r"], ["- i = { p = 1 }", '+ i = { p = 1, q = ["r"]}'], id="in an inline table"),
    ],
)
def test_set_value(path: tuple[str | int, ...], value: object, lines: list[str]) -> None:
    document = tomlkit.parse(COMMENTED)
    set_value(document, path, value)
    text = tomlkit.dumps(document)
    assert [line for line in changed_lines(COMMENTED, text) if line.strip("+- ")] == lines
    assert get_value(tomlkit.parse(text), path) == value


def test_tables_on_the_way_are_made() -> None:
    document = tomlkit.parse(COMMENTED)
    set_value(document, ("v", "a.b", "c"), {"rules": [{"x": 1}, {}], "d": 1, "e": {}})
    set_value(document, ("l", 2), {"n": 3})
    raw = tomllib.loads(tomlkit.dumps(document))
    assert raw["v"] == {"a.b": {"c": {"rules": [{"x": 1}, {}], "d": 1, "e": {}}}}
    assert raw["l"] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_remove() -> None:
    document = tomlkit.parse(COMMENTED)
    for path in (("t", "s"), ("l", 0), ("l", 0), ("u", "i", "p"), ("a",)):
        remove(document, path)
    text = tomlkit.dumps(document)
    assert tomllib.loads(text) == {"b": [1, 2], "t": {"x": "y"}, "u": {"i": {}}}
    assert "# about t" in text


def test_the_last_of_a_table_without_header() -> None:
    text = '[a.b."c.d"]\n[a.b.e.f]\nx = 1\n[a.g]\n[a.g.h]\n'
    document = tomlkit.parse(text)
    for path in (("a", "b", "e", "f"), ("a", "b", "c.d"), ("a", "g", "h")):
        remove(document, path)
        assert tomllib.loads(tomlkit.dumps(document)) == document.unwrap()
    assert document.unwrap() == {"a": {"g": {}}}


@pytest.mark.parametrize("path", [("none",), ("t", "none"), ("a", "b"), ("l", 5), ("b", "x")])
def test_no_such_key(path: tuple[str | int, ...]) -> None:
    document = tomlkit.parse(COMMENTED)
    with pytest.raises(NoSuchKey):
        remove(document, path)
    assert tomlkit.dumps(document) == COMMENTED


def test_one_field_touches_its_table_alone(directory: Path) -> None:
    before = load_example(directory).domains.accounts["bob"]
    after = replace(before, full_name="Bob", max_outgoing_messages_per_day=1000, login_disabled=None)
    document = tomlkit.parse(EXAMPLE)
    update_table(document, ("accounts", "bob"), before, after)
    assert changed_lines(EXAMPLE, tomlkit.dumps(document)) == [
        '- login_disabled = "account is being migrated, try again tomorrow"',
        "- max_outgoing_messages_per_day = 100",
        "+ max_outgoing_messages_per_day = 1000",
        '+ full_name = "Bob"',
    ]


def reread(directory: Path, text: str) -> Any:
    (directory / "domains.toml").write_text(text)
    return load_example(directory).domains


def test_updates_say_what_they_mean(directory: Path) -> None:
    domains = load_example(directory).domains
    alice, example = domains.accounts["alice"], domains.domains["example.org"]
    own = alice.destinations["alice@example.org"]
    rules = (replace(own.rulesets[0], comment="c"), Ruleset(verified_domain=DomainName("new.example")))
    new_alice = replace(
        alice,
        junk_filter=None,
        outgoing_webhook=None,
        routes=(Route(transport="relay"),),
        automatic_junk_flags=replace(alice.automatic_junk_flags, enabled=False, junk_mailbox_regexp=Pattern("^x$")),
        destinations={
            "alice@example.org": replace(own, rulesets=rules, mailbox=MailboxName("A/B")),
            "@example.org": Destination(),
            "new@example.org": Destination(smtp_error=ReplyText("550 no")),
        },
    )
    new_example = replace(
        example,
        mtasts=None,
        routes=(),
        aliases={**example.aliases, "two": Alias(addresses=(AddressName("new@example.org"),))},
    )
    carol = Account(
        destinations={"carol@example.org": Destination(rulesets=(Ruleset(verified_domain=DomainName("x.example")),))}
    )
    document = tomlkit.parse(EXAMPLE)
    update_table(document, ("accounts", "alice"), alice, new_alice)
    update_table(document, ("domains", "example.org"), example, new_example)
    update_table(document, ("accounts", "carol"), None, carol)
    after = reread(directory, tomlkit.dumps(document))
    assert after.accounts == {"alice": new_alice, "bob": domains.accounts["bob"], "carol": carol}
    assert after.domains == {**domains.domains, "example.org": new_example}
    assert (after.web_handlers, after.routes) == (domains.web_handlers, domains.routes)


_plain = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from(["", "a\nb", 'é"\\'])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b.c", "d"]), inner, max_size=3)
    ),
    max_leaves=8,
)
_paths = st.sampled_from(
    [("a",), ("t",), ("t", "s"), ("t", "s", "k"), ("l", 0, "m"), ("u", "i"), ("u", "i", "j"), ("new", "k y")]
)


@settings(max_examples=60, deadline=None)
@example([(("l", 0, "m"), [{}]), (("l", 0, "m"), {})])
@given(st.lists(st.tuples(_paths, _plain), max_size=4))
def test_any_edit_says_what_it_means(edits: list[tuple[tuple[str | int, ...], Any]]) -> None:
    document, expected = tomlkit.parse(COMMENTED), tomllib.loads(COMMENTED)
    for path, value in edits:
        target: Any = expected
        for key in path[:-1]:
            if isinstance(target, dict):
                target = target.setdefault(key, {})
            else:
                target = target[key] if isinstance(target, list) and key in range(len(target)) else None
        if not isinstance(target, dict):
            with pytest.raises(NoSuchKey):
                set_value(document, path, value)
            return
        set_value(document, path, value)
        target[path[-1]] = value
    assert tomllib.loads(tomlkit.dumps(document)) == expected


LISTED = """[domains."a.example".aliases.team]
addresses = [
  "a@a.example",  # first
  # about b
  "b@a.example",  # second
  "c@a.example",
]
"""


@pytest.mark.parametrize(
    ("members", "lines"),
    [
        pytest.param("ac", ['-   "b@a.example",  # second'], id="one less"),
        pytest.param("abcd", ['+   "d@a.example",'], id="one more"),
        pytest.param("bd", ['-   "a@a.example",  # first', '-   "c@a.example",', '+   "d@a.example",'], id="others"),
    ],
)
def test_comments_beside_other_members_stay(members: str, lines: list[str]) -> None:
    def alias(names: str) -> Alias:
        return Alias(addresses=tuple(AddressName(f"{name}@a.example") for name in names))

    document = tomlkit.parse(LISTED)
    update_table(document, ("domains", "a.example", "aliases", "team"), alias("abc"), alias(members))
    text = tomlkit.dumps(document)
    assert changed_lines(LISTED, text) == lines
    expected = [f"{name}@a.example" for name in members]
    assert tomllib.loads(text)["domains"]["a.example"]["aliases"]["team"]["addresses"] == expected


def test_another_order_is_written_anew() -> None:
    document = tomlkit.parse(LISTED)
    before = Alias(addresses=tuple(AddressName(f"{name}@a.example") for name in "abc"))
    update_table(
        document, ("domains", "a.example", "aliases", "team"), before, replace(before, addresses=before.addresses[::-1])
    )
    members = tomllib.loads(tomlkit.dumps(document))["domains"]["a.example"]["aliases"]["team"]["addresses"]
    assert members == ["c@a.example", "b@a.example", "a@a.example"]
