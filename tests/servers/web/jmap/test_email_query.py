"""Email/query, Email/queryChanges, Email/changes, Email/get and SearchSnippet/get as clients ask them."""

from typing import Any

import pytest

from appliance.servers.web.jmap.email import get as getting, keywords
from appliance.servers.web.jmap.email.properties import Budget
from appliance.servers.web.jmap.email.words import words_of
from appliance.store import mailbox, message, objectid, search, searching
from appliance.store.records import Flag
from support.imaphouse import House, open_house
from support.jmapcaller import Caller
from support.stores import new_message

_PDF = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee there\r\n--x\r\n"
    b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--x--\r\n"
)
#: Name -> mailbox, header and body, flags. They arrive in this order, a day after one another.
MAIL: dict[str, tuple[str, bytes, int, tuple[str, ...]]] = {
    "lunch": (
        "Inbox",
        b"From: Zoe <zoe@x.example>\r\nTo: Ann <ann@example.org>\r\nSubject: Lunch\r\nMessage-ID: <1@x>\r\n"
        b'Date: Mon, 05 Feb 2024 10:00:00 +0000\r\n\r\nSoup or 100% "salad" today?\r\n',
        0,
        (),
    ),
    "reply": (
        "Inbox",
        b"From: ann@example.org\r\nTo: zoe@x.example\r\nCc: bob@y.example\r\nSubject: Re: Lunch\r\nMessage-ID: <2@x>\r\n"
        b"References: <1@x>\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n\r\nSalad, please.\r\n",
        int(Flag.SEEN),
        ("work",),
    ),
    "pdf": (
        "Inbox",
        b"From: bob@y.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Own: lunch\r\n" + _PDF,
        int(Flag.FLAGGED),
        (),
    ),
    "old": (
        "Archive",
        b"From: Bcc <b@x.example>\r\nBcc: zoe@x.example\r\nSubject: minutes\r\n\r\n" + b"x" * 3000 + b"\r\n",
        int(Flag.SEEN),
        (),
    ),
    "third": (
        "Archive",
        b"From: zoe@x.example\r\nSubject: Re: Lunch\r\nMessage-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\n\r\nok\r\n",
        int(Flag.SEEN | Flag.FLAGGED),
        (),
    ),
    "gone": ("Inbox", b"Subject: Lunch is deleted\r\n\r\nsoup\r\n", int(Flag.DELETED), ()),
}
DAY = 86_400_000_000
START = 1_704_067_200_000_000  # 2024-01-01


@pytest.fixture
async def house(tmp_path):
    async with open_house(tmp_path) as house:
        await fill(house)
        yield house


async def fill(house: House) -> None:
    for at, (name, octets, flags, words) in enumerate(MAIL.values()):
        with house.store.read() as tx:
            target = mailbox.by_name(tx, house.account, name).id
        new = new_message(house.store, octets, received=START + at * DAY)
        await house.store.write(message.add, house.account, target, new, flags=flags, keywords=words)


@pytest.fixture
def jmap(house):
    return Caller(house.app, house.account)


def id_of(house: House, name: str) -> str:
    return objectid.message(house.account, list(MAIL).index(name) + 1)


def names(ids: list[str]) -> list[str]:
    return [list(MAIL)[int(id.partition("-")[2]) - 1] for id in ids]


def box(house: House, name: str) -> str:
    with house.store.read() as tx:
        return objectid.mailbox(house.account, mailbox.by_name(tx, house.account, name).id)


