"""The few functions of the webmail that are not JMAP: coming in and going out."""

from typing import Final

from appliance.servers.web import api
from appliance.servers.web.account import entry
from appliance.servers.web.login import login_prep, logout, passkey_login_prep
from appliance.servers.web.versions import version

TABLE: Final = api.table(
    "webmail",
    "moxpy webmail",
    events=(),
    open=(login_prep, entry.login, passkey_login_prep, entry.passkey_login),
    reads=(version,),
    changes=(),
    guards=(logout,),
)
