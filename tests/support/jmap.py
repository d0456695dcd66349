"""A client of JMAP for tests, on a browser of `webhouse`."""

import json
from dataclasses import dataclass
from typing import Any

from support.webhouse import Answer, Browser

ALL = (
    *("urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"),
    *("urn:ietf:params:jmap:vacationresponse", "urn:ietf:params:jmap:quota", "urn:ietf:params:jmap:blob"),
    "urn:moxpy:mail",
)


@dataclass
class JMAP:
    """Of an account that has logged in to the webmail."""

    browser: Browser
    using: tuple[str, ...] = ALL
    name: str = "alice"

    @property
    def account(self) -> str:
        return f"A{self.browser.house.number(self.name)}"

    async def post(self, body: bytes, **headers: str) -> Answer:
        """A request as octets."""
        fields = {"content-type": "application/json", "x-mox-csrf": self.browser.csrf}
        fields.update({key.replace("_", "-"): value for key, value in headers.items()})
        return await self.browser.request("POST", "jmap/api", body, fields)

    async def request(self, calls: list[Any], created: dict[str, str] | None = None, **headers: str) -> Any:
        """Calls as JMAP has them; the response."""
        request = {"using": self.using, "methodCalls": calls}
        if created is not None:
            request["createdIds"] = created
        answer = await self.post(json.dumps(request).encode(), **headers)
        assert answer.status == 200, answer.body
        return answer.json

    async def responses(self, *calls: Any) -> list[Any]:
        """The responses to calls; an account stands in all that have none."""
        made = [
            [name, arguments if name == "Core/echo" else {"accountId": self.account, **arguments}, id]
            for name, arguments, id in calls
        ]
        return (await self.request(made))["methodResponses"]

    async def call(self, method: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """One call; the arguments of its response, or its error."""
        ((_, answer, _),) = await self.responses([method, {**(arguments or {}), **more}, "0"])
        return answer
