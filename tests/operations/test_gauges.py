"""Figures of the metrics page that are looked at now and then, and whether the configuration is the one on the disk."""

import re

import pytest
import trio

from appliance.base.metrics import expose
from appliance.config.errors import ConfigErrors
from appliance.operations import gauges
from appliance.store import account as accounts
from appliance.store.tables import Table
from support.imaphouse import DOMAINS
from support.smtphouse import open_house

pytestmark = pytest.mark.trio


def figure(name: str) -> float:
    found = re.search(rf"^moxpy_{name}(?:\{{[^}}]*\}})? (\S+)$", expose().decode(), re.M)
    assert found, name
    return float(found[1])


async def test_figures(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gauges.keep, house.app)
            while not gauges.disk.labels().value:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        with house.app.store.read() as tx:
            used = sum(tx.account(one).usage_octets for one in accounts.names(tx).values())
            assert figure("queue_messages") == tx.entries(Table.QUEUED)
        assert figure("account_bytes") == used
        assert figure("queue_oldest_seconds") >= 0
        assert 0 < figure("disk_free_bytes") <= figure("disk_bytes")
        assert figure("store_bytes") > 0
        assert figure("build_info") == 1


async def test_a_configuration_with_errors_shows(tmp_path):
    async with open_house(tmp_path, DOMAINS) as house:
        config = house.app.config
        assert figure("config_reload_success") == 1
        file = config.snapshot().domains_file
        text = file.read_text()
        file.write_text(text + "\n[nonsense]\n")
        config._polled -= 10
        assert not config.poll()
        assert figure("config_reload_success") == 0
        with pytest.raises(ConfigErrors):
            config.reload()
        file.write_text(text + "\n# as before\n")
        config.reload()
        assert figure("config_reload_success") == 1
