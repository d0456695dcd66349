"""Methods of JMAP called without HTTP: what a batch does, on any house with a store."""

import ipaddress
import json
from typing import Any

from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor
from appliance.servers.web.api import Client
from appliance.servers.web.jmap import batch, call
from appliance.servers.web.jmap.batch import Batch
from appliance.servers.web.jmap.blobs import Uploads
from appliance.servers.web.jmap.methods import METHODS
from appliance.store.tables import AccountID

USING = (call.CORE, call.MAIL, call.BLOB, call.OWN)


class Caller:
    """Of one account."""

    def __init__(self, app: Appliance, account: AccountID, name: str = "alice") -> None:
        self.app = app
        self.account = account
        self.id = call.account_id(account)
        self.actor = Actor(account, name, f"{name}@example.org")
        self.uploads = Uploads(app)
        self.using = frozenset(USING)

    async def responses(self, *calls: Any) -> list[Any]:
        """The responses to calls; the account stands in all that have none."""
        made = [[name, {"accountId": self.id, **arguments}, id] for name, arguments, id in calls]
        request = batch.check(batch.parse(json.dumps({"using": sorted(self.using), "methodCalls": made})), self.using)
        one = call.Call(
            app=self.app,
            actor=self.actor,
            log=Log("jmap"),
            config=self.app.config.snapshot(),
            client=Client(ipaddress.ip_address("192.0.2.1"), is_secure=True),
            using=self.using,
            max_message_octets=1024 * 1024,
            uploads=self.uploads,
        )
        return json.loads(await Batch(METHODS, one, request).run("state"))["methodResponses"]

    async def call(self, method: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        """One call; the arguments of its response, or its error."""
        ((_, answer, _),) = await self.responses([method, {**(arguments or {}), **more}, "0"])
        return answer

    async def upload(self, octets: bytes, media_type: str = "message/rfc822") -> str:
        """A blob."""
        scratch = self.uploads.scratch()
        scratch.__enter__()
        await scratch.write(octets)
        return self.uploads.keep(self.account, media_type, scratch)
