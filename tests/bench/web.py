"""The pages: what the first one of an application weighs, and how long calls of functions take, one after the other."""

import http.client
import json
import re
import statistics
import time
from typing import Any

from appliance.localserve import ADMIN_PASSWORD
from bench.target import Figures, Target

_CALLS = 300
#: What pages call when they are opened.
CALLS: dict[str, dict[str, list[Any]]] = {
    "admin": {
        "Status": [],
        "Domains": [],
        "Accounts": [],
        "QueueList": [{"Max": 100}, {"Field": "NextAttempt", "Asc": True}],
        "LoginAttempts": ["", 10],
    },
    "account": {"Account": [], "Mailboxes": [], "LoginAttempts": [10], "SuppressionList": []},
}


def web(target: Target) -> Figures:
    """Medians by function; KB by application, where the pages are built."""
    if not target.house.http:
        return {}
    house, figures = target.house, Figures()
    client = http.client.HTTPConnection(house.host, house.http, timeout=30)

    def fetch(path: str) -> bytes:
        client.request("GET", path, headers={"Accept-Encoding": "br, gzip"})
        return client.getresponse().read()

    for application, calls in CALLS.items():
        root, cookies = f"/{application}/", dict[str, str]()
        page = fetch(root)
        if files := re.findall(rb'(?:src|href)="\./?(static/[^"]+\.(?:js|css))"', page):
            figures[f"{application} first page, KB"] = (
                len(page) + sum(len(fetch(root + one.decode())) for one in files)
            ) / 1024

        def call(
            name: str, params: list[Any], csrf: str = "", root: str = root, cookies: dict[str, str] = cookies
        ) -> Any:
            fields = {"Content-Type": "application/json", "x-mox-csrf": csrf}
            fields["Cookie"] = "; ".join(f"{key}={value}" for key, value in cookies.items())
            client.request("POST", f"{root}api/{name}", json.dumps({"params": params}), fields)
            answer = client.getresponse()
            for line in answer.headers.get_all("set-cookie", []):
                key, _, value = line.partition(";")[0].partition("=")
                cookies[key] = value
            return json.loads(answer.read())["result"]

        who = [ADMIN_PASSWORD] if application == "admin" else [house.user, house.password]
        csrf = call("Login", [call("LoginPrep", []), *who])
        for name, params in calls.items():
            seconds = []
            for _ in range(_CALLS // 5 if target.quick else _CALLS):
                began = time.perf_counter()
                call(name, params, csrf)
                seconds.append(time.perf_counter() - began)
            figures[f"{application} {name}, ms"] = statistics.median(seconds) * 1000
    client.close()
    return figures
