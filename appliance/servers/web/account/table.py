"""All functions of the account pages."""

from typing import Final

from appliance.servers.web import api, factors
from appliance.servers.web.account import (
    about,
    clients,
    credentials,
    entry,
    exchange,
    rules,
    settings,
    suppressions,
    webhooks,
)
from appliance.servers.web.events import ACCOUNT_EVENTS
from appliance.servers.web.login import login_prep, logout
from appliance.servers.web.versions import version

TABLE: Final = api.table(
    "webaccount",
    "moxpy account",
    events=ACCOUNT_EVENTS,
    open=(login_prep, entry.login),
    reads=(
        version,
        factors.second_factor,
        about.account,
        about.aliases,
        about.mailboxes,
        clients.client_configs,
        clients.apple_profile,
        rules.ruleset_preview,
        suppressions.suppression_list,
        credentials.app_password_list,
        credentials.app_password_protocols,
        credentials.tls_public_keys,
        credentials.login_attempts,
    ),
    changes=(
        settings.account_save_full_name,
        settings.destination_save,
        settings.outgoing_webhook_save,
        settings.incoming_webhook_save,
        settings.webhook_secret_save,
        webhooks.outgoing_webhook_test,
        webhooks.incoming_webhook_test,
        settings.from_id_login_addresses_save,
        settings.keep_retired_periods_save,
        settings.automatic_junk_flags_save,
        settings.junk_filter_save,
        settings.rejects_save,
        settings.introbox_save,
        settings.imap_save,
        exchange.import_abort,
        suppressions.suppression_add,
        suppressions.suppression_remove,
    ),
    guards=(
        logout,
        factors.totp_begin,
        factors.totp_confirm,
        factors.totp_remove,
        factors.recovery_codes_renew,
        factors.api_token_list,
        factors.api_token_add,
        factors.api_token_remove,
        factors.app_passwords_only_save,
        credentials.set_password,
        credentials.generate_password,
        credentials.app_password_add,
        credentials.app_password_remove,
        credentials.tls_public_key_add,
        credentials.tls_public_key_update,
        credentials.tls_public_key_remove,
        credentials.sessions,
        credentials.session_remove,
        credentials.sessions_remove_others,
    ),
)
