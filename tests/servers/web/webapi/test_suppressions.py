"""The methods about the suppression list."""

import pytest

from support.webapihouse import ALICE, BOB, web_house


@pytest.fixture
async def web(tmp_path):
    async with web_house(tmp_path) as house:
        yield house


async def test_a_life(web):
    assert (await web.call("SuppressionList", {})).body == b'{"Suppressions":[]}\n'
    add = {"EmailAddress": "A.B+x@B\u00fccher.example", "Manual": True, "Reason": "<gone> & \u00fc"}
    assert (await web.call("SuppressionAdd", add)).body == b"{}\n"
    (one,) = (await web.call("SuppressionList", None)).json["Suppressions"]
    assert one == {
        "ID": 1,
        "Created": "2026-11-01T12:00:00Z",
        "Account": "alice",
        "BaseAddress": "ab@b\u00fccher.example",
        "OriginalAddress": "A.B+x@b\u00fccher.example",
        "Manual": True,
        "Reason": "<gone> & \u00fc",
    }
    assert b"<gone> &" in (await web.call("SuppressionList", {})).body
    for variant in ("ab@b\u00fccher.example", "a.b-other@xn--bcher-kva.example", "AB+@b\u00fccher.example"):
        assert (await web.call("SuppressionAdd", {"EmailAddress": variant})).code == "error"
        assert (await web.call("SuppressionPresent", {"EmailAddress": variant})).json == {"Present": True}
    assert (await web.call("SuppressionPresent", {"EmailAddress": "abc@b\u00fccher.example"})).json == {
        "Present": False
    }
    assert (await web.call("SuppressionRemove", {"EmailAddress": "a.b-y@b\u00fccher.example"})).body == b"{}\n"
    assert (await web.call("SuppressionRemove", {"EmailAddress": "a.b-y@b\u00fccher.example"})).code == "error"


async def test_each_account_has_its_own(web):
    await web.call("SuppressionAdd", {"EmailAddress": "x@y.example"}, login=BOB)
    assert (await web.call("SuppressionPresent", {"EmailAddress": "x@y.example"}, login=ALICE)).json == {
        "Present": False
    }
    assert (await web.call("SuppressionRemove", {"EmailAddress": "x@y.example"}, login=ALICE)).code == "error"


@pytest.mark.parametrize("method", ["SuppressionAdd", "SuppressionRemove", "SuppressionPresent"])
@pytest.mark.parametrize(
    "address", ["", "x", "@y.example", "x@", "x@y.example>", "a b@y.example", "x@[192.0.2.1", "x\n@y.example"]
)
async def test_bad_addresses(web, method, address):
    assert (await web.call(method, {"EmailAddress": address})).code == "badAddress"


async def test_the_list_is_by_id(web):
    for number in range(250):
        await web.call("SuppressionAdd", {"EmailAddress": f"x{997 * number % 1000}@y.example"})
    found = (await web.call("SuppressionList", {})).json["Suppressions"]
    assert [one["ID"] for one in found] == list(range(1, 251))
