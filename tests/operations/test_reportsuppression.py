"""Addresses that get no reports of ours: put there, looked at, extended, taken away."""

from datetime import timedelta

import pytest

from appliance.operations import reportsuppression as verbs
from appliance.operations.reportsuppression import BadSuppression, IsSuppressed, NotSuppressed
from appliance.store.problems import TooMany
from appliance.store.report import Kind
from support.reporting import END, open_reporter

ADDRESS = "dmarc@a.example"


def micros(moment) -> int:
    return int(moment.timestamp() * 1e6)


async def test_verbs(tmp_path, monkeypatch):
    later = END + timedelta(days=30)
    async with open_reporter(tmp_path) as reporter:
        app = reporter.app
        await verbs.add(app, Kind.DMARC, ADDRESS, END, "mailbox full")
        await verbs.add(app, Kind.TLS, ADDRESS, END)
        with pytest.raises(IsSuppressed):
            await verbs.add(app, Kind.DMARC, "DMARC@A.example", later)
        await verbs.extend(app, Kind.DMARC, "DMARC@a.example", later)
        found = [(one.address.lower(), one.until, one.comment) for one in verbs.listed(app, Kind.DMARC)]
        assert found == [(ADDRESS, micros(later), "mailbox full")]
        assert [one.until for one in verbs.listed(app, Kind.TLS)] == [micros(END)]
        await verbs.remove(app, Kind.DMARC, ADDRESS)
        assert verbs.listed(app, Kind.DMARC) == []
        for verb in (verbs.remove(app, Kind.DMARC, ADDRESS), verbs.extend(app, Kind.DMARC, ADDRESS, later)):
            with pytest.raises(NotSuppressed):
                await verb
        with pytest.raises(BadSuppression):
            await verbs.add(app, Kind.DMARC, "nobody", END)
        with pytest.raises(BadSuppression):
            await verbs.add(app, Kind.DMARC, ADDRESS, END, "x" * 1001)
        monkeypatch.setattr(verbs, "SUPPRESSED_ADDRESSES", 1)
        with pytest.raises(TooMany):
            await verbs.add(app, Kind.DMARC, ADDRESS, END)
