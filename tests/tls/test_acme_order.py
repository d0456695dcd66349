"""What to do next for an order, and when to ask for certificates."""

import pytest
from hypothesis import given, strategies as st

from appliance.tls.acme import schedule
from appliance.tls.acme.messages import Authorization, Challenge, Identifier, Order, Problem
from appliance.tls.acme.order import Download, Failed, Finalize, Prove, Wait, next_step

NAME = "mx.example.org"
HTTP = Challenge("http-01", "u1", token="t")
TLS = Challenge("tls-alpn-01", "u2", token="t")
WRONG = Challenge("http-01", "u1", "invalid", error=Problem("urn:ietf:params:acme:error:dns", "no address"))
DAY = 86_400.0


def order(status, **more):
    return Order(status, ("a1",), "f", **more)


def authorization(status, *challenges):
    return Authorization(Identifier("dns", NAME), status, challenges)


PENDING = authorization("pending", TLS, HTTP)


@pytest.mark.parametrize(("order", "authorizations", "told", "finalized", "step"), [
    pytest.param(order("pending"), [PENDING], (), False, Prove(NAME, HTTP), id="prove"),
    pytest.param(order("pending"), [PENDING], {"u1"}, False, Wait(), id="proof is looked at"),
    pytest.param(order("pending"), [authorization("valid", HTTP)], (), False, Wait(), id="proved, order not yet ready"),
    pytest.param(order("pending"), [authorization("valid", HTTP), PENDING], (), False, Prove(NAME, HTTP), id="second"),
    pytest.param(order("pending"), [authorization("pending", TLS)], (), False,
                 Failed("the ACME server offers no challenge http-01", other_may_help=True), id="not offered"),
    pytest.param(order("pending"), [authorization("invalid", WRONG)], {"u1"}, False,
                 Failed("dns: no address", other_may_help=True), id="not believed"),
    pytest.param(order("pending"), [authorization("expired")], (), False,
                 Failed("the authorization is expired", other_may_help=True), id="expired"),
    pytest.param(order("ready"), [], (), False, Finalize(), id="ready"),
    pytest.param(order("ready"), [], (), True, Wait(), id="finalized, not heard yet"),
    pytest.param(order("processing"), [], (), True, Wait(), id="processing"),
    pytest.param(order("valid", certificate="c"), [], (), True, Download("c"), id="valid"),
    pytest.param(order("valid"), [], (), True, Failed("the order is valid without certificate"), id="valid without certificate"),
    pytest.param(order("invalid"), [authorization("invalid", WRONG)], (), False,
                 Failed("dns: no address", other_may_help=True), id="invalid for a challenge"),
    pytest.param(order("invalid", error=Problem("urn:ietf:params:acme:error:caa", "forbidden")), [], (), True,
                 Failed("caa: forbidden"), id="invalid for itself"),
    pytest.param(order("invalid"), [], (), True, Failed("the order failed"), id="invalid without a word"),
    pytest.param(order("x" * 99), [], (), False, Failed(f"the order has the unknown status '{'x' * 50}'"), id="odd"),
])  # fmt: skip
def test_next_step(order, authorizations, told, finalized, step):
    assert next_step(order, authorizations, "http-01", told=told, finalized=finalized) == step


@pytest.mark.parametrize(("days", "renew_before", "chance", "left"), [
    pytest.param(90, None, 0, 30, id="a third"),
    pytest.param(365, None, 0, 30, id="thirty days at most"),
    pytest.param(6, None, 0, 2, id="a short one"),
    pytest.param(90, 10, 0, 10, id="as wanted"),
    pytest.param(365, 90, 0, 30, id="more than thirty days wanted"),
    pytest.param(6, 30, 0, 5.4, id="more than its life wanted"),
    pytest.param(90, None, 1, 30 + 1 / 24, id="chance moves it by an hour at most"),
    pytest.param(0.3, None, 1, 0.11, id="or by a tenth"),
])  # fmt: skip
def test_renewal(days, renew_before, chance, left):
    wanted = None if renew_before is None else renew_before * DAY
    at = schedule.renew_at(1000.0, 1000.0 + days * DAY, wanted, chance)
    assert 1000.0 + days * DAY - at == pytest.approx(left * DAY)


@given(st.floats(1, 1e9), st.none() | st.floats(1, 1e9), st.floats(0, 1))
def test_renewals_come_within_the_life_of_a_certificate(life, renew_before, chance):
    assert 0 <= schedule.renew_at(0.0, life, renew_before, chance) < life


@pytest.mark.parametrize(
    ("start", "end", "at"), [(100, 200, 150), (100, 100, 100), (200, 100, 200), (890, 990, 900), (-9, 0, 100)]
)
def test_renewal_in_a_window(start, end, at):
    assert schedule.renew_in_window(start, end, 0.5, life=(0, 1000)) == at


@pytest.mark.parametrize(("failures", "first", "retry_after", "chance", "seconds"), [
    pytest.param(1, True, None, 0.5, 60, id="first certificate, first failure"),
    pytest.param(2, True, None, 0.5, 300, id="second"),
    pytest.param(3, True, None, 0.0, 1800, id="third"),
    pytest.param(1, False, None, 0.0, 1800, id="renewal"),
    pytest.param(9, False, None, 1.0, 3600, id="renewal, an hour at most"),
    pytest.param(1, True, 7200.0, 0.5, 7200, id="as the server says"),
    pytest.param(3, True, 1.0, 0.0, 1800, id="but not sooner"),
    pytest.param(1, True, 1e9, 0.5, 7 * DAY, id="nor in years"),
])  # fmt: skip
def test_pause(failures, first, retry_after, chance, seconds):
    assert schedule.pause(failures, retry_after, chance, first=first) == seconds


def test_asking_when_to_renew():
    assert [schedule.ask_renewal_in(one) for one in (None, 0.0, 7200.0, 1e9)] == [21_600, 60, 7200, DAY]