OLDEST = [{"property": "receivedAt"}]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param(None, "lunch reply pdf old third", id="all"),
        pytest.param({}, "lunch reply pdf old third", id="no condition"),
        pytest.param({"inMailbox": "Inbox"}, "lunch reply pdf", id="in a mailbox"),
        pytest.param({"inMailbox": "nowhere"}, "", id="in none"),
        pytest.param({"inMailboxOtherThan": ["Inbox"]}, "old third", id="in another mailbox"),
        pytest.param({"before": "2024-01-02T00:00:00Z"}, "lunch", id="before: not the moment itself"),
        pytest.param({"after": "2024-01-04T00:00:00Z"}, "old third", id="after: the moment itself"),
        pytest.param(
            {"after": "2024-01-02T00:00:00Z", "before": "2024-01-04T01:00:00+01:00"}, "reply pdf", id="between"
        ),
        pytest.param({"minSize": 3000}, "old", id="large"),
        pytest.param({"maxSize": 3000}, "lunch reply pdf third", id="small"),
        pytest.param({"hasKeyword": "$Seen"}, "reply old third", id="keyword"),
        pytest.param({"notKeyword": "$seen"}, "lunch pdf", id="no keyword"),
        pytest.param({"hasKeyword": "WORK"}, "reply", id="a keyword of one's own"),
        pytest.param({"allInThreadHaveKeyword": "$seen"}, "old", id="all in thread"),
        pytest.param({"someInThreadHaveKeyword": "$flagged"}, "lunch reply pdf third", id="some in thread"),
        pytest.param({"noneInThreadHaveKeyword": "$flagged"}, "old", id="none in thread"),
        pytest.param({"hasAttachment": True}, "pdf", id="attachment"),
        pytest.param({"hasAttachment": False, "inMailbox": "Inbox"}, "lunch reply", id="no attachment"),
        pytest.param({"attachmentType": "pdf"}, "pdf", id="PDF"),
        pytest.param({"attachmentType": "image"}, "", id="image"),
        pytest.param({"attachmentType": "none", "inMailbox": "Inbox"}, "lunch reply", id="none attached"),
        pytest.param({"inThread": "T1-1"}, "lunch reply third", id="a thread"),
        pytest.param({"text": "salad"}, "lunch reply", id="in the body"),
        pytest.param({"text": "LUNCH"}, "lunch reply third", id="in the subject, and not in just any field"),
        pytest.param({"text": "zoe"}, "lunch reply old third", id="in From, To and Bcc"),
        pytest.param({"text": "salad soup"}, "lunch", id="all words"),
        pytest.param({"text": '"salad please"'}, "", id="a phrase that is not there"),
        pytest.param({"text": "'salad, please'"}, "reply", id="a phrase"),
        pytest.param({"text": r'"100% \"salad\""'}, "lunch", id="a phrase with quotes"),
        pytest.param({"text": "grüsse"}, "", id="another letter"),
        pytest.param({"text": "GRÜSSE"}, "", id="folding keeps letters"),
        pytest.param({"text": "GRÜ"}, "pdf", id="decoded, in any case"),
        pytest.param({"text": ""}, "lunch reply pdf old third", id="nothing to look for"),
        pytest.param({"from": "zoe"}, "lunch third", id="from"),
        pytest.param({"to": "zoe"}, "reply", id="to"),
        pytest.param({"cc": "bob"}, "reply", id="cc"),
        pytest.param({"bcc": "zoe"}, "old", id="bcc"),
        pytest.param({"subject": "re: lunch"}, "reply third", id="subject"),
        pytest.param({"body": "lunch"}, "", id="body alone"),
        pytest.param({"body": "see there"}, "pdf", id="body"),
        pytest.param({"header": ["X-Own"]}, "pdf", id="a field"),
        pytest.param({"header": ["x-own", "LUN"]}, "pdf", id="a field and its text"),
        pytest.param({"header": ["x-own", "no"]}, "", id="a field and another text"),
        pytest.param(
            {"operator": "OR", "conditions": [{"hasKeyword": "work"}, {"subject": "minutes"}]}, "reply old", id="OR"
        ),
        pytest.param(
            {"operator": "AND", "conditions": [{"text": "lunch"}, {"inMailbox": "Inbox"}]}, "lunch reply", id="AND"
        ),
        pytest.param(
            {"operator": "NOT", "conditions": [{"text": "lunch"}, {"hasAttachment": True}]},
            "old",
            id="NOT: none of them",
        ),
        pytest.param({"operator": "AND", "conditions": []}, "lunch reply pdf old third", id="AND of nothing"),
        pytest.param({"operator": "OR", "conditions": []}, "", id="OR of nothing"),
        pytest.param({"text": "lunch", "notKeyword": "$seen"}, "lunch", id="several conditions are all meant"),
    ],
)
async def test_filter(house, jmap, given, found):
    def real(value: Any) -> Any:
        """Names of mailboxes are their ids."""
        if isinstance(value, dict):
            return {key: real(one) if key in {"conditions"} else place(key, one) for key, one in value.items()}
        return [real(one) for one in value] if isinstance(value, list) else value

    def place(key: str, value: Any) -> Any:
        if key == "inMailbox":
            return box(house, value) if value != "nowhere" else "F1-99"
        return [box(house, one) for one in value] if key == "inMailboxOtherThan" else value

    answer = await jmap.call("Email/query", filter=real(given), sort=OLDEST)
    assert names(answer["ids"]) == found.split()


