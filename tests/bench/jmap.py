"""JMAP in a mailbox of very many messages: the first list, pages of it, what changed, one message, searches."""

import base64
import http.client
import json
import statistics
import time
from typing import Any

from bench import queries
from bench.target import Figures, Target, mailbox

_TIMES = 20
#: What a list shows of each message.
_SHOWN = [
    "threadId",
    "mailboxIds",
    "keywords",
    "from",
    "to",
    "subject",
    "receivedAt",
    "size",
    "preview",
    "hasAttachment",
]
_REFERENCE = {"resultOf": "0", "name": "Email/query", "path": "/ids"}


def jmap(target: Target) -> Figures:
    """Milliseconds, at a client."""
    if not target.house.http:
        return {}
    house, figures = target.house, Figures()
    client = http.client.HTTPConnection(house.host, house.http, timeout=60)
    token = base64.b64encode(f"{house.user}:{house.password}".encode()).decode()
    fields = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(*calls: Any) -> tuple[float, list[Any]]:
        using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
        body = json.dumps({"using": using, "methodCalls": calls})
        began = time.perf_counter()
        client.request("POST", "/webmail/jmap/api", body, fields)
        octets = client.getresponse().read()
        seconds = time.perf_counter() - began
        answers = [one[1] for one in json.loads(octets)["methodResponses"]]
        if wrong := [one for one in answers if "type" in one]:
            raise RuntimeError(wrong)
        return seconds * 1000, answers

    client.request("GET", "/webmail/jmap/session", headers=fields)
    account = next(iter(json.loads(client.getresponse().read())["accounts"]))
    count = 10_000 if target.quick else 100_000

    def listed(box: str, **more: Any) -> tuple[float, list[Any]]:
        """A page of the list that our page shows, with what it shows of each message."""
        query = {"sort": [{"property": "receivedAt", "isAscending": False}], "collapseThreads": True, "limit": 50}
        query |= {"accountId": account, "filter": {"inMailbox": box}, **more}
        return call(
            ["Email/query", query, "0"],
            ["Email/get", {"accountId": account, "#ids": _REFERENCE, "properties": _SHOWN}, "1"],
        )

    def median(ask: Any) -> float:
        return statistics.median(ask()[0] for _ in range(_TIMES))

    with mailbox(target, "BenchMany") as name:
        imap = target.open()
        queries.load(imap, name, count)
        queries.index(target)
        client.close()  # It was idle for too long; the next request opens it again.
        _, (boxes,) = call(["Mailbox/get", {"accountId": account, "ids": None}, "0"])
        box = next(one["id"] for one in boxes["list"] if one["name"] == name)
        figures["JMAP first list, 100,000 messages, cold, ms"], (page, _) = listed(box, calculateTotal=True)
        figures["JMAP first list, warm, ms"] = median(lambda: listed(box, calculateTotal=True))
        whole = call(["Email/query", {"accountId": account, "filter": {"inMailbox": box}, "limit": 5000}, "0"])[1][0][
            "ids"
        ]
        anchor = whole[len(whole) // 2]
        uncollapsed = {"anchor": anchor, "anchorOffset": -10, "collapseThreads": False}
        listed(box, **uncollapsed)
        figures["JMAP page at an anchor, ms"] = median(lambda: listed(box, **uncollapsed))
        imap.command(b"SELECT " + name.encode())
        state = page["queryState"]
        seconds = []
        for number in range(_TIMES):
            imap.command(b"STORE %d FLAGS (%b)" % (count // 2 + number, rb"\Deleted" if number % 2 else rb"\Seen"))
            arguments = {"accountId": account, "filter": {"inMailbox": box}, "collapseThreads": True}
            arguments |= {"sort": [{"property": "receivedAt", "isAscending": False}], "sinceQueryState": state}
            took, (changes,) = call(["Email/queryChanges", arguments, "0"])
            state = changes["newQueryState"]
            seconds.append(took)
        figures["JMAP queryChanges after a change, ms"] = statistics.median(seconds)
        one = {"accountId": account, "fetchTextBodyValues": True, "fetchHTMLBodyValues": True}
        ids = iter(whole)
        figures["JMAP one message with its texts, ms"] = median(
            lambda: call(["Email/get", {**one, "ids": [next(ids)]}, "0"])
        )
        for kind, word in (("rare", queries.RARE.decode()), ("frequent", "common")):
            # Each time another list: what was found before is kept.
            seconds = [listed(box, filter={"inMailbox": box, "text": word, "minSize": at})[0] for at in range(5)]
            figures[f"JMAP search, {kind} word, ms"] = statistics.median(seconds)
        figures["JMAP unread threads of all mailboxes, ms"] = median(
            lambda: call(["Mailbox/get", {"accountId": account, "ids": None}, "0"])
        )
    client.close()
    return figures
