"""Identity/*: those of the configuration, those that are added, what may be set of them."""

import pytest

from appliance.base import limits
from appliance.store import preferences
from support import webhouse
from support.jmap import JMAP

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."other.example"]
[domains."off.example"]
disabled = true
[domains."example.org".aliases.team]
addresses = ["alice@example.org", "bob@example.org"]
allow_msg_from = true
[domains."example.org".aliases.quiet]
addresses = ["alice@example.org"]
[accounts.alice]
domain = "example.org"
full_name = "Alice A."
[accounts.alice.destinations."alice@example.org"]
[accounts.alice.destinations."sales@example.org"]
full_name = "Sales"
[accounts.alice.destinations."alice@off.example"]
[accounts.alice.destinations."@other.example"]
[accounts.bob]
domain = "example.org"
[accounts.bob.destinations."bob@example.org"]
[accounts.shut]
domain = "example.org"
[accounts.shut.destinations."shut@example.org"]
"""


@pytest.fixture
async def jmap(tmp_path):
    async with webhouse.open_house(tmp_path, DOMAINS) as house:
        yield JMAP(await house.logged_in("webmail"))


async def listed(jmap):
    return {one["email"]: one for one in (await jmap.call("Identity/get", ids=None))["list"]}


async def test_those_of_the_configuration(jmap):
    found = await listed(jmap)
    assert [(email, one["name"], one["mayDelete"]) for email, one in found.items()] == [
        ("alice@example.org", "Alice A.", False),
        ("sales@example.org", "Sales", False),
        ("*@other.example", "Alice A.", False),
        ("team@example.org", "Alice A.", False),
    ]
    empty = {"replyTo": None, "bcc": None, "textSignature": "", "htmlSignature": ""}
    assert all({name: one[name] for name in empty} == empty for one in found.values())
    id = found["sales@example.org"]["id"]
    some = await jmap.call("Identity/get", ids=[id, "nobody"], properties=["name"])
    assert (some["list"], some["notFound"]) == ([{"id": id, "name": "Sales"}], ["nobody"])


async def test_set_and_get(jmap):
    alice = (await listed(jmap))["alice@example.org"]["id"]
    before = (await jmap.call("Identity/get", ids=None))["state"]
    set_ = {"name": "Al", "replyTo": [{"name": None, "email": "reply@example.net"}], "textSignature": "-- \nAl"}
    answer = await jmap.call("Identity/set", ifInState=before, update={alice: set_})
    assert answer["updated"] == {alice: None}
    assert answer["oldState"] == before != answer["newState"]
    found = (await listed(jmap))["alice@example.org"]
    assert {name: found[name] for name in set_} == set_
    assert (await jmap.call("Identity/set", ifInState=before, update={}))["type"] == "stateMismatch"
    await jmap.call("Identity/set", update={alice: {"textSignature": None, "replyTo": None}})
    found = (await listed(jmap))["alice@example.org"]
    assert (found["name"], found["textSignature"], found["replyTo"]) == ("Al", "", None)
    assert (await jmap.call("Identity/changes", sinceState=before))["updated"] == [alice]
    now = (await jmap.call("Identity/get", ids=[]))["state"]
    same = await jmap.call("Identity/changes", sinceState=now)
    assert (same["newState"], same["created"], same["updated"], same["destroyed"]) == (now, [], [], [])


async def changes(jmap, since, **more):
    answer = await jmap.call("Identity/changes", sinceState=since, **more)
    return answer["created"], answer["updated"], answer["destroyed"], answer["newState"], answer["hasMoreChanges"]


async def test_changes(jmap, tmp_path):
    """RFC 8621 §6.2, from any state: what was set, what people add, and what the configuration has no longer."""
    start = (await jmap.call("Identity/get", ids=[]))["state"]
    ids = {email: one["id"] for email, one in (await listed(jmap)).items()}
    create = {"k": {"email": "alice+lists@example.org"}}
    added = (await jmap.call("Identity/set", create=create))["created"]["k"]["id"]
    await jmap.call("Identity/set", update={ids["alice@example.org"]: {"name": "Al"}})
    middle = (await jmap.call("Identity/get", ids=[]))["state"]
    assert await changes(jmap, start) == ([added], [ids["alice@example.org"]], [], middle, False)
    app = jmap.browser.house.app
    (tmp_path / "domains.toml").write_text(DOMAINS.replace("allow_msg_from = true", ""))
    app.config.reload()
    await jmap.call("Identity/set", destroy=[added], update={ids["sales@example.org"]: {"name": "S"}})
    created, updated, destroyed, now, more = await changes(jmap, middle)
    assert (created, updated) == ([], [ids["sales@example.org"]])
    assert (set(destroyed), more) == ({added, ids["team@example.org"]}, False)
    assert await changes(jmap, now) == ([], [], [], now, False)
    # In parts.
    told, state, more = [], start, True
    while more:
        *kinds, state, more = await changes(jmap, state, maxChanges=1)
        assert sum(map(len, kinds)) == 1
        told += [(name, *kind) for name, kind in zip(("created", "updated", "destroyed"), kinds, strict=True) if kind]
    assert state == now
    assert sorted(told) == sorted(
        [
            ("updated", ids["alice@example.org"]),
            ("updated", ids["sales@example.org"]),
            ("destroyed", ids["team@example.org"]),
        ]
    )


async def test_changes_of_many_are_not_known(jmap):
    start = (await jmap.call("Identity/get", ids=[]))["state"]
    create = {f"k{at}": {"email": f"alice+{at}@example.org"} for at in range(20)}
    await jmap.call("Identity/set", create=create)
    many = (await jmap.call("Identity/get", ids=[]))["state"]
    assert len(many) < 100
    created, *_, now, more = await changes(jmap, start)
    assert (len(created), now, more) == (20, many, False)
    assert await changes(jmap, many) == ([], [], [], many, False)
    await jmap.call("Identity/set", create={"k": {"email": "alice+x@example.org"}})
    for since in (many, "", "none-", "D1.x", start + "-", "x" * 5000):
        answer = await jmap.call("Identity/changes", sinceState=since)
        assert answer["type"] == "cannotCalculateChanges", since


async def test_the_name_of_the_configuration_goes_on_unless_it_is_set(jmap):
    sales = (await listed(jmap))["sales@example.org"]["id"]
    await jmap.call("Identity/set", update={sales: {"htmlSignature": "<b>x</b>"}})
    with jmap.browser.house.app.store.read() as tx:
        (kept,) = preferences.identities(tx, jmap.browser.house.number()).values()
    assert (kept.name, kept.html_signature) == (None, "<b>x</b>")
    assert (await listed(jmap))["sales@example.org"]["name"] == "Sales"


async def test_create_and_destroy(jmap):
    create = {"k": {"email": "alice+lists@example.org", "bcc": [{"email": "a@b.example", "name": "A"}]}}
    answer = await jmap.call("Identity/set", create=create)
    made = answer["created"]["k"]
    assert (made["mayDelete"], made["name"], made["textSignature"]) == (True, "", "")
    assert "email" not in made
    assert (await listed(jmap))["alice+lists@example.org"]["bcc"] == [{"name": "A", "email": "a@b.example"}]
    any_of = await jmap.call("Identity/set", create={"k": {"email": "*@other.example", "name": "Any"}})
    assert any_of["created"]["k"]["id"]
    alice = (await listed(jmap))["alice@example.org"]["id"]
    gone = await jmap.call("Identity/set", destroy=[made["id"], alice, "Unone"])
    assert gone["destroyed"] == [made["id"]]
    assert {id: error["type"] for id, error in gone["notDestroyed"].items()} == {
        alice: "forbidden", "Unone": "notFound",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "type_", "names"),
    [
        ({"email": "bob@example.org"}, "forbiddenFrom", None),
        ({"email": "alice@off.example"}, "forbiddenFrom", None),
        ({"email": "quiet@example.org"}, "forbiddenFrom", None),
        ({"email": "*@example.org"}, "forbiddenFrom", None),
        ({"email": "*@no domain"}, "forbiddenFrom", None),
        ({"email": "nothing"}, "invalidProperties", ["email"]),
        ({}, "invalidProperties", ["email"]),
        ({"email": "alice@example.org", "mayDelete": True}, "invalidProperties", ["mayDelete"]),
        ({"email": "alice@example.org", "name": 5}, "invalidProperties", ["name"]),
        ({"email": "alice@example.org", "name": "a\nb"}, "invalidProperties", ["name"]),
        ({"email": "alice@example.org", "replyTo": [{"email": "x"}]}, "invalidProperties", ["replyTo"]),
        ({"email": "alice@example.org", "textSignature": "x" * 70_000}, "invalidProperties", ["textSignature"]),
    ],
)
async def test_what_cannot_be_created(jmap, properties, type_, names):
    error = (await jmap.call("Identity/set", create={"k": properties}))["notCreated"]["k"]
    assert (error["type"], error.get("properties")) == (type_, names)


@pytest.mark.parametrize(
    ("patch", "names"),
    [({"email": "x@example.org"}, ["email"]), ({"id": "x"}, ["id"]), ({"color": "red"}, ["color"])],
)
async def test_what_cannot_be_changed(jmap, patch, names):
    alice = (await listed(jmap))["alice@example.org"]["id"]
    error = (await jmap.call("Identity/set", update={alice: patch}))["notUpdated"][alice]
    assert (error["type"], error["properties"]) == ("invalidProperties", names)


async def test_so_many(jmap, monkeypatch):
    monkeypatch.setattr(limits, "IDENTITIES", -3)  # Beside those of four addresses.
    made = [await jmap.call("Identity/set", create={"k": {"email": "alice@example.org"}}) for _ in range(2)]
    assert made[0]["created"]
    assert made[1]["notCreated"]["k"]["type"] == "tooLarge"