@pytest.mark.parametrize(
    ("given", "type"),
    [
        pytest.param({"filter": {"nothing": 1}}, "unsupportedFilter", id="unknown filter"),
        pytest.param({"filter": {"minSize": -1}}, "invalidArguments", id="negative"),
        pytest.param({"filter": {"before": "2024-01-01T00:00:00"}}, "invalidArguments", id="a date without zone"),
        pytest.param({"filter": {"hasKeyword": "a b"}}, "invalidArguments", id="no keyword"),
        pytest.param({"filter": {"header": []}}, "invalidArguments", id="no field"),
        pytest.param({"filter": {"header": ["a", "b", "c"]}}, "invalidArguments", id="three fields"),
        pytest.param({"filter": {"operator": "XOR", "conditions": []}}, "invalidArguments", id="unknown operator"),
        pytest.param(
            {"filter": {"text": "a " * 30 + " ".join(map(str, range(30)))}}, "unsupportedFilter", id="many words"
        ),
        pytest.param({"filter": {"text": "a" * 1001}}, "invalidArguments", id="long text"),
        pytest.param({"sort": [{"property": "nothing"}]}, "unsupportedSort", id="unknown property"),
        pytest.param({"sort": [{"property": "hasKeyword"}]}, "invalidArguments", id="no keyword to sort by"),
        pytest.param({"sort": [{"property": "subject", "collation": "x"}]}, "unsupportedSort", id="unknown collation"),
        pytest.param({"anchor": "M1-99"}, "anchorNotFound", id="no such anchor"),
        pytest.param({"anchor": "M1-6"}, "anchorNotFound", id="an anchor that is not in the list"),
        pytest.param({"limit": -1}, "invalidArguments", id="negative limit"),
        pytest.param({"nothing": 1}, "invalidArguments", id="unknown argument"),
    ],
)
async def test_refused(jmap, given, type):
    assert (await jmap.call("Email/query", given))["type"] == type


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        pytest.param(None, "third old pdf reply lunch", id="by default the newest first"),
        pytest.param([], "third old pdf reply lunch", id="by nothing: the same"),
        pytest.param(["receivedAt"], "lunch reply pdf old third", id="received"),
        pytest.param(["-receivedAt"], "third old pdf reply lunch", id="received, descending"),
        pytest.param(["sentAt"], "reply pdf old third lunch", id="sent, or received where nothing is said"),
        pytest.param(
            [{"property": "receivedAt", "anchorOffset": 0}], "lunch reply pdf old third", id="more than there is"
        ),
        pytest.param(["-size"], "old pdf reply lunch third", id="size"),
        pytest.param(["from", "receivedAt"], "reply old pdf lunch third", id="from: name or address"),
        pytest.param(["subject", "-receivedAt"], "pdf third reply lunch old", id="base subject"),
        pytest.param(["hasKeyword:$seen", "receivedAt"], "lunch pdf reply old third", id="keyword: false first"),
        pytest.param(["-allInThreadHaveKeyword:$seen", "receivedAt"], "old lunch reply pdf third", id="all in thread"),
        pytest.param(
            ["someInThreadHaveKeyword:$flagged", "receivedAt"], "old lunch reply pdf third", id="some in thread"
        ),
    ],
)
async def test_sort(jmap, sort, found):
    if sort is not None:
        sort = [
            one
            if isinstance(one, dict)
            else {
                "property": one.lstrip("-").partition(":")[0],
                "isAscending": not one.startswith("-"),
                **({"keyword": one.partition(":")[2]} if ":" in one else {}),
            }
            for one in sort
        ]
    assert names((await jmap.call("Email/query", sort=sort))["ids"]) == found.split()


