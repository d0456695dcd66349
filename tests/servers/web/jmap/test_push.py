"""Being told of changes: event streams, WebSockets, subscriptions of URLs (RFC 8620 §7, RFC 8887)."""

import base64
import json

import pytest
import trio

from appliance.base import limits
from appliance.net.http import Fault, HTTPError, Response
from appliance.operations import accounts as verbs, apitokens, push
from appliance.operations.push import Keeper, Outcome
from appliance.protocol import webpush
from appliance.servers.web.jmap import eventsource
from appliance.servers.web.jmap.watch import open_streams
from appliance.store import acl, mailbox, message, push as records
from appliance.store.records import Rights
from support.jmap import JMAP, socket
from support.stores import new_message
from support.webhouse import Answer

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"


# Event streams, RFC 8620 §7.3.


class Heard:
    """Blocks of a stream: dictionaries of their lines."""

    def __init__(self) -> None:
        self.answer, self.ended = Answer(0, [], b""), False

    @property
    def blocks(self):
        found = self.answer.body.decode().split("\n\n")
        return [dict(line.split(": ", 1) for line in one.splitlines()) for one in found if one]

    @property
    def states(self):
        return [json.loads(one["data"])["changed"] for one in self.blocks if one.get("event") == "state"]


@pytest.fixture
def listen(nursery):
    async def start(browser, query="types=*&closeafter=no&ping=0", **headers):
        heard = Heard()

        async def run() -> None:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            await browser.request("GET", f"jmap/eventsource?{query}", headers=fields, answer=heard.answer)
            heard.ended = True

        nursery.start_soon(run)
        await trio.sleep(0.1)
        return heard

    return start


async def test_states(autojump_clock, jmap, mail, listen):
    heard = await listen(jmap.browser)
    assert heard.answer.header("content-type") == "text/event-stream"
    assert [set(one) for one in heard.blocks] == [{"id"}]
    await mail.add()
    await mail.add()
    await trio.sleep(2)
    # Told at once or one by one: the clock may jump while a thread is busy.
    told = heard.states
    changed = {name: state for one in told for name, state in one[jmap.account].items()}
    assert changed.keys() >= {"Email", "Mailbox", "Thread", "EmailDelivery"}
    assert changed["Mailbox"] == (await jmap.call("Mailbox/get", ids=[]))["state"]
    assert "Identity" not in changed
    await jmap.call("Mailbox/set", create={"a": {"name": "new"}})
    await trio.sleep(2)
    new = [name for one in heard.states[len(told) :] for name in one[jmap.account]]
    assert "Mailbox" in new
    assert "EmailDelivery" not in new


async def test_types_once_and_pings(autojump_clock, jmap, mail, listen):
    heard = await listen(jmap.browser, "types=Quota,EmailDelivery&closeafter=state&ping=1")
    await jmap.call("Mailbox/set", create={"a": {"name": "new"}})
    await trio.sleep(20.5)
    least = eventsource.PING_SECONDS[0]
    assert {json.loads(one["data"])["interval"] for one in heard.blocks if one.get("event") == "ping"} == {least}
    assert not heard.ended
    await mail.add()
    await trio.sleep(2)
    assert [set(one[jmap.account]) for one in heard.states] == [{"EmailDelivery"}]
    assert heard.ended


async def test_resumption(autojump_clock, jmap, mail, listen):
    """Who was away hears at once what he has missed."""
    first = await listen(jmap.browser, "types=*&closeafter=state&ping=0")
    await mail.add()
    await trio.sleep(2)
    last = first.blocks[-1]["id"]
    same = await listen(jmap.browser, last_event_id=last)
    assert same.states == []
    await mail.add()
    missed = await listen(jmap.browser, "types=EmailDelivery&closeafter=state&ping=0", last_event_id=last)
    assert len(missed.states) == 1
    assert missed.ended
    for rubbish in ("x", "e30=", "W10=", "A" * 5000):
        assert (await listen(jmap.browser, last_event_id=rubbish)).states == []


@pytest.mark.parametrize("query", ["closeafter=never", "ping=x", "ping=-1", "types=" + "x" * 1001])
async def test_asked_wrongly(autojump_clock, jmap, query):
    assert (await jmap.browser.request("GET", f"jmap/eventsource?{query}")).status == 400


async def test_streams_end_with_the_session(autojump_clock, house, jmap, listen):
    heard = await listen(jmap.browser)
    await jmap.browser.call("Logout")
    await trio.sleep(2)
    assert heard.ended
    jmap = JMAP(await house.logged_in("webmail"))
    heard = await listen(jmap.browser)
    house.clock.move(25 * 3600)
    await trio.sleep(2)
    assert heard.ended


