"""Mailbox/* (RFC 8621 §2)."""

import pytest

from appliance.store import mailbox

COUNTS = ["totalEmails", "unreadEmails", "totalThreads", "unreadThreads"]


async def named(jmap) -> dict[str, dict]:
    return {one["name"]: one for one in (await jmap.call("Mailbox/get", ids=None))["list"]}


async def create(jmap, **properties):
    answer = await jmap.call("Mailbox/set", create={"a": properties})
    return answer["created"]["a"] if answer["created"] else answer["notCreated"]["a"]


async def update(jmap, id, /, **patch):
    answer = await jmap.call("Mailbox/set", update={id: patch})
    return answer["updated"] if answer["updated"] else answer["notUpdated"][id]


# Counts.


async def test_counts(jmap, mail):
    first = await mail.thread(3)
    await mail.add(flags=["\\Seen"])
    await mail.add(flags=["\\Draft"])
    await mail.add(flags=["\\Deleted"])
    await mail.flag(first[0], "\\Seen")
    await mail.flag(first[1], "\\Seen")
    inbox = (await named(jmap))["Inbox"]
    assert [inbox[name] for name in COUNTS] == [5, 1, 3, 1]
    # A thread is unread for whatever is unread of it, but in the trash (RFC 8621 §2).
    await mail.move(first[2], "Archive")
    boxes = await named(jmap)
    assert [boxes["Inbox"][name] for name in COUNTS] == [4, 0, 3, 1]
    assert [boxes["Archive"][name] for name in COUNTS] == [1, 1, 1, 1]
    await mail.move(first[2], "Trash")
    boxes = await named(jmap)
    assert boxes["Inbox"]["unreadThreads"] == 0
    assert boxes["Trash"]["unreadThreads"] == 1


async def test_keywords(jmap, mail):
    """Beyond RFC 8621: the labels in use."""
    assert (await named(jmap))["Inbox"]["keywords"] == []
    number = await mail.add(flags=["Travel", "$Forwarded"])
    state = (await jmap.call("Mailbox/get", ids=None))["state"]
    assert (await named(jmap))["Inbox"]["keywords"] == ["travel"]
    await mail.flag(number, "work")
    boxes = await named(jmap)
    assert boxes["Inbox"]["keywords"] == ["travel", "work"]
    assert boxes["Archive"]["keywords"] == []
    assert (await changes(jmap, state))["updated"] == [boxes["Inbox"]["id"]]
    # Nobody else hears of them.
    jmap.using = jmap.using[:2]
    assert "keywords" not in (await named(jmap))["Inbox"]
    assert (await jmap.call("Mailbox/get", ids=None, properties=["keywords"]))["type"] == "invalidArguments"


# Changes.


async def changes(jmap, state, **more):
    return await jmap.call("Mailbox/changes", sinceState=state, **more)


async def test_changes_of_counts_alone(jmap, mail):
    state = (await jmap.call("Mailbox/get", ids=None))["state"]
    boxes = await named(jmap)
    assert (await changes(jmap, state))["updated"] == []
    await mail.add()
    answer = await changes(jmap, state)
    assert (answer["updated"], answer["updatedProperties"]) == ([boxes["Inbox"]["id"]], [*COUNTS, "keywords"])
    jmap.using = jmap.using[:2]
    assert (await changes(jmap, state))["updatedProperties"] == COUNTS
    assert answer["hasMoreChanges"] is False
    await jmap.call("Mailbox/set", update={boxes["Archive"]["id"]: {"sortOrder": 3}})
    answer = await changes(jmap, state)
    assert set(answer["updated"]) == {boxes["Inbox"]["id"], boxes["Archive"]["id"]}
    assert answer["updatedProperties"] is None
    assert (await changes(jmap, answer["newState"]))["updated"] == []


async def test_changes_of_threads_elsewhere(jmap, mail):
    """A message in one mailbox makes a thread unread in another."""
    first = await mail.thread(2)
    await mail.move(first[1], "Archive")
    before = await jmap.call("Mailbox/get", ids=None)
    await mail.flag(first[0], "\\Seen")
    await mail.flag(first[1], "\\Seen")
    await mail.flag(first[1], "\\Seen", mode="-")
    boxes = await named(jmap)
    state = (await jmap.call("Mailbox/get", ids=None))["state"]
    assert (boxes["Inbox"]["unreadEmails"], boxes["Inbox"]["unreadThreads"]) == (0, 1)
    await mail.flag(first[1], "\\Seen")
    assert set((await changes(jmap, state))["updated"]) == {boxes["Inbox"]["id"], boxes["Archive"]["id"]}
    assert set((await changes(jmap, before["state"]))["updated"]) == {boxes["Inbox"]["id"], boxes["Archive"]["id"]}


