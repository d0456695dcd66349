"""Thread/* (RFC 8621 §3)."""

from appliance.store import message, objectid
from appliance.store.tables import Table


async def get(jmap, *ids, **more):
    return await jmap.call("Thread/get", ids=list(ids), **more)


async def changes(jmap, state, **more):
    answer = await jmap.call("Thread/changes", sinceState=state, **more)
    return answer["created"], answer["updated"], answer["destroyed"], answer["newState"]


async def test_get(jmap, mail):
    first, second, third = await mail.thread(3)
    id = objectid.thread(mail.account, first)
    names = [objectid.message(mail.account, one) for one in (first, second, third)]
    answer = await get(jmap, id, "T1-999", "rubbish")
    assert (answer["list"], answer["notFound"]) == ([{"id": id, "emailIds": names}], ["T1-999", "rubbish"])
    await mail.flag(second, "\\Deleted")
    assert (await get(jmap, id))["list"][0]["emailIds"] == [names[0], names[2]]
    assert [one["id"] for one in (await jmap.call("Thread/get", ids=None))["list"]] == [id]


async def test_changes(jmap, mail):
    old, answer_to_it = await mail.thread(2)
    lone = await mail.add()
    state = (await get(jmap))["state"]
    assert await changes(jmap, state) == ([], [], [], state)
    await mail.delete(answer_to_it)
    _, updated, _, after = await changes(jmap, state)
    assert updated == [objectid.thread(mail.account, old)]
    await mail.delete(lone)
    created, updated, destroyed, after = await changes(jmap, after)
    assert (created, updated, destroyed) == ([], [], [objectid.thread(mail.account, lone)])
    new = await mail.add()
    await mail.move(new, "Archive")
    passing = await mail.add()
    await mail.delete(passing)
    assert (await changes(jmap, after))[:3] == ([objectid.thread(mail.account, new)], [], [])
    await mail.move(old, "Archive")
    moved = await changes(jmap, after)
    assert moved[0] == [objectid.thread(mail.account, new)]
    assert moved[1] == [objectid.thread(mail.account, old)]


async def test_changes_in_parts(jmap, mail):
    state = (await get(jmap))["state"]
    made = [objectid.thread(mail.account, await mail.add()) for _ in range(5)]
    seen = []
    for _ in range(3):
        created, _, _, state = await changes(jmap, state, maxChanges=2)
        seen += created
    assert seen == made
    assert (await jmap.call("Thread/changes", sinceState="77777"))["type"] == "cannotCalculateChanges"


async def test_changes_of_an_older_program(jmap, mail):
    """What it wrote of a removed message does not tell its thread, so a client begins anew."""
    gone = await mail.add()
    state = (await get(jmap))["state"]
    await mail.delete(gone)

    def shorten(tx) -> None:
        for key, value in list(tx.scan_prefix(Table.CHANGED, b"")):
            tx.put(Table.CHANGED, key, value[:17])

    await mail.store.write(shorten)
    assert (await jmap.call("Thread/changes", sinceState=state))["type"] == "cannotCalculateChanges"
    with mail.store.read() as tx:
        assert [one.thread for one in message.changed_since(tx, mail.account, 0) if one.expunged] == [0]
