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
    assert (await changes(jmap, after))[:3] == ([objectid.thread(mail.account, new)], [], [])


async def test_what_changes_no_thread(jmap, mail):
    """RFC 8621 §3: a thread is the ids of its emails; what happens to these otherwise is none of its business."""
    first, second = await mail.thread(2)
    id = objectid.thread(mail.account, first)
    state = (await get(jmap))["state"]

    async def told():
        nonlocal state
        created, updated, destroyed, state = await changes(jmap, state)
        assert (created, destroyed) == ([], [])
        return updated

    await mail.flag(second, "\\Flagged", "x")
    await mail.move(second, "Archive")
    await mail.flag(second, "\\Seen")
    assert await told() == []
    await mail.flag(second, "\\Deleted")
    assert await told() == [id]
    await mail.flag(second, "\\Flagged", mode="-")
    await mail.move(second, "Inbox")
    assert await told() == []
    await mail.flag(second, "\\Deleted", mode="-")
    await mail.flag(second, "y")
    assert await told() == [id]
    await mail.move(second, "Archive")
    await mail.flag(second, "\\Deleted")
    assert await told() == [id]
    await mail.delete(second)  # It was out of sight before.
    assert await told() == []
    await mail.move(first, "Archive")
    await mail.flag(first, "\\Deleted")
    assert (await changes(jmap, state))[:3] == ([], [], [id])


async def test_a_new_thread_is_told_as_new(jmap, mail):
    """Also where the answer ends before its last message came."""
    state = (await get(jmap))["state"]
    first = await mail.add(b"Subject: t\r\nMessage-ID: <1@x>\r\n\r\n")
    other = await mail.add()
    await mail.add(b"Subject: t\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\n")
    created, updated, _, state = await changes(jmap, state, maxChanges=1)
    assert (created, updated) == ([objectid.thread(mail.account, first)], [])
    created, updated, _, state = await changes(jmap, state, maxChanges=1)
    assert (created, updated) == ([objectid.thread(mail.account, other)], [])
    assert (await changes(jmap, state))[:3] == ([], [objectid.thread(mail.account, first)], [])


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
