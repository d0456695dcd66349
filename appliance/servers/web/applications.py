"""What web clients find in this house: the applications, by name, and the sites of the operator."""

from collections.abc import Mapping
from types import MappingProxyType

from appliance.delivery.appliance import Appliance
from appliance.servers.web import webapi
from appliance.servers.web.account import exchange
from appliance.servers.web.account.table import TABLE as ACCOUNT
from appliance.servers.web.admin.table import TABLE as ADMIN
from appliance.servers.web.app import Contents
from appliance.servers.web.asgi import ASGI
from appliance.servers.web.assets import Assets
from appliance.servers.web.jmap.application import PREFIX as JMAP, JMAPApplication
from appliance.servers.web.login import AccountEntrance, AdminEntrance
from appliance.servers.web.pages import PagesApplication
from appliance.servers.web.site.site import Site
from appliance.servers.web.webmail import doors as webmail
from appliance.servers.web.webmail.table import TABLE as WEBMAIL


def applications(app: Appliance, beside: Mapping[str, ASGI] = MappingProxyType({})) -> Mapping[str, ASGI]:
    """All of them, each with its sessions. `beside`: what else is below the webmail, by the beginning of its paths."""
    mail, messages = exchange.Doors(app), webmail.Doors(app)
    doors = {
        ("POST", "import"): mail.upload,
        ("GET", "importprogress"): mail.progress,
        ("POST", "export"): mail.export,
    }
    readers = AccountEntrance(app, "webmail")
    jmap = JMAPApplication(app, readers)
    reading = {("GET", "msg/"): messages.message, ("POST", "export"): mail.export}
    return {
        "webmail": PagesApplication(app, WEBMAIL, readers, Assets("webmail"), reading, {JMAP: jmap, **beside}),
        "webapi": webapi.application(app),
        "account": PagesApplication(app, ACCOUNT, AccountEntrance(app, "account"), Assets("account"), doors),
        "admin": PagesApplication(app, ADMIN, AdminEntrance(app), Assets("admin")),
    }


def contents(app: Appliance, beside: Mapping[str, ASGI] = MappingProxyType({})) -> Contents:
    """All of it, and no page at `/`."""
    return Contents(applications=applications(app, beside), site=Site(app).answer)


def with_inbox(app: Appliance, address: str) -> Contents:
    """The same, and below the webmail what scripts ask of the inbox of an address."""
    from appliance.servers.web.inbox.application import PREFIX, InboxApplication

    return contents(app, {PREFIX: InboxApplication(app, address, app.config.snapshot().directory)})
