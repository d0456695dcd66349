"""What we owe to others in the store: found by domain and time, over when reported, bounded, forgotten."""

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail.address import parse_address
from appliance.mail.dmarcreport import PublishedPolicy, Record
from appliance.store import evaluation as evaluations, reportsuppression
from appliance.store.evaluation import Evaluation
from appliance.store.problems import TooMany
from appliance.store.report import Kind
from appliance.store.tables import Table
from support.clock import StandingClock
from support.stores import open_store


def evaluation(domain: str, moment: int) -> Evaluation:
    record = Record("192.0.2.1", 1, "none", "pass", "fail")
    return Evaluation(domain, moment, False, 24, ("mailto:r@a.example",), PublishedPolicy(domain, "reject"), record)


def owed(store, domain, **limits) -> list[Evaluation]:
    with store.read() as tx:
        return list(evaluations.owed(tx, domain, **limits))


def test_by_domain_and_time(tmp_path):
    with open_store(tmp_path) as store:
        given = [
            evaluation("a.example", 5),
            evaluation("a.example", 5),
            evaluation("a.example", 9),
            evaluation("a.exa", 7),
        ]
        for one in given:
            assert store.write_sync(evaluations.note, one, most=4)
        assert not store.write_sync(evaluations.note, given[0], most=4)
        with store.read() as tx:
            assert evaluations.domains(tx) == ["a.exa", "a.example"]
            assert evaluations.last(tx, "a.example") == given[2]
            assert evaluations.last(tx, "a.example", before=9) == given[0]
            assert evaluations.last(tx, "a.example", before=5) is None
            assert evaluations.last(tx, "a.ex") is None
        assert owed(store, "a.example") == given[:3]
        assert owed(store, "a.example", before=9) == given[:2]
        assert owed(store, "a.example", since=6) == given[2:3]
        assert owed(store, "a.exa") == given[3:]
        assert store.write_sync(evaluations.forget_before, 9, 10)
        assert owed(store, "a.example") == given[2:3]
        assert not store.write_sync(evaluations.forget_before, 10, 1)
        assert store.write_sync(evaluations.forget_before, 10, 1)
        with store.read() as tx:
            assert evaluations.domains(tx) == []


def test_over(tmp_path):
    with open_store(tmp_path) as store:
        for domain in ("a.example", "b.example"):
            for moment in range(4):
                store.write_sync(evaluations.note, evaluation(domain, moment), most=10)
        assert store.write_sync(evaluations.end, "a.example", 3)
        assert not store.write_sync(evaluations.end, "a.example", 3)
        assert owed(store, "a.example") == [evaluation("a.example", 3)]
        assert owed(store, "a.example", since=1, before=3) == []
        with store.read() as tx:
            assert evaluations.last(tx, "a.example", before=3) is None
            assert evaluations.last(tx, "a.example") == evaluation("a.example", 3)
        assert not store.write_sync(evaluations.forget_ended, 2)
        assert owed(store, "a.example") == [evaluation("a.example", 3)]
        assert store.write_sync(evaluations.forget_ended, 2)
        assert owed(store, "a.example") == [evaluation("a.example", 3)]
        assert len(owed(store, "b.example")) == 4


steps = st.lists(
    st.tuples(
        st.sampled_from(["note", "note", "note", "end", "forget ended", "forget before"]),
        st.sampled_from(["a", "a.b", "b"]),
        st.integers(1, 9),
    ),
    max_size=30,
)


@settings(max_examples=20, deadline=None)
@given(steps)
def test_like_a_list(tmp_path_factory, steps):
    with open_store(tmp_path_factory.mktemp("store")) as store:
        model: list[tuple[str, int]] = []
        over = 0
        for verb, domain, moment in steps:
            if verb == "note":
                moment += over  # No message comes before one that was reported.
                store.write_sync(evaluations.note, evaluation(domain, moment), most=1000)
                model.append((domain, moment))
            elif verb == "end":
                over = max(over, moment)
                store.write_sync(evaluations.end, domain, moment)
                model = [one for one in model if one[0] != domain or one[1] >= moment]
            elif verb == "forget ended":
                store.write_sync(evaluations.forget_ended, moment)
            else:
                store.write_sync(evaluations.forget_before, moment, 100)
                model = [one for one in model if one[1] >= moment]
            for name in ("a", "a.b", "b"):
                expected = sorted(when for one, when in model if one == name)
                assert [one.evaluated for one in owed(store, name)] == expected
                with store.read() as tx:
                    found = evaluations.last(tx, name)
                assert (found.evaluated if found else None) == (expected[-1] if expected else None)


@pytest.mark.parametrize("table", [Table.DMARC_EVALUATION, Table.DMARC_EVALUATION_DOMAIN])
def test_verify_finds_what_is_missing(tmp_path, table):
    def lose(tx):
        key = next(tx.scan_prefix(table, b""))[0]
        value = tx.get(table, key)
        tx.delete(table, key)
        return key, value

    with open_store(tmp_path) as store:
        store.write_sync(evaluations.note, evaluation("a.example", 5), most=4)
        key, value = store.write_sync(lose)
        assert any("dmarc_evaluation_domain" in wrong for wrong in store.verify())
        store.write_sync(lambda tx: tx.put(table, key, value))


def test_suppressed_addresses(tmp_path):
    clock = StandingClock()
    address, other = parse_address("Reports@bücher.example"), parse_address("other@a.example")
    with open_store(tmp_path, clock) as store:
        now = clock.microseconds()

        def is_suppressed(kind, one, moment=now) -> bool:
            with store.read() as tx:
                return reportsuppression.is_suppressed(tx, kind, one, moment)

        store.write_sync(reportsuppression.put, Kind.DMARC, address, now + 5, "full", most=1)
        with pytest.raises(TooMany):
            store.write_sync(reportsuppression.put, Kind.DMARC, other, now + 5, "", most=1)
        assert is_suppressed(Kind.DMARC, parse_address("reports@xn--bcher-kva.example"))
        assert is_suppressed(Kind.DMARC, address, now + 4)
        assert not is_suppressed(Kind.DMARC, address, now + 5)
        assert not is_suppressed(Kind.TLS, address)
        assert not is_suppressed(Kind.DMARC, other)
        clock.move(1)
        store.write_sync(reportsuppression.put, Kind.DMARC, address, now + 9, "still", most=1)
        with store.read() as tx:
            assert reportsuppression.listed(tx, Kind.TLS) == []
            assert reportsuppression.listed(tx, Kind.DMARC) == [
                reportsuppression.Suppressed(1, "Reports@xn--bcher-kva.example", now + 9, "still", now)
            ]
        assert store.write_sync(reportsuppression.remove, Kind.DMARC, address)
        assert not store.write_sync(reportsuppression.remove, Kind.DMARC, address)
        assert not is_suppressed(Kind.DMARC, address)
