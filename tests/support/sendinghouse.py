"""A whole house, of a folder that localserve made, that sends to hosts of a made-up world on one port of this machine.

python -m support.sendinghouse FOLDER PORT
"""

import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import trio

from appliance import localserve, serve
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import WorldPolicy
from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.queue.parcel import World

NAMES = {
    "*.them.example": {Type.MX: [MX(10, "mx.example")], Type.TXT: ["v=spf1 ip4:127.0.0.0/8 -all"]},
    "mx.example": {Type.A: [ip_address("127.0.0.1")]},
}


def main(folder: Path, port: int) -> None:
    parts = replace(
        localserve.parts(),
        policy=WorldPolicy(),
        resolver=lambda _: Resolver(Table(NAMES)),
        world=lambda _: World(smtp_port=port),
    )
    trio.run(serve.serve, ConfigSource(folder / "moxpy.toml"), parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