async def test_streams_end_with_the_token(autojump_clock, house, listen):
    token = await apitokens.add(house.app, house.number(), "x", ["read"], None)
    heard = await listen(house.browser("webmail"), authorization=f"Bearer {token.token}")
    await trio.sleep(2)
    assert (heard.answer.status, heard.ended) == (200, False)
    await apitokens.remove(house.app, house.number(), token.id)
    await trio.sleep(2)
    assert heard.ended


async def test_too_many_streams(autojump_clock, jmap, listen, monkeypatch):
    monkeypatch.setattr(limits, "EVENT_STREAMS", 2)
    for _ in range(2):
        assert (await listen(jmap.browser)).answer.status == 200
    assert (await listen(jmap.browser)).answer.status == 429


async def test_streams_and_sockets_are_counted_while_they_are_open(autojump_clock, jmap, listen):
    assert (open_streams.name, open_streams.label_names) == ("webmail_sse_connections", ())
    before = open_streams.labels().value
    heard = await listen(jmap.browser)
    assert open_streams.labels().value == before + 1
    async with socket(jmap.browser) as one:
        await one.next()
        assert open_streams.labels().value == before + 2
    await jmap.browser.call("Logout")
    await trio.sleep(2)
    assert heard.ended
    assert open_streams.labels().value == before


# WebSockets, RFC 8887.


def request(*calls, id="R1", **more):
    return {"@type": "Request", "id": id, "using": [CORE, MAIL], "methodCalls": list(calls), **more}


async def test_socket(autojump_clock, jmap, mail):
    async with socket(jmap.browser) as one:
        accepted = await one.next()
        assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", "jmap")
        # As long as requests that are posted (RFC 8620 §2).
        assert accepted["messages"].octets == limits.JMAP_REQUEST_OCTETS
        await one.send(request(["Core/echo", {"a": 1}, "c"]))
        answer = await one.next()
        assert (answer["@type"], answer["requestId"]) == ("Response", "R1")
        assert answer["methodResponses"] == [["Core/echo", {"a": 1}, "c"]]
        await mail.add()
        await trio.sleep(3)
        await one.send({"@type": "WebSocketPushEnable", "dataTypes": ["Mailbox"]})
        await trio.sleep(3)
        await mail.add()
        pushed = await one.next()
        assert pushed["@type"] == "StateChange"
        assert pushed["changed"][jmap.account].keys() == {"Mailbox"}
        await one.send({"@type": "WebSocketPushDisable"})
        await trio.sleep(3)
        await mail.add()
        await trio.sleep(3)
        # What was missed is told who says what he knows.
        await one.send({"@type": "WebSocketPushEnable", "dataTypes": None, "pushState": pushed["pushState"]})
        assert (await one.next())["changed"][jmap.account].keys() >= {"Email", "Mailbox"}


async def test_sockets_of_an_account_share_what_they_may_hold(autojump_clock, house, jmap):
    other = JMAP(await house.logged_in("webmail"))
    async with socket(jmap.browser) as one, socket(other.browser) as two:
        messages = (await one.next())["messages"]
        assert (await two.next())["messages"] is messages


async def test_a_long_message_of_a_socket(autojump_clock, jmap):
    async with socket(jmap.browser) as one:
        await one.next()
        text = "x" * (limits.JMAP_REQUEST_OCTETS - 1000)
        await one.send(request(["Core/echo", {"a": text}, "c"]))
        assert (await one.next())["methodResponses"] == [["Core/echo", {"a": text}, "c"]]


@pytest.mark.parametrize(
    ("message", "type_", "id"),
    [
        ("nonsense", "notJSON", None),
        ({"@type": "Response", "id": "x"}, "notRequest", "x"),
        ({}, "notRequest", None),
        ("[]", "notRequest", None),
        ({**request(), "using": ["x"]}, "unknownCapability", "R1"),
        ({"@type": "Request", "id": 5}, "notRequest", None),
        ({"@type": "WebSocketPushEnable", "dataTypes": 5}, "notRequest", None),
    ],
)
async def test_socket_errors(autojump_clock, jmap, message, type_, id):
    async with socket(jmap.browser) as one:
        await one.next()
        await one.send(message)
        answer = await one.next()
        assert (answer["@type"], answer["requestId"]) == ("RequestError", id)
        assert answer["type"] == f"urn:ietf:params:jmap:error:{type_}"
        await one.send(request(["Core/echo", {}, "c"]))
        assert (await one.next())["@type"] == "Response"