@pytest.mark.parametrize(
    ("given", "position", "found"),
    [
        pytest.param({"limit": 2}, 0, "lunch reply", id="the first"),
        pytest.param({"position": 3, "limit": 1}, 3, "old", id="in the middle"),
        pytest.param({"position": 5}, 5, "", id="behind the end"),
        pytest.param({"position": 50}, 5, "", id="far behind the end"),
        pytest.param({"position": -2}, 3, "old third", id="from the end"),
        pytest.param({"position": -20, "limit": 1}, 0, "lunch", id="further than the beginning"),
        pytest.param({"limit": 0}, 0, "", id="nothing"),
        pytest.param({"anchor": "pdf", "limit": 2}, 2, "pdf old", id="an anchor"),
        pytest.param({"anchor": "pdf", "anchorOffset": -1, "limit": 2}, 1, "reply pdf", id="before an anchor"),
        pytest.param({"anchor": "pdf", "anchorOffset": 2}, 4, "third", id="behind an anchor"),
        pytest.param({"anchor": "pdf", "anchorOffset": -20, "limit": 1}, 0, "lunch", id="long before an anchor"),
        pytest.param({"anchor": "pdf", "position": 1, "limit": 1}, 2, "pdf", id="an anchor counts"),
        pytest.param({"anchorOffset": 3, "limit": 1}, 0, "lunch", id="an offset without anchor does not"),
    ],
)
async def test_window(house, jmap, given, position, found):
    if "anchor" in given:
        given = {**given, "anchor": id_of(house, given["anchor"])}
    answer = await jmap.call("Email/query", {"sort": OLDEST, **given}, calculateTotal=True)
    assert names(answer["ids"]) == found.split()
    assert answer["total"] == 5
    if found:
        assert answer["position"] == position


async def test_collapsed(house, jmap):
    """RFC 8621 §4.4.3: of each thread the first that matches."""
    newest = await jmap.call("Email/query", collapseThreads=True, calculateTotal=True)
    assert (names(newest["ids"]), newest["total"]) == (["third", "old", "pdf"], 3)
    inbox = await jmap.call("Email/query", filter={"inMailbox": box(house, "Inbox")}, sort=OLDEST, collapseThreads=True)
    assert names(inbox["ids"]) == ["lunch", "pdf"]


async def test_query_changes(house, jmap):
    arguments = {"filter": {"notKeyword": "$seen"}, "sort": OLDEST}
    before = await jmap.call("Email/query", arguments)
    assert before["canCalculateChanges"] is True
    state = before["queryState"]
    same = await jmap.call("Email/queryChanges", arguments, sinceQueryState=state, calculateTotal=True)
    assert (same["removed"], same["added"], same["total"], same["newQueryState"]) == ([], [], 2, state)
    ids = {name: id_of(house, name) for name in MAIL}
    await jmap.call(
        "Email/set",
        update={
            ids["lunch"]: {"keywords/$seen": True},
            ids["old"]: {"keywords/$seen": None},
            ids["third"]: {"keywords/$seen": None},
        },
    )
    answer = await jmap.call("Email/queryChanges", arguments, sinceQueryState=state)
    assert answer["removed"] == [ids["lunch"]]
    assert answer["added"] == [{"id": ids["old"], "index": 1}, {"id": ids["third"], "index": 2}]
    assert "total" not in answer
    up_to = await jmap.call("Email/queryChanges", arguments, sinceQueryState=state, upToId=ids["old"])
    assert [one["id"] for one in up_to["added"]] == [ids["old"]]
    few = await jmap.call("Email/queryChanges", arguments, sinceQueryState=state, maxChanges=2)
    assert few["type"] == "tooManyChanges"
    for wrong in ("", "x", "999"):
        answer = await jmap.call("Email/queryChanges", arguments, sinceQueryState=wrong)
        assert answer["type"] == "cannotCalculateChanges"


# Changes


