"""MDN/send and MDN/parse (RFC 9007)."""

from typing import Any

import pytest

from appliance.config.values import AddressName
from appliance.mail import mdn, scan
from appliance.operations import delivering
from appliance.store import bodies, queued
from appliance.store.defaults import STORE
from support import webhouse
from support.jmap import JMAP

DOMAINS = (
    webhouse.DOMAINS
    + """\
[domains."other.example"]
[accounts.alice.destinations."@other.example"]
"""
)
LETTER = (
    b"From: Ann <ann@there.example>\r\nTo: alice@example.org\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <One@there.example>\r\nDisposition-Notification-To: Ann <ann@there.example>\r\n\r\nhello\r\n"
)
MANUAL = {"actionMode": "manual-action", "sendingMode": "mdn-sent-manually", "type": "displayed"}
SEEN = {"keywords/$mdnsent": True}


class Desk:
    """What Alice gets, and what is in the queue."""

    def __init__(self, house: Any, jmap: JMAP) -> None:
        self.app, self.jmap, self.store = house.app, jmap, house.app.store

    async def bring(self, octets: bytes = LETTER, to: str = "alice@example.org") -> str:
        """A message comes in; its Email."""
        before = set((await self.jmap.call("Email/query"))["ids"])

        async def chunks():
            yield octets

        await delivering.deliver(self.app, AddressName(to), chunks(), most_octets=100_000)
        (new,) = set((await self.jmap.call("Email/query"))["ids"]) - before
        return new

    async def identity(self, email: str = "alice@example.org") -> str:
        return next(
            one["id"] for one in (await self.jmap.call("Identity/get", ids=None))["list"] if one["email"] == email
        )

    async def send(self, email: str, patch: Any = SEEN, by: str = "alice@example.org", **more: Any) -> list[Any]:
        """The responses to MDN/send of one, `k`."""
        receipt = {"forEmailId": email, "disposition": MANUAL, **more}
        identity = await self.identity(by)
        return await self.jmap.responses(
            ["MDN/send", {"identityId": identity, "send": {"k": receipt}, "onSuccessUpdateEmail": {"#k": patch}}, "0"]
        )

    def queue(self) -> list[tuple[str, str, bytes]]:
        """Sender, recipient and octets of what is to be sent."""
        with self.store.read() as tx:
            return [
                (one.reverse_path, one.recipient, one.prefix + bodies.read(tx, one.body, 0, one.size - len(one.prefix)))
                for one in queued.all_messages(tx)
            ]


@pytest.fixture
async def desk(tmp_path):
    async with webhouse.open_house(tmp_path, DOMAINS) as house:
        yield Desk(house, JMAP(await house.logged_in("webmail")))


async def test_announced(desk):
    session = (await desk.jmap.browser.request("GET", "jmap/session")).json
    assert session["capabilities"]["urn:ietf:params:jmap:mdn"] == {}
    assert session["accounts"][desk.jmap.account]["accountCapabilities"]["urn:ietf:params:jmap:mdn"] == {}


async def test_sent_and_parsed(desk):
    email = await desk.bring()
    extension = {"X-More": "a b"}
    more = {"subject": "Gelesen: grüße", "textBody": "Angezeigt.\n", "reportingUA": "here; Mail"}
    (name, answer, _), (following, changed, _) = await desk.send(email, extensionFields=extension, **more)
    assert (name, following) == ("MDN/send", "Email/set")
    assert answer["notSent"] is None
    assert answer["sent"]["k"] == {
        "mdnGateway": None,
        "originalRecipient": None,
        "finalRecipient": "rfc822; alice@example.org",
        "originalMessageId": "<One@there.example>",
        "error": None,
        "includeOriginalMessage": False,
    }
    assert email in changed["updated"]
    found = (await desk.jmap.call("Email/get", ids=[email], properties=["keywords"]))["list"]
    assert found[0]["keywords"]["$mdnsent"] is True
    ((sender, recipient, octets),) = desk.queue()
    # RFC 8098 §3: without a sender, to who asked.
    assert (sender, recipient) == ("", "ann@there.example")
    assert b"\r\nFrom: alice@example.org\r\nTo: ann@there.example\r\n" in octets
    assert b"\r\nIn-Reply-To: <One@there.example>\r\n" in octets
    assert b"Disposition-Notification-To" not in octets
    scanned = scan.scan(octets, STORE.scan)
    assert mdn.is_notice(scanned.root)
    # And read again, by who gets it.
    receipt = await desk.bring(octets)
    (one,) = (await desk.jmap.call("Email/get", ids=[receipt], properties=["blobId"]))["list"]
    parsed = (await desk.jmap.call("MDN/parse", blobIds=[one["blobId"]]))["parsed"]
    assert parsed[one["blobId"]] == {
        "forEmailId": email,
        **more,
        "includeOriginalMessage": False,
        "disposition": MANUAL,
        "mdnGateway": None,
        "originalRecipient": None,
        "finalRecipient": "rfc822; alice@example.org",
        "originalMessageId": "<One@there.example>",
        "error": None,
        "extensionFields": extension,
    }
    (_, again, _), *followers = await desk.send(email)
    assert (again["sent"], again["notSent"]["k"]["type"], followers) == (None, "mdnAlreadySent", [])
    assert len(desk.queue()) == 1