async def test_socket_has_no_octets(autojump_clock, jmap):
    async with socket(jmap.browser) as one:
        await one.next()
        await one.send_octets(b"{}")
        assert await one.next() == {"type": "websocket.close", "code": 1003}


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ({"origin": "https://evil.example"}, ("jmap",)),
        ({"origin": ""}, ("jmap",)),
        ({"sec-fetch-site": "cross-site"}, ("jmap",)),
        ({}, ("xmpp",)),
        ({}, ()),
        ({"authorization": "Bearer nonsense"}, ("jmap",)),
    ],
)
async def test_socket_refused(autojump_clock, jmap, headers, subprotocols):
    async with socket(jmap.browser, headers, subprotocols) as one:
        assert await one.next() == {"type": "websocket.close"}


async def test_socket_of_a_program(autojump_clock, house):
    token = await apitokens.add(house.app, house.number(), "x", ["read"], None)
    headers = {"authorization": f"Bearer {token.token}", "origin": ""}
    async with socket(house.browser("webmail"), headers) as one:
        assert (await one.next())["type"] == "websocket.accept"


async def test_socket_ends_with_the_session(autojump_clock, jmap):
    async with socket(jmap.browser) as one:
        await one.next()
        await jmap.browser.call("Logout")
        assert await one.next() == {"type": "websocket.close", "code": 1001}


# Subscriptions, RFC 8620 §7.2.

URL = "https://push.example/device"
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}


class Posts:
    """Takes posts, and answers them as it is told."""

    def __init__(self) -> None:
        self.taken, self.outcome = [], Outcome(201)

    async def __call__(self, url, fields, body):
        self.taken.append((url, dict(fields), body))
        return self.outcome

    @property
    def last(self):
        return json.loads(self.taken[-1][2])


@pytest.fixture
def posts(house):
    posts = Posts()
    keeper = Keeper(house.app, posts)

    async def pass_time(seconds, step=push.LOOK_SECONDS):
        """Have the keeper look, and its posts end, again and again."""
        for _ in range(int(seconds / step)):
            house.clock.move(step)
            async with trio.open_nursery() as nursery:
                await keeper.look(nursery)

    posts.pass_time = pass_time
    return posts


async def subscribe(jmap, **properties):
    given = {"deviceClientId": "device", "url": URL, **properties}
    (response,) = (await jmap.request([["PushSubscription/set", {"create": {"a": given}}, "0"]]))["methodResponses"]
    answer = response[1]
    return answer["created"]["a"] if answer["created"] else answer["notCreated"]["a"]


async def update(jmap, id, /, **patch):
    (response,) = (await jmap.request([["PushSubscription/set", {"update": {id: patch}}, "0"]]))["methodResponses"]
    answer = response[1]
    return answer["updated"] if answer["updated"] else answer["notUpdated"][id]


async def got(jmap, **arguments):
    (response,) = (await jmap.request([["PushSubscription/get", {"ids": None, **arguments}, "0"]]))["methodResponses"]
    return response[1]


async def test_subscription(house, jmap, mail, posts):
    made = await subscribe(jmap, types=["Mailbox"])
    assert made == {"id": made["id"], "expires": None}
    await posts.pass_time(10)
    await mail.add()
    await posts.pass_time(60)
    assert len(posts.taken) == 1, "nothing is told before it was verified"
    url, fields, _ = posts.taken[0]
    assert (url, fields["Content-Type"]) == (URL, "application/json")
    assert int(fields["TTL"]) > 0
    assert (posts.last["@type"], posts.last["pushSubscriptionId"]) == ("PushVerification", made["id"])
    wrong = await update(jmap, made["id"], verificationCode="x")
    assert (wrong["type"], wrong["properties"]) == ("invalidProperties", ["verificationCode"])
    assert await update(jmap, made["id"], verificationCode=posts.last["verificationCode"]) == {made["id"]: None}
    await posts.pass_time(60)
    assert len(posts.taken) == 1, "what changed before is no news"
    for _ in range(3):
        await mail.add()
    await posts.pass_time(60)
    assert len(posts.taken) == 2
    state = (await jmap.call("Mailbox/get", ids=[]))["state"]
    assert posts.last == {"@type": "StateChange", "changed": {jmap.account: {"Mailbox": state}}}
    (shown,) = (await got(jmap))["list"]
    assert shown == {
        "id": made["id"],
        "deviceClientId": "device",
        "verificationCode": shown["verificationCode"],
        "expires": None,
        "types": ["Mailbox"],
    }
    assert (await got(jmap, properties=["url"]))["type"] == "forbidden"
    await jmap.request([["PushSubscription/set", {"destroy": [made["id"]]}, "0"]])
    await mail.add()
    await posts.pass_time(60)
    assert len(posts.taken) == 2
    assert (await got(jmap, ids=[made["id"]]))["notFound"] == [made["id"]]