async def test_changes(house, jmap):
    answer = await jmap.call("Email/changes", sinceState="1")
    assert names(sorted(answer["created"])) == "lunch reply pdf old third".split()
    state = answer["newState"]
    assert (await jmap.call("Email/get", ids=[]))["state"] == state
    ids = {name: id_of(house, name) for name in MAIL}
    await jmap.call(
        "Email/set", update={ids["lunch"]: {"mailboxIds": {box(house, "Archive"): True}}}, destroy=[ids["old"]]
    )
    answer = await jmap.call("Email/changes", sinceState=state)
    assert (answer["created"], answer["updated"], answer["destroyed"]) == ([], [ids["lunch"]], [ids["old"]])
    assert (answer["oldState"], answer["hasMoreChanges"]) == (state, False)


@pytest.mark.parametrize("inline", [0, 1000])
async def test_changes_in_steps(house, jmap, monkeypatch, inline):
    monkeypatch.setattr(getting, "_INLINE_CHANGES", inline)
    created, states, state = [], [], "1"
    for _ in range(3):
        answer = await jmap.call("Email/changes", sinceState=state, maxChanges=2)
        assert len(answer["created"]) <= 2
        created += answer["created"]
        states.append(answer["hasMoreChanges"])
        state = answer["newState"]
    # The latest first (RFC 8620 §5.2): for the user it matters most.
    assert names(created) == "third old pdf reply lunch".split()
    assert states == [True, True, False]
    assert state == (await jmap.call("Email/get", ids=[]))["state"]


async def test_changes_between_the_steps(house, jmap):
    """What changes before its turn is told behind the others, and never as new after it was told otherwise."""
    ids = {name: id_of(house, name) for name in MAIL}

    async def step(state: str) -> Any:
        answer = await jmap.call("Email/changes", sinceState=state, maxChanges=2)
        return tuple(names(answer[kind]) for kind in ("created", "updated", "destroyed")), answer["newState"]

    told, state = await step("1")
    assert told == (["third", "old"], [], [])
    # One that was told, one that was not; one of each goes.
    await jmap.call("Email/set", update={ids[name]: {"keywords/x": True} for name in ("third", "reply")})
    await jmap.call("Email/set", destroy=[ids["old"], ids["lunch"]])
    told, state = await step(state)
    assert told == (["pdf"], [], [])
    told, state = await step(state)
    assert told == ([], [], ["old", "lunch"])
    told, state = await step(state)
    assert told == (["third", "reply"], [], [])
    answer = await jmap.call("Email/changes", sinceState=state)
    assert (answer["created"], answer["hasMoreChanges"]) == ([], False)
    await jmap.call("Email/set", update={ids["pdf"]: {"keywords/x": True}})
    assert (await step(answer["newState"]))[0] == ([], ["pdf"], [])


@pytest.mark.parametrize(
    ("given", "type"),
    [
        pytest.param({"sinceState": "x"}, "cannotCalculateChanges", id="no state"),
        pytest.param({"sinceState": "99999"}, "cannotCalculateChanges", id="a state to come"),
        pytest.param({"sinceState": "1:2:"}, "cannotCalculateChanges", id="half a state"),
        pytest.param({"sinceState": "2:1"}, "cannotCalculateChanges", id="a state that goes back"),
        pytest.param(
            {"sinceState": "1:1:99999:1.1.1"}, "cannotCalculateChanges", id="a state that ends in time to come"
        ),
        pytest.param({"sinceState": "1", "maxChanges": 0}, "invalidArguments", id="no changes wanted"),
    ],
)
async def test_changes_refused(jmap, given, type):
    assert (await jmap.call("Email/changes", given))["type"] == type


async def test_changes_of_too_many(jmap, monkeypatch):
    """Each takes memory, and who has missed so many is better off with what there is."""
    assert len((await jmap.call("Email/changes", sinceState="1"))["created"]) > 3
    monkeypatch.setattr(getting, "_LOOKED_AT", 3)
    assert (await jmap.call("Email/changes", sinceState="1"))["type"] == "cannotCalculateChanges"


# Get


