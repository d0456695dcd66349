"""Which program answers."""

import platform
import sys

from appliance import __version__
from appliance.servers.web.api import Call, Wire


class VersionInfo(Wire):
    """The program, and what it runs on."""

    version: str
    os: str
    arch: str


async def version(_: Call) -> VersionInfo:
    """The version of the server, its operating system and architecture."""
    return VersionInfo(version=__version__, os=sys.platform, arch=platform.machine())
