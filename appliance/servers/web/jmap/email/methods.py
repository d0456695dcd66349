"""All methods of Email and SearchSnippet."""

from typing import Final

from appliance.servers.web.jmap.email import get, parse, query, set as setting, snippet

METHODS: Final = (*get.METHODS, *query.METHODS, *setting.METHODS, *parse.METHODS, *snippet.METHODS)