async def test_changes_in_parts(jmap, mail):
    state = (await jmap.call("Mailbox/get", ids=None))["state"]
    ids = [(await create(jmap, name=f"new {at}"))["id"] for at in range(5)]
    gone = (await create(jmap, name="gone"))["id"]
    await jmap.call("Mailbox/set", destroy=[gone])
    seen, parts = [], 0
    while True:
        answer = await changes(jmap, state, maxChanges=2)
        seen += answer["created"]
        assert answer["destroyed"] == []
        assert len(answer["created"]) <= 2
        state, parts = answer["newState"], parts + 1
        if not answer["hasMoreChanges"]:
            break
    assert (seen, parts) == (ids, 3)
    await jmap.call("Mailbox/set", destroy=ids[:1])
    assert (await changes(jmap, state))["destroyed"] == ids[:1]


@pytest.mark.parametrize("state", ["", "x", "999", "-1", "1" * 30])
async def test_unknown_states(jmap, state):
    assert (await changes(jmap, state))["type"] == "cannotCalculateChanges"


async def test_other_doors(house, jmap, mail):
    """What IMAP does with names and subscriptions is told, too."""
    boxes, state = await named(jmap), (await jmap.call("Mailbox/get", ids=None))["state"]
    await house.app.store.write(mailbox.unsubscribe, mail.account, "Archive")
    answer = await changes(jmap, state)
    assert (answer["updated"], answer["updatedProperties"]) == ([boxes["Archive"]["id"]], None)
    assert (await named(jmap))["Archive"]["isSubscribed"] is False


# Query.


@pytest.fixture
async def tree(jmap):
    """b > c > d, and a; the topmost behind those with roles."""
    ids = {}
    for name, parent, order in (("b", None, 20), ("c", "b", 1), ("d", "c", 1), ("a", None, 20)):
        made = await create(jmap, name=name, parentId=ids.get(parent), sortOrder=order, isSubscribed=name != "c")
        ids[name] = made["id"]
    return ids


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"sort": [{"property": "name"}], "filter": {"hasAnyRole": False}}, "a b c d"),
        ({"sort": [{"property": "name", "isAscending": False}], "filter": {"hasAnyRole": False}}, "d c b a"),
        ({"filter": {"hasAnyRole": False}}, "c d a b"),
        ({"filter": {"hasAnyRole": False}, "sortAsTree": True}, "a b c d"),
        ({"filter": {"isSubscribed": True, "hasAnyRole": False}, "filterAsTree": True}, "a b"),
        ({"filter": {"role": "inbox"}}, "Inbox"),
        ({"filter": {"role": None, "parentId": None}}, "a b"),
        ({"filter": {"name": "RCHI"}}, "Archive"),
        (
            {"filter": {"operator": "OR", "conditions": [{"name": "arch"}, {"role": "inbox"}]}},
            "Inbox Archive",
        ),
        (
            {"filter": {"operator": "NOT", "conditions": [{"hasAnyRole": True}, {"name": "a"}]}},
            "c d b",
        ),
        ({"filter": {"hasAnyRole": False}, "position": 1, "limit": 2}, "d a"),
        ({"filter": {"hasAnyRole": False}, "position": -2}, "a b"),
        ({"filter": {"hasAnyRole": False}, "anchor": "b", "anchorOffset": -1}, "a b"),
    ],
)
async def test_query(jmap, tree, arguments, names):
    if "anchor" in arguments:
        arguments = {**arguments, "anchor": tree[arguments["anchor"]]}
    answer = await jmap.call("Mailbox/query", arguments, calculateTotal=True)
    by_id = {one["id"]: one["name"] for one in (await jmap.call("Mailbox/get", ids=None))["list"]}
    assert " ".join(by_id[id] for id in answer["ids"]) == names
    assert answer["canCalculateChanges"] is True


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"filter": {"colour": "red"}}, "unsupportedFilter"),
        ({"filter": {"name": 5}}, "invalidArguments"),
        ({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments"),
        ({"sort": [{"property": "role"}]}, "unsupportedSort"),
        ({"sort": [{"property": "name", "collation": "i;klingon"}]}, "unsupportedSort"),
        ({"anchor": "F1-77"}, "anchorNotFound"),
        ({"limit": -1}, "invalidArguments"),
        ({"limit": 2**60}, "invalidArguments"),
        ({"colour": 1}, "invalidArguments"),
    ],
)
async def test_query_refused(jmap, arguments, error):
    assert (await jmap.call("Mailbox/query", arguments))["type"] == error


