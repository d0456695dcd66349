"""The webapi as the public client library for Go asks for it, and what that reads of the answers.

The library itself needs Go. Here are its facts, as a table: it POSTs a form with the field `request`; its encoder writes
every field of a request, `null` for lists, maps and pointers that are not set, and escapes `<`, `>` and `&`; its decoder
knows the fields below by these names, and fails for a value of another type. Answers with 200 are results, those with
400 have Code and Message, and all others are no answers to it.
"""

import base64
import json
import re
from datetime import datetime
from urllib.parse import quote_plus

import pytest

from support.webapihouse import ALICE, web_house

TIME = "time"
ADDRESSES = [{"Name": str, "Address": str}]
MESSAGE = {
    "From": ADDRESSES, "To": ADDRESSES, "CC": ADDRESSES, "BCC": ADDRESSES, "ReplyTo": ADDRESSES, "MessageID": str,
    "References": [str], "Date": TIME, "Subject": str, "Text": str, "HTML": str,
}  # fmt: skip
STRUCTURE = {
    "ContentType": str, "ContentTypeParams": {str: str}, "ContentID": str, "ContentDisposition": str, "Filename": str, "DecodedSize": int,
    "Parts": list,
}  # fmt: skip
META = {
    "Size": int, "DSN": bool, "Flags": [str], "MailFrom": str, "MailFromValidated": bool, "RcptTo": str, "MsgFrom": str, "MsgFromValidated": bool,
    "DKIMVerifiedDomains": [str], "RemoteIP": str, "MailboxName": str,
}  # fmt: skip
SUPPRESSION = {
    "ID": int, "Created": TIME, "Account": str, "BaseAddress": str, "OriginalAddress": str, "Manual": bool, "Reason": str,
}  # fmt: skip
#: By method: the fields of a request that is not set, and those of the result; bytes: octets as they are.
METHODS = {
    "Send": (
        {
            **dict.fromkeys(("From", "To", "CC", "BCC", "ReplyTo")), "MessageID": "", "References": None, "Date": None, "Subject": "", "Text": "",
            "HTML": "", "Extra": None, "Headers": None, "InlineFiles": None, "AttachedFiles": None, "RequireTLS": None, "FutureRelease": None,
            "SaveSent": False,
        },
        {"MessageID": str, "Submissions": [{"Address": str, "QueueMsgID": int, "FromID": str}]},
    ),
    "SuppressionList": ({}, {"Suppressions": [SUPPRESSION]}),
    "SuppressionAdd": ({"EmailAddress": "", "Manual": False, "Reason": ""}, {}),
    "SuppressionRemove": ({"EmailAddress": ""}, {}),
    "SuppressionPresent": ({"EmailAddress": ""}, {"Present": bool}),
    "MessageGet": ({"MsgID": 0}, {"Message": MESSAGE, "Structure": STRUCTURE, "Meta": META}),
    "MessageRawGet": ({"MsgID": 0}, bytes),
    "MessagePartGet": ({"MsgID": 0, "PartPath": None}, bytes),
    "MessageDelete": ({"MsgID": 0}, {}),
    "MessageFlagsAdd": ({"MsgID": 0, "Flags": None}, {}),
    "MessageFlagsRemove": ({"MsgID": 0, "Flags": None}, {}),
    "MessageMove": ({"MsgID": 0, "DestMailboxName": ""}, {}),
}  # fmt: skip
#: Its limits for answers, in octets.
RESULT_OCTETS, ERROR_OCTETS = 3 * 1024 * 1024, 10 * 1024