async def test_get_defaults(house, jmap):
    """RFC 8621 §4.2."""
    (found,) = (await jmap.call("Email/get", ids=[id_of(house, "lunch")]))["list"]
    assert set(found) == set(
        "id blobId threadId mailboxIds keywords size receivedAt messageId inReplyTo references sender from to cc bcc "
        "replyTo subject sentAt hasAttachment preview bodyValues textBody htmlBody attachments".split()
    )
    assert found["bodyValues"] == {}
    assert set(found["textBody"][0]) == set(
        "partId blobId size name type charset disposition cid language location".split()
    )


async def test_get(house, jmap):
    id = id_of(house, "pdf")
    answer = await jmap.call("Email/get", ids=[id, "M1-99", id, "x"], properties=["header:SUBJECT:asText", "keywords"])
    assert answer["list"] == [{"id": id, "header:SUBJECT:asText": "Grüße", "keywords": {"$flagged": True}}]
    assert answer["notFound"] == ["M1-99", "x"]
    whole = await jmap.call("Email/get", ids=None, properties=["id"])
    assert sorted(names([one["id"] for one in whole["list"]])) == sorted("lunch reply pdf old third".split())


async def test_which_texts(house, jmap):
    """RFC 8621 §4.2: the names of these arguments, and of which parts each is."""
    octets = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n"
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\n1\r\n--x\r\n"
        b"Content-Type: text/html\r\n\r\n2\r\n--x--\r\n--y\r\nContent-Type: text/csv\r\n\r\n3\r\n--y--\r\n"
    )
    uid = await house.deliver(octets)
    with house.store.read() as tx:
        id = objectid.message(house.account, message.row(tx, house.account, 1, uid).id)
    found = {}
    for name in ("fetchTextBodyValues", "fetchHTMLBodyValues", "fetchAllBodyValues"):
        (one,) = (await jmap.call("Email/get", {name: True}, ids=[id], properties=["bodyValues"]))["list"]
        found[name] = {key: value["value"] for key, value in one["bodyValues"].items()}
    assert found == {
        "fetchTextBodyValues": {"1.1": "1"},
        "fetchHTMLBodyValues": {"1.2": "2"},
        "fetchAllBodyValues": {"1.1": "1", "1.2": "2", "2": "3"},
    }
    parsed = await jmap.call("Email/parse", blobIds=["B" + id[1:]], fetchHTMLBodyValues=True)
    assert list(parsed["parsed"]["B" + id[1:]]["bodyValues"]) == ["1.2"]


@pytest.mark.parametrize(
    "properties",
    [
        ["nothing"],
        ["header:From:asDate"],
        ["header:From:asText"],
        ["header:"],
        ["header:X:asNothing"],
        ["bodyStructure", "partId"],
    ],
)
async def test_get_refused(jmap, properties):
    assert (await jmap.call("Email/get", ids=[], properties=properties))["type"] == "invalidArguments"


async def test_body_properties_refused(jmap):
    assert (await jmap.call("Email/get", ids=[], bodyProperties=["subject"]))["type"] == "invalidArguments"


@pytest.mark.parametrize(
    ("body", "kind", "most", "value"),
    [
        pytest.param("hällo", "plain", 0, "hällo", id="all"),
        pytest.param("hällo", "plain", 2, "h", id="not within a character"),
        pytest.param("hällo", "plain", 3, "hä", id="behind a character"),
        pytest.param("a<b>c", "html", 3, "a", id="not within a tag"),
        pytest.param("a<b>c", "html", 4, "a<b>", id="behind a tag"),
        pytest.param("a</b>c", "html", 3, "a", id="not within an end tag"),
        pytest.param("a < b c d", "html", 6, "a < b ", id="no tag"),
        pytest.param("a<b>c", "plain", 3, "a<b", id="no HTML"),
        pytest.param("hello", "plain", 5, "hello", id="just as long"),
    ],
)
async def test_truncated(house, jmap, body, kind, most, value):
    octets = f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{body}".encode()
    uid = await house.deliver(octets)
    with house.store.read() as tx:
        id = objectid.message(house.account, message.row(tx, house.account, 1, uid).id)
    (found,) = (
        await jmap.call(
            "Email/get", ids=[id], properties=["bodyValues"], fetchAllBodyValues=True, maxBodyValueBytes=most
        )
    )["list"]
    assert found["bodyValues"] == {"1": {"value": value, "isEncodingProblem": False, "isTruncated": value != body}}