async def verified(jmap, posts, **properties):
    made = await subscribe(jmap, **properties)
    await posts.pass_time(30)
    await update(jmap, made["id"], verificationCode=posts.last["verificationCode"])
    return made["id"]


async def test_signed(house, jmap, posts, mail):
    """RFC 9749: by the key that the session tells, for the host of the URL, both the question and what changed."""
    capabilities = (await jmap.browser.request("GET", "jmap/session")).json["capabilities"]
    server_key = capabilities["urn:ietf:params:jmap:webpush-vapid"]["applicationServerKey"]
    await verified(jmap, posts)
    await mail.add()
    await posts.pass_time(60)
    assert len(posts.taken) > 1
    for _, fields, _ in posts.taken:
        token, _, key = fields["Authorization"].removeprefix("vapid t=").partition(",k=")
        claims = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert (key, claims["aud"]) == (server_key, "https://push.example")
        assert 0 < claims["exp"] - house.clock.now().timestamp() < 86400
        assert claims["sub"].startswith("mailto:postmaster@")


async def test_news_of_more_accounts_than_fit(house, jmap, posts, mail, monkeypatch):
    """A push service takes so much; the rest is told next, once, and nothing is told that did not change since."""
    bob = house.number("bob")
    with mail.store.read() as tx:
        inbox = mailbox.by_name(tx, bob, "Inbox").id
    rights = int(Rights.LOOKUP | Rights.READ)
    mail.store.write_sync(acl.set_rights, bob, inbox, house.number(), rights, most=10)
    await verified(jmap, posts, types=["Email"])
    posts.taken.clear()
    monkeypatch.setattr(webpush, "MOST_OCTETS", 80)
    await mail.add()
    new = new_message(mail.store, b"Subject: hi\r\n\r\n")
    mail.store.write_sync(message.add, bob, inbox, new, flags=0, keywords=())
    await posts.pass_time(60)
    told = [json.loads(body)["changed"] for _, _, body in posts.taken]
    assert [list(one) for one in told] == [[jmap.account], [f"A{bob}"]]


async def test_encrypted(jmap, posts):
    await subscribe(jmap, keys=KEYS)
    await posts.pass_time(10)
    _, fields, body = posts.taken[0]
    assert fields["Content-Encoding"] == "aes128gcm"
    assert b"PushVerification" not in body
    assert len(body) > 86