async def test_with_the_message(desk):
    octets = LETTER.replace(b"Subject", b"Original-Recipient: rfc822;team@example.org\r\nSubject")
    email = await desk.bring(octets)
    (_, answer, _), _ = await desk.send(email, includeOriginalMessage=True)
    assert answer["sent"]["k"]["originalRecipient"] == "rfc822;team@example.org"
    assert (answer["sent"]["k"]["subject"], answer["sent"]["k"]["textBody"]) == (None, None)
    ((_, _, sent),) = desk.queue()
    assert b"\r\nSubject: =?utf-8?" in sent
    assert b"Content-Type: message/rfc822\r\n" in sent
    assert octets in sent


@pytest.mark.parametrize(
    ("octets", "more", "error", "names"),
    [
        pytest.param(LETTER.replace(b"Disp", b"X-Disp"), {}, "notFound", None, id="nobody asked"),
        pytest.param(LETTER.replace(b"To: Ann <ann@there.example>", b"To: Ann"), {}, "notFound", None, id="no address"),
        pytest.param(
            LETTER.replace(b"Disp", b"Disposition-Notification-Options: x=required,y\r\nDisp"),
            {},
            "notFound",
            None,
            id="what nobody knows is required",
        ),
        pytest.param(
            LETTER,
            {"disposition": {**MANUAL, "sendingMode": "mdn-sent-automatically"}},
            "forbidden",
            None,
            id="by itself, to another address than it came from",
        ),
        pytest.param(LETTER, {"finalRecipient": "rfc822; bob@example.org"}, "forbiddenFrom", None, id="of another"),
        pytest.param(
            LETTER, {"finalRecipient": "nobody"}, "invalidProperties", ["finalRecipient"], id="a recipient that is none"
        ),
        pytest.param(LETTER, {"patch": {}}, "invalidProperties", ["forEmailId"], id="without the keyword"),
        pytest.param(
            LETTER, {"patch": {"keywords/$MDNSent": True}}, "invalidProperties", ["forEmailId"], id="in other letters"
        ),
        pytest.param(LETTER, {"forEmailId": "M1-99"}, "notFound", None, id="no such Email"),
        pytest.param(LETTER, {"disposition": {**MANUAL, "type": "read"}}, "invalidProperties", None, id="no such type"),
        pytest.param(LETTER, {"mdnGateway": "x"}, "invalidProperties", ["mdnGateway"], id="what the server sets"),
        pytest.param(
            LETTER,
            {"extensionFields": {"Disposition": "x"}},
            "invalidProperties",
            ["extensionFields"],
            id="no extension",
        ),
        pytest.param(LETTER, {"reportingUA": "a\r\nb"}, "invalidProperties", ["reportingUA"], id="a line end"),
        pytest.param(LETTER, {"textBody": "x" * 100_001}, "tooLarge", None, id="long"),
    ],
)
async def test_not_sent(desk, octets, more, error, names):
    email = await desk.bring(octets)
    ((_, answer, _),) = await desk.send(**{"email": email, **more})
    assert answer["sent"] is None
    assert answer["notSent"]["k"]["type"] == error
    if names is not None:
        assert answer["notSent"]["k"]["properties"] == names
    assert desk.queue() == []


async def test_none_for_receipts(desk):
    """RFC 8098 §3"""
    octets = LETTER.replace(
        b"Subject",
        b"MIME-Version: 1.0\r\nContent-Type: multipart/report; boundary=b;\r\n"
        b" report-type=disposition-notification\r\nSubject",
    ).replace(b"hello", b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--")
    ((_, answer, _),) = await desk.send(await desk.bring(octets))
    assert answer["notSent"]["k"]["type"] == "notFound"


async def test_calls_that_fail(desk):
    email = await desk.bring()
    receipt = {"forEmailId": email, "disposition": MANUAL}
    nobody = await desk.jmap.call("MDN/send", identityId="D1", send={"k": receipt})
    assert nobody["type"] == "invalidArguments"
    alone = JMAP(desk.jmap.browser, ("urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mdn"))
    assert (await alone.call("MDN/send", identityId="D1", send={"k": receipt}))["type"] == "unknownMethod"
    identity = await desk.identity()
    twice = {"a": receipt, "b": receipt}
    answer = await desk.jmap.call("MDN/send", identityId=identity, send={f"k{at}": receipt for at in range(51)})
    assert answer["type"] == "requestTooLarge"
    (_, answer, _), _ = await desk.jmap.responses(
        ["MDN/send", {"identityId": identity, "send": twice, "onSuccessUpdateEmail": {"#a": SEEN, "#b": SEEN}}, "0"]
    )
    assert (list(answer["sent"]), answer["notSent"]["b"]["type"]) == (["a"], "mdnAlreadySent")


async def test_of_a_catchall(desk):
    """The address that was written to speaks."""
    email = await desk.bring(LETTER.replace(b"To: alice@example.org", b"To: any@other.example"), "any@other.example")
    (_, answer, _), _ = await desk.send(email, by="*@other.example")
    assert answer["sent"]["k"]["finalRecipient"] == "rfc822; any@other.example"
    ((_, _, octets),) = desk.queue()
    assert b"From: any@other.example\r\n" in octets


async def test_parse_refuses(desk):
    (one,) = (await desk.jmap.call("Email/get", ids=[await desk.bring()], properties=["blobId"]))["list"]
    answer = await desk.jmap.call("MDN/parse", blobIds=[one["blobId"], "U1-none"])
    assert answer["parsed"] is None
    assert (answer["notParsable"], answer["notFound"]) == ([one["blobId"]], ["U1-none"])
    assert (await desk.jmap.call("MDN/parse", blobIds=["x"] * 2 + [f"y{at}" for at in range(60)]))[
        "type"
    ] == "requestTooLarge"
