"""Refused mail is found by what people know of it, and every reason is told in words."""

import ast
import inspect
from pathlib import Path

import pytest

from appliance.delivery import decide
from appliance.delivery.decide import Reason
from appliance.delivery.refusals import Cause
from appliance.operations import refusals
from appliance.operations.refusals import BadFilter, Filter
from appliance.store.refusal import REFUSALS, Refusal
from appliance.store.tables import NOBODY
from support.smtphouse import House, open_house

DOMAINS = """\
[domains."example.org"]
[accounts.alice.destinations]
"alice@example.org" = {}
"""


def refusal(moment: int, **values: object) -> Refusal:
    usual = {"stage": "data", "reason": "junk-content", "remote_ip": "192.0.2.7", "mail_from": "Shop@there.example"}
    return Refusal(**{**usual, "first": moment, "last": moment, **values})  # type: ignore[arg-type]


def put(house: House) -> None:
    def write(tx):
        alice = tx.account_id("alice")
        REFUSALS.note(tx, alice, refusal(10, rcpt_to="alice@example.org", received_id=house.app.received_ids.encode(7)))
        REFUSALS.note(tx, alice, refusal(20, remote_ip="2001:db8::7", msg_from="boss@firm.example", reason="iprev"))
        REFUSALS.note(tx, NOBODY, refusal(15, remote_ip="198.51.96.0/21", reason="relay", mail_from="", stage=""))

    house.store.write_sync(write)


@pytest.mark.parametrize(
    ("account", "wanted", "moments"),
    [
        pytest.param(None, Filter(), [20, 15, 10], id="all"),
        pytest.param("alice", Filter(), [20, 10], id="account"),
        pytest.param("-", Filter(), [15], id="nobody"),
        pytest.param(None, Filter(address="shop@"), [20, 10], id="sender"),
        pytest.param(None, Filter(address="BOSS"), [20], id="From"),
        pytest.param(None, Filter(address="alice@example"), [10], id="recipient"),
        pytest.param(None, Filter(ip="192.0.2.7"), [10], id="address of the client"),
        pytest.param(None, Filter(ip="192.0.2.0/24"), [10], id="network"),
        pytest.param(None, Filter(ip="198.51.100.9"), [15], id="in a network of many"),
        pytest.param(None, Filter(ip="2001:db8::/32"), [20], id="IPv6"),
        pytest.param(None, Filter(reason="relay"), [15], id="reason"),
        pytest.param(None, Filter(since=15), [20, 15], id="since"),
        pytest.param(None, Filter(before=15), [10], id="before"),
    ],
)
async def test_filters(tmp_path: Path, account, wanted, moments):
    async with open_house(tmp_path, DOMAINS) as house:
        put(house)
        found = await refusals.found(house.app, account, wanted, 10)
        assert [one.last for _, one in found] == moments
        assert await refusals.found(house.app, account, wanted, 1) == found[:1]


async def test_the_id_of_the_reply_leads_to_the_log(tmp_path: Path):
    async with open_house(tmp_path, DOMAINS) as house:
        put(house)
        id = house.app.received_ids.encode(7)
        ((name, one),) = await refusals.found(house.app, None, Filter(received_id=f"({id})"), 10)
        assert (name, refusals.cid(house.app, one)) == ("alice", "7")
        assert refusals.cid(house.app, refusal(1)) == ""


async def test_bad_filter(tmp_path: Path):
    async with open_house(tmp_path, DOMAINS) as house:
        with pytest.raises(BadFilter, match="neither an IP address nor a network"):
            await refusals.found(house.app, None, Filter(ip="mx.example"), 10)


def refused_reasons() -> set[str]:
    """All that `decide` may refuse for: the reasons in it, but for those that only let in."""
    names = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(decide._Decision)))
        if isinstance(node, ast.Attribute)
    }
    taken = {Reason.LIST_ALLOW, Reason.NOTICE, Reason.REPORTING, Reason.SUBJECTPASS, Reason.NO_BAD_SIGNALS}
    by_history = {one for one in Reason if one.value in {method.value for method in decide.Method}}
    return {one.value for one in Reason if one.name in names or one in by_history} - {one.value for one in taken}


@pytest.mark.parametrize("reason", sorted({*refused_reasons(), *(one.value for one in Cause)}))
def test_every_reason_is_explained(reason):
    told = refusals.explain(refusal(1, reason=reason))
    assert told is not refusals._UNKNOWN
    assert told.why.endswith(".")
    assert told.remedy.endswith(".")