@pytest.mark.parametrize(
    ("fields", "body", "value", "odd"),
    [
        pytest.param(b"Content-Type: text/plain; charset=iso-8859-1", b"\xfc", "ü", False, id="Latin"),
        pytest.param(b"Content-Type: text/plain; charset=utf-8", b"\xfc", "\ufffd", True, id="not of the set"),
        pytest.param(b"Content-Type: text/plain; charset=x-none", b"a\xc3\xbc", "aü", True, id="unknown set"),
        pytest.param(b"Content-Type: text/plain", b"\xc3\xbc", "ü", False, id="UTF-8 that nobody announced"),
        pytest.param(b"Content-Type: text/plain", b"\xfc", "ü", True, id="guessed"),
        pytest.param(b"Content-Transfer-Encoding: x-none", b"a=20", "a=20", True, id="unknown encoding"),
        pytest.param(b"Content-Type: text/plain", b"a\r\nb\nc", "a\nb\nc", False, id="line ends"),
    ],
)
async def test_values(house, jmap, fields, body, value, odd):
    uid = await house.deliver(b"MIME-Version: 1.0\r\n" + fields + b"\r\n\r\n" + body)
    with house.store.read() as tx:
        id = objectid.message(house.account, message.row(tx, house.account, 1, uid).id)
    (found,) = (await jmap.call("Email/get", ids=[id], properties=["bodyValues"], fetchTextBodyValues=True))["list"]
    assert found["bodyValues"]["1"] == {"value": value, "isEncodingProblem": odd, "isTruncated": False}


async def test_texts_are_whole_or_not_there(house, jmap, monkeypatch):
    """RFC 8621 §4.2: without maxBodyValueBytes nothing is cut. More than one call answers is told."""
    ids = []
    for _ in range(2):
        uid = await house.deliver(b"Subject: a\r\n\r\n" + b"x" * 60)
        with house.store.read() as tx:
            ids.append(objectid.message(house.account, message.row(tx, house.account, 1, uid).id))

    async def values(budget: int, most: int) -> Any:
        monkeypatch.setattr(getting, "Budget", lambda: Budget(budget))
        arguments = {"ids": ids, "properties": ["bodyValues"], "fetchTextBodyValues": True}
        answer = await jmap.call("Email/get", **arguments, maxBodyValueBytes=most)
        if "type" in answer:
            return answer["type"]
        return [(one["bodyValues"]["1"]["value"], one["bodyValues"]["1"]["isTruncated"]) for one in answer["list"]]

    assert await values(119, 0) == "requestTooLarge"
    assert await values(120, 0) == [("x" * 60, False)] * 2
    assert await values(119, 60) == "requestTooLarge"
    assert await values(100, 50) == [("x" * 50, True)] * 2


# Snippets


@pytest.mark.parametrize(
    ("given", "name", "subject", "preview"),
    [
        pytest.param({"text": "lunch"}, "lunch", "<mark>Lunch</mark>", None, id="subject"),
        pytest.param({"subject": "lun"}, "lunch", "<mark>Lun</mark>ch", None, id="a part of a word"),
        pytest.param(
            {"text": "salad"}, "lunch", None, "Soup or 100% &quot;<mark>salad</mark>&quot; today?", id="body, escaped"
        ),
        pytest.param(
            {"text": "SOUP today"},
            "lunch",
            None,
            "<mark>Soup</mark> or 100% &quot;salad&quot; <mark>today</mark>?",
            id="two",
        ),
        pytest.param({"body": "lunch"}, "lunch", None, None, id="body alone"),
        pytest.param({"inMailbox": "F1-1"}, "lunch", None, None, id="no text"),
        pytest.param(None, "lunch", None, None, id="no filter"),
        pytest.param({"operator": "NOT", "conditions": [{"text": "lunch"}]}, "lunch", None, None, id="NOT"),
        pytest.param({"text": "grü"}, "pdf", "<mark>Grü</mark>ße", None, id="decoded"),
    ],
)
async def test_snippet(house, jmap, given, name, subject, preview):
    id = id_of(house, name)
    answer = await jmap.call("SearchSnippet/get", filter=given, emailIds=[id, "M1-99"])
    assert answer["list"] == [{"emailId": id, "subject": subject, "preview": preview}]
    assert answer["notFound"] == ["M1-99"]


