"""Reports in the store: kept once, found by domain and period, bounded, forgotten."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.limits import REPORT
from appliance.mail import dmarcreport, tlsreport
from appliance.mail.domain import parse_domain
from appliance.store import report as reports
from appliance.store.problems import TooMany
from appliance.store.report import Kind
from appliance.store.tables import Table
from support.clock import StandingClock
from support.reports import PLAIN, TLS
from support.stores import open_store

DMARC = dmarcreport.parse(PLAIN, REPORT)
OURS, MX, BIG = map(parse_domain, ("ours.example", "mx.ours.example", "big.example"))
TLS_REPORT = tlsreport.parse(TLS, REPORT)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def add(store, report, *, domains=(OURS,), sender=BIG, most=1000):
    return store.write_sync(reports.add, report, domains=domains, sender=sender, most=most)


def found(store, kind, domain=OURS, begin=FIRST, end=LAST, most=1000):
    with store.read() as tx:
        return [one.report for _, one in reports.reports(tx, kind, domain, begin, end, most=most)]


def test_by_domain_and_period(tmp_path):
    later = msgspec.structs.replace(DMARC, end=DMARC.end + timedelta(days=1), report_id="2")
    with open_store(tmp_path) as store:
        assert add(store, DMARC)
        assert add(store, later)
        assert add(store, TLS_REPORT, domains=(OURS, MX, OURS))
        assert found(store, Kind.DMARC) == [later, DMARC]
        assert found(store, Kind.DMARC, most=1) == [later]
        assert found(store, Kind.DMARC, end=later.end) == [DMARC]
        assert found(store, Kind.DMARC, begin=later.end) == [later]
        assert found(store, Kind.DMARC, domain=MX) == []
        assert found(store, Kind.TLS) == found(store, Kind.TLS, domain=MX) == [TLS_REPORT]
        with store.read() as tx:
            assert reports.domains(tx, Kind.DMARC) == ["ours.example"]
            assert reports.domains(tx, Kind.TLS) == ["mx.ours.example", "ours.example"]
            which, kept = reports.reports(tx, Kind.TLS, MX, FIRST, LAST, most=1)[0]
            assert reports.find(tx, which) == kept
            assert (kept.sender, kept.domains, kept.received) == (
                "big.example",
                ("ours.example", "mx.ours.example"),
                store.clock.microseconds(),
            )
        assert store.write_sync(reports.remove, which)
        assert not store.write_sync(reports.remove, which)
        assert found(store, Kind.TLS) == []


def test_the_same_is_kept_once(tmp_path):
    with open_store(tmp_path) as store:
        for report in (DMARC, TLS_REPORT):
            assert add(store, report)
            assert not add(store, report)
        assert not add(store, msgspec.structs.replace(DMARC, records=()))
        assert add(store, DMARC, sender=MX)  # who takes another's name and id keeps nothing of it away
        assert len(found(store, Kind.DMARC)) == 2


def test_bounds(tmp_path, monkeypatch):
    with open_store(tmp_path) as store:
        assert add(store, DMARC, most=1)
        assert not add(store, DMARC, most=1)
        with pytest.raises(TooMany):
            add(store, TLS_REPORT, most=1)
        monkeypatch.setattr(reports, "MOST_OCTETS", 100)
        with pytest.raises(TooMany):
            add(store, TLS_REPORT)
        assert found(store, Kind.TLS) == []


def test_old_ones_are_forgotten_in_parts(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        for number in range(5):
            add(store, msgspec.structs.replace(DMARC, report_id=str(number)))
        moment = clock.microseconds() + 1
        clock.move(1)
        add(store, TLS_REPORT)
        assert not store.write_sync(reports.forget_before, moment, 2)
        assert not store.write_sync(reports.forget_before, moment, 2)
        assert store.write_sync(reports.forget_before, moment, 2)
        assert found(store, Kind.DMARC) == []
        assert found(store, Kind.TLS) == [TLS_REPORT]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (Table.REPORT_DOMAIN, "report_domain"),
        (Table.REPORT_RECEIVED, "report_received"),
        (Table.REPORT, "index report_"),
    ],
)
def test_verify_finds_what_is_missing(tmp_path, table, words):
    def lose(tx):
        key = next(tx.scan_prefix(table, b""))[0]
        value = tx.get(table, key)
        tx.delete(table, key)
        return key, value

    with open_store(tmp_path) as store:
        add(store, DMARC)
        key, value = store.write_sync(lose)
        assert any(words in wrong for wrong in store.verify())
        store.write_sync(lambda tx: tx.put(table, key, value))


steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "forget"]), st.integers(0, 4), st.integers(0, 3)), max_size=20
)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_like_a_list(tmp_path_factory, steps):
    clock = StandingClock()
    with open_store(tmp_path_factory.mktemp("store"), clock) as store:
        model: dict[str, tuple[int, object]] = {}
        for verb, number, days in steps:
            report = msgspec.structs.replace(DMARC, report_id=str(number), end=DMARC.end + timedelta(days=number))
            if verb == "add":
                assert add(store, report) == (str(number) not in model)
                model.setdefault(str(number), (clock.microseconds(), report))
            elif verb == "remove":
                which = reports.identity(Kind.DMARC, report, "big.example")
                assert store.write_sync(reports.remove, which) == (model.pop(str(number), None) is not None)
            else:
                clock.move(days)
                moment = clock.microseconds() - days * 1_000_000
                store.write_sync(reports.forget_before, moment, 100)
                model = {key: kept for key, kept in model.items() if kept[0] >= moment}
            assert found(store, Kind.DMARC) == [kept for _, (_, kept) in sorted(model.items(), reverse=True)]