@pytest.mark.parametrize(
    ("properties", "names"),
    [
        ({"url": "http://push.example/"}, ["url"]),
        ({"url": "https://user:secret@push.example/"}, ["url"]),
        ({"url": "nonsense"}, ["url"]),
        ({"url": "https://push.example/" + "x" * 2000}, ["url"]),
        ({"deviceClientId": ""}, ["deviceClientId"]),
        ({"keys": {"p256dh": "x", "auth": "x"}}, ["keys"]),
        ({"keys": {"p256dh": KEYS["p256dh"]}}, ["keys"]),
        ({"verificationCode": "x"}, ["verificationCode"]),
        ({"expires": "tomorrow"}, ["expires"]),
        ({"types": ["x"] * 51}, ["types"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_bad_subscriptions(jmap, properties, names):
    error = await subscribe(jmap, **properties)
    assert (error["type"], error["properties"]) == ("invalidProperties", names)


async def test_immutable(jmap):
    made = await subscribe(jmap)
    for patch in ({"url": URL}, {"keys": None}, {"deviceClientId": "other"}, {"id": "other"}, {"colour": 1}):
        assert (await update(jmap, made["id"], **patch))["type"] == "invalidProperties"
    assert await update(jmap, made["id"], types=["Email"]) == {made["id"]: None}


async def test_too_many(jmap, monkeypatch):
    monkeypatch.setattr(limits, "PUSH_SUBSCRIPTIONS", 2)
    for _ in range(2):
        assert "id" in await subscribe(jmap)
    assert (await subscribe(jmap))["type"] == "overQuota"


async def test_expiry(house, posts, mail):
    """Without a session that ends it, a week at most; over, it is gone."""
    token = await apitokens.add(house.app, house.number(), "x", ["read", "change"], None)
    script = house.browser("webmail", headers={"authorization": f"Bearer {token.token}"})
    jmap = JMAP(script)
    now = house.app.clock.now()
    made = await subscribe(jmap, expires=f"{now.year + 1}-01-01T00:00:00Z")
    assert made["expires"] < f"{now.year + 1}-01-01"
    await posts.pass_time(30)
    await update(jmap, made["id"], verificationCode=posts.last["verificationCode"])
    longer = await update(jmap, made["id"], expires=None)
    assert longer[made["id"]]["expires"] >= made["expires"]
    house.clock.move(limits.PUSH_DAYS * 86400 + 60)
    await mail.add()
    await posts.pass_time(30)
    assert len(posts.taken) == 1
    with house.app.store.read() as tx:
        assert list(records.everybodys(tx)) == []


@pytest.mark.parametrize("how", ["logout", "token", "password", "disabled"])
async def test_ends_with_its_credential(house, jmap, mail, posts, how):
    if how == "token":
        token = await apitokens.add(house.app, house.number(), "x", ["read", "change"], None)
        jmap = JMAP(house.browser("webmail", headers={"authorization": f"Bearer {token.token}"}))
    await verified(jmap, posts)
    match how:
        case "logout":
            await jmap.browser.call("Logout")
        case "token":
            await apitokens.remove(house.app, house.number(), token.id)
        case "password":
            await verbs.set_password(house.app, "alice", "another long password")
        case "disabled":
            await verbs.disable(house.app, "alice", "closed")
    await mail.add()
    await posts.pass_time(60)
    assert len(posts.taken) == 1
    with house.app.store.read() as tx:
        assert records.of_account(tx, mail.account) == []


async def test_others_do_not_see_it(house, jmap):
    made = await subscribe(jmap)
    other = JMAP(await house.logged_in("webmail"))
    assert (await got(other))["list"] == []
    assert (await update(other, made["id"], types=None))["type"] == "notFound"


async def test_failures(house, jmap, mail, posts):
    await verified(jmap, posts)
    posts.outcome = Outcome(429, retry_after=600)
    await mail.add()
    await posts.pass_time(300, 30)
    assert len(posts.taken) == 2
    posts.outcome = Outcome(0, "no connection")
    await posts.pass_time(330, 30)
    assert len(posts.taken) == 3
    await posts.pass_time(3600, 30)
    assert 5 <= len(posts.taken) <= 9, "less and less often"
    posts.outcome = Outcome(201)
    await posts.pass_time(3600, 30)
    count = len(posts.taken)
    await posts.pass_time(3600, 30)
    assert len(posts.taken) == count
    posts.outcome = Outcome(410)
    await mail.add()
    await posts.pass_time(30)
    assert (await got(jmap))["list"] == []


async def test_a_url_that_does_not_answer(jmap, posts):
    posts.outcome = Outcome(500)
    await subscribe(jmap)
    await posts.pass_time(3600, 30)
    assert len(posts.taken) == push.ASK_FAILURES
    assert (await got(jmap))["list"] == []


async def test_questions_take_their_time(jmap, posts):
    """No other server is flooded by questions that nobody asked for."""
    for at in range(5):
        await subscribe(jmap, url=f"https://victim{at}.example/")
    await posts.pass_time(2)
    assert len(posts.taken) == 1
    await posts.pass_time(push.ASK_SECONDS + 5)
    assert len(posts.taken) == 2


class Answers:
    """Stands for the client of webhooks."""

    def __init__(self, answer) -> None:
        self.answer, self.requests = answer, []

    async def send(self, request, bounds):
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Response(201, (), b""), Outcome(201)),
        (Response(429, (("retry-after", "120"),), b""), Outcome(429, retry_after=120)),
        (Response(503, (("retry-after", "Thu, 26 Nov 2026 08:00:00 GMT"),), b""), Outcome(503)),
        (HTTPError(Fault.FORBIDDEN, "not a public address"), Outcome(0, "not a public address")),
    ],
)
async def test_one_post(answer, outcome):
    client = Answers(answer)
    assert await push._post(client, URL, (("TTL", "5"),), b"body") == outcome
    (request,) = client.requests
    assert (request.method, str(request.url), request.fields, request.body) == ("POST", URL, (("TTL", "5"),), b"body")
    assert (await push._post(client, "nonsense", (), b"")).code == 0
