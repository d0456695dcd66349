"""What is counted of functions of pages: alert rules are built on it."""

import pytest

from appliance.servers.web import api
from appliance.servers.web.admin import system
from support import webhouse


@pytest.fixture
async def admin(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield await house.logged_in("admin")


def counted(function: str) -> tuple[float, dict[str, float]]:
    codes = ("user:error", "server:error")
    return api.requests.labels("webadmin", function).value, {
        code: api.errors.labels("webadmin", function, code).value for code in codes
    }


async def test_results_and_errors(admin, monkeypatch):
    before, faults = counted("LookupCid")
    await admin.call("LookupCid", "x")
    assert counted("LookupCid") == (before + 1, {**faults, "user:error": faults["user:error"] + 1})

    monkeypatch.setattr(system.logs, "levels", lambda: 1 / 0)
    before, faults = counted("LogLevels")
    assert (await admin.call("LogLevels")).code == "server:error"
    assert counted("LogLevels") == (before + 1, {**faults, "server:error": faults["server:error"] + 1})
    before, faults = counted("Routes")
    assert (await admin.call("Routes")).result == []
    assert counted("Routes") == (before + 1, faults)
