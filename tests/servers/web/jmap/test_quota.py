"""Quota/* (RFC 9425)."""

import pytest

from support import webhouse
from support.jmap import JMAP


@pytest.fixture
async def house(tmp_path):
    domains = webhouse.DOMAINS.replace("[accounts.alice]\n", '[accounts.alice]\nquota_message_size = "1M"\n')
    async with webhouse.open_house(tmp_path, domains) as house:
        yield house


async def test_quota(house, jmap, mail):
    (before,) = (await jmap.call("Quota/get", ids=None))["list"]
    assert (before["resourceType"], before["scope"], before["types"]) == ("octets", "account", ["Email"])
    state = (await jmap.call("Quota/get", ids=None))["state"]
    assert (await jmap.call("Quota/changes", sinceState=state))["updated"] == []
    octets = b"Subject: x\r\n\r\n" + b"x" * 1000
    await mail.add(octets)
    answer = await jmap.call("Quota/changes", sinceState=state)
    assert (answer["updated"], answer["updatedProperties"]) == ([before["id"]], ["used"])
    (after,) = (await jmap.call("Quota/get", ids=[before["id"]], properties=["used"]))["list"]
    assert after == {"id": before["id"], "used": before["used"] + len(octets)}
    assert (await jmap.call("Quota/changes", sinceState="rubbish"))["type"] == "cannotCalculateChanges"
    found = await jmap.call("Quota/query", filter={"type": "Email"}, calculateTotal=True)
    assert (found["ids"], found["total"]) == ([before["id"]], 1)
    assert (await jmap.call("Quota/query", filter={"scope": "domain"}))["ids"] == []
    same = await jmap.call("Quota/queryChanges", filter={"type": "Email"}, sinceQueryState=found["queryState"])
    assert (same["removed"], same["added"]) == ([], [])


async def test_none(house):
    bob = house.browser("webmail")
    await bob.log_in(user="bob@example.org")
    jmap = JMAP(bob, name="bob")
    answer = await jmap.call("Quota/get", ids=None)
    assert (answer["list"], answer["state"]) == ([], "none")
    assert (await jmap.call("Quota/changes", sinceState="5-5"))["destroyed"] == ["octets"]
