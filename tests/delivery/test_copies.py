"""Who gets a copy: explicit recipients first, members of aliases, nobody twice."""

import pytest

from appliance.config.addresses import Found, FoundAlias
from appliance.config.domains import Account, Alias, Destination
from appliance.config.values import MailboxName
from appliance.delivery.copies import AliasRecipient, Recipient, plan
from appliance.mail.address import Path, parse_address
from appliance.store.tables import AccountID


def path(text: str) -> Path:
    address = parse_address(text)
    return Path(address.localpart, address.domain)


def recipient(name: str, mailbox: str = "Inbox") -> Recipient:
    found = Found(name, Destination(mailbox=MailboxName(mailbox)), f"{name}@a.example")
    return Recipient(path(f"{name}@a.example"), AccountID(ord(name[0])), found, Account(), None)


def alias(name: str, members: str, *, away: str = "", **settings: bool) -> AliasRecipient:
    keys = frozenset(f"{one}@a.example" for one in members + away)
    found = FoundAlias(Alias(addresses=(), **settings), f"{name}@a.example", "a.example", name)
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