async def test_snippet_is_short_and_harmless(house, jmap):
    body = b"<p>" + b"&lt;script&gt; needle &amp; " * 100 + b"<script>needle()</script>"
    uid = await house.deliver(b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + body)
    with house.store.read() as tx:
        id = objectid.message(house.account, message.row(tx, house.account, 1, uid).id)
    answer = await jmap.call("SearchSnippet/get", filter={"text": "needle"}, emailIds=[id])
    (found,) = answer["list"]
    assert len(found["preview"].encode()) <= 255
    assert "<script" not in found["preview"]
    assert found["preview"].count("<mark>") == found["preview"].count("</mark>") > 3
    assert answer["notFound"] is None


_PAGE = b"""\
MIME-Version: 1.0\r
Content-Type: text/html\r
\r
<html><head><title>hidden0</title><style>.hidden1{color:red}</style></head><body class=hidden2><!-- hidden3 -->\r
<p>Gr&uuml;n<b>kohl</b> and\r
  pinkel<a href="https://hidden4.example/">here</a><img src=hidden5 alt="a picture"></p>\r
<script>hidden6()</script><abbr title="kept">k.</abbr></body></html>\r
"""


async def test_html_is_searched_as_it_is_read(house, jmap):
    """RFC 8621 §4.4.1: no tags, no styles; titles and the like. IMAP finds the same."""
    await house.deliver(_PAGE)

    async def found(query: search.Query) -> int:
        return len(await searching.in_texts(house.store, house.account, query, [len(MAIL) + 1]))

    for text in ("grünkohl", "kohl and pinkel", "pinkelhere", "a picture", "kept"):
        for name in ("text", "body"):
            answer = await jmap.call("Email/query", filter={name: f'"{text}"'})
            assert len(answer["ids"]) == 1, text
        snippets = await jmap.call("SearchSnippet/get", filter={"text": f'"{text}"'}, emailIds=answer["ids"])
        assert "<mark>" in snippets["list"][0]["preview"]
        assert "hidden" not in snippets["list"][0]["preview"]
        assert await found(search.in_body(text)) == await found(search.in_text(text)) == 1
    for text in ("hidden", "body", "color", "href", "uuml"):
        assert (await jmap.call("Email/query", filter={"text": text}))["ids"] == []
        assert await found(search.in_body(text)) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a b", ["a", "b"], id="words"),
        pytest.param('"a b" c', ["a b", "c"], id="a phrase"),
        pytest.param("'a b'", ["a b"], id="in single quotes"),
        pytest.param(r'"a \"b\" \\c"', [r'a "b" \c'], id="escaped"),
        pytest.param("don't", ["don't"], id="an apostrophe"),
        pytest.param('"never closed', ['"never', "closed"], id="never closed"),
        pytest.param('a"b c"', ['a"b', 'c"'], id="quotes within"),
        pytest.param(" \t ", [], id="space"),
        pytest.param('""', ['""'], id="nothing in quotes"),
        pytest.param("a a", ["a"], id="twice"),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *[(f"a{sign}", True) for sign in "!#$&'+,-./:;<=>?@[^_`|}~"],
        *[(f"a{sign}", False) for sign in '(){]%*"\\ \x7fü\n'],
        ("", False),
        ("a" * 255, True),
        ("a" * 256, False),
        ("$RECENT", False),
    ],
)
def test_keywords(name, is_one):
    """RFC 8621 §4.1.1"""
    assert keywords.is_keyword(name) is is_one


async def test_many_properties(jmap):
    """Each costs a look at each message."""
    names = [f"header:X-{at}" for at in range(201)]
    assert (await jmap.call("Email/get", ids=[], properties=names))["type"] == "requestTooLarge"
    assert (await jmap.call("Email/get", ids=[], bodyProperties=names))["type"] == "requestTooLarge"
    assert (await jmap.call("Email/get", ids=[], properties=names[:199]))["list"] == []
