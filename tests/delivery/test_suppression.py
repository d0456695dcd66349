"""When an address is suppressed, and what stands for its variants."""

import pytest

from appliance.delivery import suppression
from appliance.delivery.suppression import base_address, suppresses
from appliance.mail.address import parse_path
from appliance.mail.status import Status
from appliance.store import queued
from appliance.store.bodies import of_octets
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import NO_ACCOUNT, BodyID, QueueID
from support.smtphouse import open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
[accounts.bob.destinations]
"bob@example.org" = {}
"""


def path(text):
    return parse_path(f"<{text}>".encode(), smtputf8=True)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("bob@x.example", "bob@x.example"),
        ("Bob@X.example", "bob@x.example"),
        ("b.o.b@x.example", "bob@x.example"),
        ("bob+list@x.example", "bob@x.example"),
        ("bob-list@x.example", "bob@x.example"),
        ("bob+a-b@x.example", "bob@x.example"),
        ("bob-a+b@x.example", "bob@x.example"),
        ("b.ob-a+b.c@x.example", "bob@x.example"),
        ("+bob@x.example", "+bob@x.example"),
        ("-b.ob+x@x.example", "-bob@x.example"),
        ('"."@x.example', '"."@x.example'),
        ('"b ob"@x.example', '"b ob"@x.example'),
        ('""@x.example', '""@x.example'),
        ("Ölaf+x@xn--bcher-kva.example", "ölaf@bücher.example"),
        ("bob+x@[192.0.2.1]", "bob@[192.0.2.1]"),
    ],
)
def test_base_address(address, base):
    assert base_address(path(address)) == base
    assert base_address(path(base)) == base


@pytest.mark.parametrize(
    ("code", "status", "earlier", "is_suppressed"),
    [
        (550, "5.0.0", [], True),
        (521, "5.0.0", [True, True], True),
        (551, "5.0.0", [], True),
        (553, "5.0.0", [], True),
        (556, "5.0.0", [], True),
        (552, "5.2.2", [], False),
        (554, "5.0.0", [], False),
        (554, "5.1.1", [], True),
        (554, "5.1.2", [], True),
        (554, "5.1.3", [], True),
        (554, "5.1.6", [], True),
        (554, "5.2.1", [], True),
        (554, "5.7.1", [], True),
        (554, "5.7.2", [], False),
        (451, "4.1.1", [], False),
        (554, "5.0.0", [False], False),
        (554, "5.0.0", [False, False], True),
        (554, "5.0.0", [False, True], False),
        (554, "5.0.0", [True, False], False),
        (554, "5.0.0", [False, False, True], True),
        (451, "4.7.0", [False, False], True),
        (0, "4.4.1", [False, False], False),
    ],
)
def test_suppresses(code, status, earlier, is_suppressed):
    status = Status(*map(int, status.split(".")))
    assert suppresses(code, status, is_reply=True, earlier=earlier) is is_suppressed
    assert not suppresses(code, status, is_reply=False, earlier=earlier)


def fail(tx, config, account, address, code=554):
    """A message that fails for good; whether its address was suppressed."""
    one = QueuedMessage(
        id=QueueID(0),
        base_id=QueueID(0),
        account=account,
        queued=0,
        reverse_path="alice@example.org",
        recipient=address,
        body=BodyID(0),
        size=0,
        next_attempt=0,
    )
    queued.add(tx, [one], of_octets(b"\r\n"))
    noted = suppression.note(
        tx, config, one, path(address), code=code, status=Status(5, 0, 0), is_reply=True, text="no"
    )
    queued.remove(tx, one, success=False, keep=10**12)
    return noted


async def test_noted_for_one_account_and_all_variants(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        config, write = house.app.config.snapshot(), house.store.write_sync
        with house.store.read() as tx:
            alice, bob = tx.account_id("alice"), tx.account_id("bob")
        assert write(fail, config, alice, "c.d@x.example", 550)
        assert not write(fail, config, alice, "cd+x@x.example", 550)  # It is there.
        with house.store.read() as tx:
            entry = suppression.hit(tx, config, alice, path("CD-y@x.example"))
            assert (entry.base_address, entry.address, entry.manual) == ("cd@x.example", "c.d@x.example", False)
            assert entry.reason == "delivery failed: 550 5.0.0 no"
            assert suppression.hit(tx, config, bob, path("cd@x.example")) is None
        assert [write(fail, config, bob, "e@x.example") for _ in range(3)] == [False, False, True]
        assert [write(fail, config, bob, f"f+{number}@x.example") for number in range(3)] == [False] * 3


async def test_the_postmaster_answers_for_what_is_nobodys(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        config = house.app.config.snapshot()
        assert house.store.write_sync(fail, config, NO_ACCOUNT, "c@x.example", 550)
        with house.store.read() as tx:
            assert suppression.hit(tx, config, tx.account_id("alice"), path("c@x.example")) is not None
            assert suppression.hit(tx, config, NO_ACCOUNT, path("c@x.example")) is not None
