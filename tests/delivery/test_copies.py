"""Who gets a copy: explicit recipients first, members of aliases, nobody twice; and what goes on to others."""

import pytest

from appliance.config.addresses import Found, FoundAlias
from appliance.config.domains import Account, Alias, Destination
from appliance.config.values import AddressName, MailboxName
from appliance.delivery.copies import AliasRecipient, Recipient, plan
from appliance.mail.address import Path, parse_address
from appliance.store.tables import AccountID


def path(text: str) -> Path:
    address = parse_address(text)
    return Path(address.localpart, address.domain)


def outside(*names: str) -> tuple[AddressName, ...]:
    return tuple(AddressName(f"{name}@out.example") for name in names)


def recipient(name: str, mailbox: str = "Inbox", *, forward: str = "", only: bool = False) -> Recipient:
    destination = Destination(mailbox=MailboxName(mailbox), forward=outside(*forward), forward_only=only)
    found = Found(name, destination, f"{name}@a.example")
    return Recipient(path(f"{name}@a.example"), AccountID(ord(name[0])), found, Account(), None)


def alias(name: str, members: str, *, away: str = "", forward: str = "", **settings: bool) -> AliasRecipient:
    keys = frozenset(f"{one}@a.example" for one in members + away)
    found = FoundAlias(
        Alias(addresses=(), forward=outside(*forward), **settings), f"{name}@a.example", "a.example", name
    )
    here = {f"{one}@a.example": recipient(one) for one in members}
    return AliasRecipient(path(f"{name}@a.example"), found, here, keys)


OPEN = {"post_public": True}


@pytest.mark.parametrize(
    ("recipients", "sender", "copies", "wanted"),
    [
        pytest.param([recipient("a")], None, ["a"], [["a"]], id="one"),
        pytest.param([recipient("a"), recipient("a")], None, ["a"], [["a"], ["a"]], id="named twice"),
        pytest.param([recipient("a"), recipient("a", "Other")], None, ["a", "a"], [["a"], ["a"]], id="two mailboxes"),
        pytest.param([alias("t", "ab", **OPEN)], None, ["a", "b"], [["a", "b"]], id="alias"),
        pytest.param([alias("t", "ab", **OPEN)], "a@a.example", ["b"], [["b"]], id="the sender's own"),
        pytest.param([alias("t", "a", **OPEN)], "a@a.example", [], [[]], id="the sender alone"),
        pytest.param(
            [alias("t", "ab", **OPEN), recipient("b")], None, ["b", "a"], [["a", "b"], ["b"]], id="explicit comes first"
        ),
        pytest.param(
            [alias("t", "ab", **OPEN), alias("u", "bc", **OPEN)],
            None,
            ["a", "b", "c"],
            [["a", "b"], ["b", "c"]],
            id="two",
        ),
        pytest.param([alias("t", "ab")], None, [], [None], id="stranger"),
        pytest.param([alias("t", "ab")], "x@a.example", [], [None], id="no member"),
        pytest.param([alias("t", "ab")], "b@a.example", ["a"], [["a"]], id="member"),
        pytest.param([alias("t", "a", away="b")], "b@a.example", ["a"], [["a"]], id="member who takes no mail"),
        pytest.param([alias("t", "a", **OPEN)], "t@a.example", [], [None], id="as the alias"),
        pytest.param([alias("t", "a", allow_msg_from=True)], "t@a.example", ["a"], [["a"]], id="as the alias, allowed"),
        pytest.param([alias("t", "a"), recipient("b")], None, ["b"], [None, ["b"]], id="refused beside another"),
    ],
)
def test_plan(recipients, sender, copies, wanted):
    made = plan(recipients, sender)
    assert [copy.recipient.path.localpart for copy in made.copies] == copies
    assert [None if one is None else [copy.recipient.path.localpart for copy in one] for one in made.wanted] == wanted


@pytest.mark.parametrize(
    ("recipients", "sender", "forwards", "in_need"),
    [
        pytest.param([recipient("a")], None, {}, "", id="none"),
        pytest.param([recipient("a", forward="xy")], None, {"x": "a/a", "y": "a/a"}, "", id="two, and kept"),
        pytest.param([recipient("a", forward="x", only=True)], None, {"x": "a/a"}, "a", id="only"),
        pytest.param(
            [recipient("a", forward="x", only=True), recipient("b", forward="X")],
            None,
            {"x": "a/a b/b"},
            "a",
            id="one copy for two who forward",
        ),
        pytest.param(
            [recipient("a", "Other", forward="x", only=True), recipient("a", forward="x")],
            None,
            {"x": "a/a a/a"},
            "a",
            id="two mailboxes of one account",
        ),
        pytest.param([alias("t", "ab", forward="x", **OPEN)], None, {"x": "t/a t/b"}, "", id="alias, by any member"),
        pytest.param([alias("t", "ab", forward="x", **OPEN)], "a@a.example", {"x": "t/b"}, "", id="not by the sender"),
        pytest.param([alias("t", "a", forward="x", **OPEN)], "a@a.example", {"x": "t/a"}, "", id="but by him alone"),
        pytest.param([alias("t", "ab", forward="x")], None, {}, "", id="who may not write"),
        pytest.param(
            [alias("t", "a", forward="x", **OPEN), recipient("a", forward="xy")],
            None,
            {"x": "a/a t/a", "y": "a/a"},
            "",
            id="explicit comes first",
        ),
    ],
)
def test_what_goes_on(recipients, sender, forwards, in_need):
    """Address outside -> who forwards / whose judgement counts."""
    made = plan(recipients, sender)
    assert {
        ways[0].to.localpart.lower(): " ".join(f"{one.by[0]}/{one.copy.recipient.path.localpart}" for one in ways)
        for ways in made.forwards
    } == forwards
    assert [copy.recipient.path.localpart for copy in made.in_need] == list(in_need)
    for way in (one for ways in made.forwards for one in ways):
        assert way.copy in made.wanted[way.recipient]


def test_a_mailbox_with_an_address_that_keeps_is_kept():
    """Two addresses of one mailbox, of which one keeps nothing."""
    made = plan([recipient("a", forward="x", only=True), recipient("a")], None)
    assert (len(made.copies), made.in_need) == (1, frozenset())


def test_a_catch_all_forwards_as_the_address_written_to():
    found = Found("a", Destination(forward=outside("x")), "@a.example", is_catchall=True)
    one = Recipient(path("any@a.example"), AccountID(1), found, Account(), None)
    assert [way.by for ways in plan([one], None).forwards for way in ways] == ["any@a.example"]
