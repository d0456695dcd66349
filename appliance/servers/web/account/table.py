"""All functions of the account pages."""

from typing import Final

from appliance.servers.web import api
from appliance.servers.web.account import about, entry
from appliance.servers.web.login import login_prep, logout
from appliance.servers.web.versions import version

TABLE: Final = api.table(
    "webaccount",
    "moxpy account",
    open=(login_prep, entry.login),
    reads=(version, about.account),
    guards=(logout,),
)