async def test_query_changes(jmap, mail, tree):
    """A list with the changes is the list anew; what counts alone does changes nothing in it."""
    arguments = {"sort": [{"property": "name"}], "sortAsTree": True}
    before = await jmap.call("Mailbox/query", arguments)
    await mail.add()
    assert (await jmap.call("Mailbox/query", arguments))["queryState"] == before["queryState"]
    await update(jmap, tree["b"], name="z")
    await jmap.call("Mailbox/set", destroy=[tree["a"]])
    await create(jmap, name="m")
    answer = await jmap.call("Mailbox/queryChanges", arguments, sinceQueryState=before["queryState"])
    assert {tree["a"], tree["b"], tree["c"], tree["d"]} <= set(answer["removed"])
    ids = [id for id in before["ids"] if id not in answer["removed"]]
    for one in answer["added"]:
        ids.insert(one["index"], one["id"])
    after = await jmap.call("Mailbox/query", arguments)
    assert (ids, answer["newQueryState"]) == (after["ids"], after["queryState"])
    few = await jmap.call("Mailbox/queryChanges", arguments, sinceQueryState=before["queryState"], maxChanges=1)
    assert few["type"] == "tooManyChanges"


# Set.


async def test_create(jmap):
    answer = await jmap.call(
        "Mailbox/set",
        create={
            "below": {"name": "Below", "parentId": "#top"},
            "top": {"name": "Top", "role": "archive", "sortOrder": 7, "isSubscribed": False},
        },
    )
    top, below = answer["created"]["top"], answer["created"]["below"]
    assert (top["totalEmails"], top["unreadThreads"], top["myRights"]["mayDelete"]) == (0, 0, True)
    assert "name" not in top
    boxes = await named(jmap)
    assert boxes["Below"] == {**boxes["Below"], "id": below["id"], "parentId": top["id"], "isSubscribed": True}
    expected = {"id": top["id"], "role": "archive", "sortOrder": 7, "isSubscribed": False}
    assert boxes["Top"] == {**boxes["Top"], **expected}
    assert answer["newState"] != answer["oldState"]


@pytest.mark.parametrize(
    ("properties", "type_", "names"),
    [
        ({"name": "Inbox"}, "invalidProperties", ["name"]),
        ({"name": "inbox"}, "invalidProperties", ["name"]),
        ({"name": "a/b"}, "invalidProperties", ["name"]),
        ({"name": ""}, "invalidProperties", ["name"]),
        ({"name": ".."}, "invalidProperties", ["name"]),
        ({"name": "a\nb"}, "invalidProperties", ["name"]),
        ({"name": "x" * 500}, "invalidProperties", ["name"]),
        ({"name": "\u00e4" * 101}, "invalidProperties", ["name"]),
        ({}, "invalidProperties", ["name"]),
        ({"name": 5}, "invalidProperties", ["name"]),
        ({"name": "n", "parentId": "F9-9"}, "invalidProperties", ["parentId"]),
        ({"name": "n", "parentId": "#nothing"}, "invalidProperties", ["parentId"]),
        ({"name": "n", "role": "inbox"}, "invalidProperties", ["role"]),
        ({"name": "n", "role": "king"}, "invalidProperties", ["role"]),
        ({"name": "n", "sortOrder": -1}, "invalidProperties", ["sortOrder"]),
        ({"name": "n", "sortOrder": 2**70}, "invalidProperties", ["sortOrder"]),
        ({"name": "n", "totalEmails": 5}, "invalidProperties", ["totalEmails"]),
        ({"name": "n", "id": "F1-1"}, "invalidProperties", ["id"]),
        ({"name": "Other Users"}, "forbidden", None),
    ],
)
async def test_create_refused(jmap, properties, type_, names):
    error = await create(jmap, **properties)
    assert (error["type"], error.get("properties")) == (type_, names)


