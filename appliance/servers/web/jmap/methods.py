"""All methods of JMAP, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from appliance.servers.web.jmap import core, mailbox
from appliance.servers.web.jmap.call import Method

METHODS: Final[Mapping[str, Method]] = MappingProxyType({one.name: one for one in (*core.METHODS, *mailbox.METHODS)})
