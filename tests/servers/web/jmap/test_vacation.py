"""VacationResponse/*: the one object there is."""

import pytest

from support import webhouse
from support.jmap import ALL, JMAP


@pytest.fixture
async def jmap(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield JMAP(await house.logged_in("webmail"))


async def one(jmap):
    answer = await jmap.call("VacationResponse/get", ids=None)
    (found,) = answer["list"]
    return found


EMPTY = {
    "id": "singleton", "isEnabled": False, "fromDate": None, "toDate": None, "subject": None, "textBody": None,
    "htmlBody": None, "daysBetweenReplies": 7,
}  # fmt: skip


async def test_at_first(jmap):
    assert await one(jmap) == EMPTY
    standard = JMAP(jmap.browser, using=tuple(name for name in ALL if "moxpy" not in name))
    assert await one(standard) == {name: value for name, value in EMPTY.items() if name != "daysBetweenReplies"}


async def test_set(jmap):
    patch = {
        "isEnabled": True, "fromDate": "2026-12-24T00:00:00Z", "toDate": "2027-01-02T12:30:00.5Z", "subject": "Gone",
        "textBody": "Gone.\n", "htmlBody": "<p>Gone.</p>", "daysBetweenReplies": 3,
    }  # fmt: skip
    answer = await jmap.call("VacationResponse/set", ifInState="0", update={"singleton": patch})
    assert (answer["updated"], answer["oldState"], answer["newState"]) == ({"singleton": None}, "0", "1")
    assert await one(jmap) == {**EMPTY, **patch, "toDate": "2027-01-02T12:30:00Z"}
    await jmap.call("VacationResponse/set", update={"singleton": {"fromDate": None, "htmlBody": None}})
    assert (await one(jmap))["toDate"] == "2027-01-02T12:30:00Z"
    assert (await one(jmap))["fromDate"] is (await one(jmap))["htmlBody"] is None
    assert (await jmap.call("VacationResponse/set", ifInState="0", update={}))["type"] == "stateMismatch"


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"isEnabled": "yes"}, ["isEnabled"]),
        ({"isEnabled": None}, ["isEnabled"]),
        ({"fromDate": "tomorrow"}, ["fromDate"]),
        ({"fromDate": "2026-12-24T00:00:00+01:00"}, ["fromDate"]),
        ({"fromDate": "2026-02-30T00:00:00Z"}, ["fromDate"]),
        ({"fromDate": "2026-12-24T00:00:00Z", "toDate": "2026-12-24T00:00:00Z"}, ["toDate"]),
        ({"textBody": 5}, ["textBody"]),
        ({"subject": "a\nb"}, ["subject"]),
        ({"daysBetweenReplies": 0}, ["daysBetweenReplies"]),
        ({"daysBetweenReplies": True}, ["daysBetweenReplies"]),
        ({"id": "x"}, ["id"]),
        ({"color": "red"}, ["color"]),
    ],
)
async def test_what_cannot_be_set(jmap, patch, names):
    error = (await jmap.call("VacationResponse/set", update={"singleton": patch}))["notUpdated"]["singleton"]
    assert (error["type"], error["properties"]) == ("invalidProperties", names)
    assert await one(jmap) == EMPTY


async def test_there_is_only_one(jmap):
    answer = await jmap.call("VacationResponse/set", create={"k": {}}, update={"other": {}}, destroy=["singleton"])
    assert answer["notCreated"]["k"]["type"] == "singleton"
    assert answer["notUpdated"]["other"]["type"] == "notFound"
    assert answer["notDestroyed"]["singleton"]["type"] == "singleton"
