"""All functions of the admin pages."""

from typing import Final

from appliance.servers.web import api, factors
from appliance.servers.web.admin import domains, entry
from appliance.servers.web.events import ADMIN_EVENTS
from appliance.servers.web.login import login_prep, logout
from appliance.servers.web.versions import version

TABLE: Final = api.table(
    "webadmin",
    "moxpy admin",
    events=ADMIN_EVENTS,
    open=(login_prep, entry.login),
    reads=(version, domains.domains, factors.second_factor),
    guards=(
        logout,
        factors.totp_begin,
        factors.totp_confirm,
        factors.totp_remove,
        factors.recovery_codes_renew,
        factors.api_token_list,
        factors.api_token_add,
        factors.api_token_remove,
        entry.sessions,
        entry.session_remove,
    ),
)
