"""All methods of JMAP, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.servers.web.jmap import (
    blob,
    core,
    identity,
    mailbox,
    mdn,
    quota,
    submission,
    subscription,
    thread,
    vacation,
)
from appliance.servers.web.jmap.call import Method
from appliance.servers.web.jmap.email import methods as email
from appliance.servers.web.jmap.own import (
    junk as own_junk,
    preferences as own_preferences,
    recipients as own_recipients,
    rulesets as own_rulesets,
    unsubscribe as own_unsubscribe,
)

_ALL: Final = (
    *core.METHODS,
    *blob.METHODS,
    *mailbox.METHODS,
    *thread.METHODS,
    *email.METHODS,
    *quota.METHODS,
    *subscription.METHODS,
    *identity.METHODS,
    *submission.METHODS,
    *mdn.METHODS,
    *vacation.METHODS,
    *own_recipients.METHODS,
    *own_junk.METHODS,
    *own_rulesets.METHODS,
    *own_preferences.METHODS,
    *own_unsubscribe.METHODS,
)
METHODS: Final[Mapping[str, Method]] = MappingProxyType({one.name: one for one in _ALL})
