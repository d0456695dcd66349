"""Calls of the webapi over a connection that is kept, one after the other: how long each takes."""

import base64
import http.client
import json
import statistics
import time
from urllib.parse import urlencode

from bench.target import Figures, Target

_CALLS = 300


def webapi(target: Target) -> Figures:
    """Medians and the slowest of a hundred, by method."""
    if not target.house.http:
        return {}
    house = target.house
    client = http.client.HTTPConnection(house.host, house.http, timeout=30)
    token = base64.b64encode(f"{house.user}:{house.password}".encode()).decode()
    fields = {"Authorization": f"Basic {token}", "Content-Type": "application/x-www-form-urlencoded"}

    def call(method: str, request: object) -> tuple[int, bytes]:
        client.request("POST", f"/webapi/v0/{method}", urlencode({"request": json.dumps(request)}), fields)
        answer = client.getresponse()
        return answer.status, answer.read()

    # Its copy in Sent is there at once.
    call("Send", {"To": [{"Address": "bench@localhost"}], "Text": "Thanks.\n" * 500, "SaveSent": True})
    number = next(one for one in range(1, 100_000) if call("MessageGet", {"MsgID": one})[0] == 200)
    message = {
        "To": [{"Name": "Ada", "Address": "queue450@localhost"}],
        "Subject": "Order 17",
        "Text": "Thanks.\n" * 50,
    }
    requests: dict[str, object] = {
        "Send": message,
        "MessageGet": {"MsgID": number},
        "MessageRawGet": {"MsgID": number},
        "MessageFlagsAdd": {"MsgID": number, "Flags": ["$forwarded"]},
        "MessageFlagsRemove": {"MsgID": number, "Flags": ["$forwarded"]},
        "SuppressionPresent": {"EmailAddress": "a@b.example"},
    }
    figures: Figures = {}
    count = _CALLS // 5 if target.quick else _CALLS
    for method, request in requests.items():
        seconds = []
        for _ in range(count):
            began = time.perf_counter()
            status, content = call(method, request)
            seconds.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"{method}: {content.decode()}")
        figures[f"webapi {method}, ms"] = statistics.median(seconds) * 1000
        figures[f"webapi {method} p99, ms"] = statistics.quantiles(seconds, n=100)[98] * 1000
    client.close()
    return figures
