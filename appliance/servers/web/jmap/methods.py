"""All methods of JMAP, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.servers.web.jmap import blob, core, identity, mailbox, quota, submission, thread, vacation
from appliance.servers.web.jmap.call import Method

_ALL: Final = (
    *core.METHODS,
    *blob.METHODS,
    *mailbox.METHODS,
    *thread.METHODS,
    *quota.METHODS,
    *identity.METHODS,
    *submission.METHODS,
    *vacation.METHODS,
)
METHODS: Final[Mapping[str, Method]] = MappingProxyType({one.name: one for one in _ALL})