def encoded(values: dict) -> str:
    """As Go's encoder writes it: without spaces, `<`, `>` and `&` escaped."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def decoded(shape: object, value: object, place: str = "") -> None:
    """Fails where the decoder would, and where a field is not there."""
    if shape is TIME:
        assert value is None or datetime.fromisoformat(value).tzinfo is not None, place
    elif isinstance(shape, type):
        assert type(value) is shape, place
        assert shape is not int or -(2**63) <= value < 2**63, place
    elif isinstance(shape, list):
        assert type(value) is list, place
        for at, one in enumerate(value):
            decoded(shape[0], one, f"{place}[{at}]")
    elif str in shape:
        assert all(type(key) is type(one) is str for key, one in value.items()), place
    else:
        assert set(value) >= set(shape), place
        for name, inner in shape.items():
            decoded(inner, value[name], f"{place}.{name}")
    if shape is STRUCTURE:
        for at, part in enumerate(value["Parts"]):
            decoded(STRUCTURE, part, f"{place}.Parts[{at}]")


class Client:
    """Asks as it does."""

    def __init__(self, web):
        self.web = web

    async def transact(self, method: str, **values):
        request, result = METHODS[method]
        assert set(values) <= set(request)
        body = f"request={quote_plus(encoded({**request, **values}))}"
        answer = await self.web.ask("POST", f"/webapi/v0/{method}", body=body.encode(), login=ALICE)
        assert answer.status in {200, 400}
        if answer.status == 400:
            assert len(answer.body) <= ERROR_OCTETS
            assert {"Code", "Message"} <= set(answer.json)
            return answer.json["Code"]
        if result is bytes:
            return answer.body
        assert len(answer.body) <= RESULT_OCTETS
        decoded(result, json.loads(answer.body), method)
        return answer.json


@pytest.fixture
async def client(tmp_path):
    async with web_house(tmp_path) as house:
        yield Client(house)


def file(content: bytes, **values: str) -> dict[str, str]:
    return {"Name": "", "ContentType": "", "ContentID": "", "Data": base64.b64encode(content).decode(), **values}


async def test_a_message_and_what_becomes_of_it(client):
    sent = await client.transact(
        "Send",
        To=[{"Name": "Bob & Co", "Address": "bob@example.org"}, {"Name": "", "Address": "me@elsewhere.example"}],
        CC=[{"Name": "", "Address": "alice@example.org"}],
        Subject="<3 ☺",
        Text="hi\n",
        HTML='<img src="cid:hi">',
        Extra={"order": "17"},
        Headers=[["X-Shop", "a & b"]],
        InlineFiles=[file(b"\x89PNG", ContentID="<hi>", ContentType="image/png")],
        AttachedFiles=[file(b"a,b\n", Name="list.csv")],
        FutureRelease="2026-11-01T13:00:00.123456789+01:00",
        SaveSent=True,
    )
    assert [one["Address"] for one in sent["Submissions"]] == [
        "bob@example.org",
        "me@elsewhere.example",
        "alice@example.org",
    ]
    got = await client.transact("MessageGet", MsgID=1)
    assert (got["Message"]["Subject"], got["Message"]["MessageID"]) == ("<3 ☺", sent["MessageID"])
    assert got["Message"]["HTML"].strip() == '<img src="cid:hi">'
    assert await client.transact("MessageFlagsAdd", MsgID=1, Flags=["$Forwarded", "paid"]) == {}
    assert await client.transact("MessageFlagsRemove", MsgID=1, Flags=["paid"]) == {}
    assert "$forwarded" in (await client.transact("MessageGet", MsgID=1))["Meta"]["Flags"]
    assert b"Subject: " in await client.transact("MessageRawGet", MsgID=1)
    assert await client.transact("MessagePartGet", MsgID=1, PartPath=[1]) == b"a,b\n"
    assert await client.transact("MessageMove", MsgID=1, DestMailboxName="Inbox") == {}
    assert await client.transact("MessageDelete", MsgID=1) == {}
    assert await client.transact("MessageGet", MsgID=1) == "messageNotFound"


async def test_the_suppression_list(client):
    add = {"EmailAddress": "gone@elsewhere.example", "Manual": True, "Reason": "<asked>"}
    assert await client.transact("SuppressionAdd", **add) == {}
    (one,) = (await client.transact("SuppressionList"))["Suppressions"]
    assert (one["OriginalAddress"], one["Manual"], one["Reason"]) == ("gone@elsewhere.example", True, "<asked>")
    assert await client.transact("SuppressionPresent", EmailAddress="gone@elsewhere.example") == {"Present": True}
    assert await client.transact("SuppressionRemove", EmailAddress="gone@elsewhere.example") == {}
    assert await client.transact("SuppressionList") == {"Suppressions": []}


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_that_says_nothing(client, method):
    """All that can be null is; the answer is one that the client understands."""
    code = await client.transact(method)
    wanted = {"Send": "missingBody", "SuppressionList": {"Suppressions": []}}
    usual = "badAddress" if method.startswith("Suppression") else "messageNotFound"
    assert code == wanted.get(method, usual)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"To": [{"Name": "", "Address": "x"}], "Text": "hi"}, "badAddress"),
        ({"To": [{"Name": "", "Address": "x@y.example"}]}, "missingBody"),
        ({"From": [{"Name": "", "Address": "bob@example.org"}]}, "badFrom"),
        ({"From": [{"Name": "", "Address": "alice@example.org"}] * 2}, "multipleFrom"),
        ({"MessageID": "x"}, "malformedMessageID"),
    ],
)
async def test_codes_of_send(client, values, code):
    usual = {"To": [{"Name": "", "Address": "x@y.example"}], "Text": "hi"}
    given = {**usual, **values} if "To" not in values else values
    assert await client.transact("Send", **given) == code
