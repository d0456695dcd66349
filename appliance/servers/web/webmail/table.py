"""The few functions of the webmail that are not JMAP: coming in and going out."""

from typing import Annotated, Final

from appliance.config.schema import doc
from appliance.servers.web import api
from appliance.servers.web.account import entry
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.login import login_prep, logout, passkey_login_prep
from appliance.servers.web.versions import version


class GuestInfo(Wire):
    """Who is at home on a server for tests."""

    address: Annotated[str, doc("To log in with.")]
    password: str


async def guest(call: Call) -> GuestInfo | None:
    """Who the page logs in as without being asked: where a server for tests has the whole port for it, at `/`.

    Elsewhere, and on all other servers, null.
    """
    found = call.app.policy.guest
    return None if found is None or call.root != "/" else GuestInfo(address=found[0], password=found[1])


TABLE: Final = api.table(
    "webmail",
    "moxpy webmail",
    events=(),
    open=(guest, login_prep, entry.login, passkey_login_prep, entry.passkey_login),
    reads=(version,),
    changes=(),
    guards=(logout,),
)