async def test_rename_and_move(jmap, tree):
    assert await update(jmap, tree["c"], name="C", parentId=None) == {tree["c"]: None}
    boxes = await named(jmap)
    assert (boxes["C"]["parentId"], boxes["d"]["parentId"]) == (None, tree["c"])
    assert boxes["d"]["isSubscribed"] is True
    assert boxes["C"]["isSubscribed"] is False


@pytest.mark.parametrize(
    ("which", "patch", "error"),
    [
        ("b", {"parentId": "d"}, "forbidden"),
        ("b", {"parentId": "b"}, "forbidden"),
        ("c", {"name": "a", "parentId": None}, "invalidProperties"),
        ("c", {"totalEmails": 5}, "invalidProperties"),
        ("c", {"myRights/mayDelete": False}, "invalidProperties"),
        ("c", {"colour": "red"}, "invalidProperties"),
        ("c", {"name/first": "x"}, "invalidPatch"),
        ("c", {"myRights": {}, "myRights/mayDelete": True}, "invalidPatch"),
        ("c", {"name": None}, "invalidProperties"),
        ("Inbox", {"name": "Other"}, "forbidden"),
        ("nowhere", {"name": "x"}, "notFound"),
    ],
)
async def test_update_refused(jmap, tree, which, patch, error):
    boxes = await named(jmap)
    if patch.get("parentId") in tree:
        patch = {**patch, "parentId": tree[patch["parentId"]]}
    id = boxes[which]["id"] if which in boxes else "F1-99"
    assert (await update(jmap, id, **patch))["type"] == error
    assert await named(jmap) == boxes


async def test_what_stays_may_be_repeated(jmap, tree):
    same = (await named(jmap))["c"]
    assert await update(jmap, tree["c"], **same) == {tree["c"]: None}


async def test_roles(jmap, tree):
    await update(jmap, tree["a"], role="trash")
    boxes = await named(jmap)
    assert (boxes["a"]["role"], boxes["Trash"]["role"]) == ("trash", None)
    await update(jmap, tree["a"], role=None)
    assert (await named(jmap))["a"]["role"] is None


async def test_destroy(jmap, mail, tree):
    inbox = (await named(jmap))["Inbox"]["id"]
    await mail.add(name="a")
    answer = await jmap.call("Mailbox/set", destroy=[tree["b"], tree["a"], inbox, "F1-99", "rubbish"])
    errors = {id: one["type"] for id, one in answer["notDestroyed"].items()}
    expected = {tree["b"]: "mailboxHasChild", tree["a"]: "mailboxHasEmail", inbox: "forbidden"}
    assert errors == {**expected, "F1-99": "notFound", "rubbish": "notFound"}
    answer = await jmap.call(
        "Mailbox/set", destroy=[tree["b"], tree["c"], tree["d"], tree["a"]], onDestroyRemoveEmails=True
    )
    assert set(answer["destroyed"]) == set(tree.values())
    assert not tree.keys() & (await named(jmap)).keys()


async def test_state_mismatch(jmap, mail):
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    await mail.add()
    assert (await jmap.call("Mailbox/set", ifInState=state, create={"a": {"name": "x"}}))["type"] == "stateMismatch"
    assert "x" not in await named(jmap)


async def test_empty_and_mark_read(jmap, mail, tree):
    for _ in range(3):
        await mail.add(name="b/c")
    await mail.add(name="b")
    kept = await mail.add()
    assert (await jmap.call("Mailbox/markRead", ids=[tree["b"]]))["count"] == 1
    assert (await jmap.call("Mailbox/markRead", ids=[tree["b"]], recursive=True))["count"] == 3
    assert (await jmap.call("Mailbox/empty", id=tree["c"]))["count"] == 3
    boxes = await named(jmap)
    assert (boxes["c"]["totalEmails"], boxes["b"]["totalEmails"], boxes["Inbox"]["totalEmails"]) == (0, 1, 1)
    assert kept
    assert (await jmap.call("Mailbox/empty", id="F1-99"))["type"] == "invalidArguments"
