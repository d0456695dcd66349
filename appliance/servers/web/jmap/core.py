"""Core/echo (RFC 8620 §4)."""

from collections.abc import Mapping
from typing import Any, Final

from appliance.servers.web.jmap.call import CORE, Call, Method


async def echo(_: Call, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came."""
    return arguments


METHODS: Final = (Method("Core/echo", CORE, dict[str, Any], echo),)
