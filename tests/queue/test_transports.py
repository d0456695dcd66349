"""Ways other than straight to the hosts of a domain: smarthosts, a proxy, one family, none."""

from ipaddress import ip_address

import pytest
import trio

from appliance.config.static import Direct, Fail, SmarthostSMTP, SmarthostSubmissions, SMTPAuth, Socks, Transport
from appliance.config.values import DomainName, HostPort, Port
from appliance.dns.answers import MX, Type
from appliance.mail.address import NULL_PATH
from appliance.mail.domain import parse_domain
from appliance.net.dial import ANY_SOURCE, Proxy, Sources
from appliance.protocol.smtp.transaction import Recipient
from appliance.queue import transports
from appliance.queue.parcel import Handed, Parcel
from appliance.queue.route import Way
from appliance.queue.smtpclient import Content
from support.handing import Sending, sending, short
from support.mailworld import Host
from support.smtpclientdriver import path
from support.streams import key_pair

SMART, BOTH4, BOTH6, PROXY = "192.0.2.1", "192.0.2.2", "2001:db8::2", "192.0.2.3"
GOOD, OTHER = key_pair("a.example"), key_pair("other.example")
EIGHT = "Subject: x\r\n\r\nü\r\n".encode()
AUTH = SMTPAuth(username="me", password="secret", mechanisms=("PLAIN",))


def smtp(**options) -> Transport:
    return Transport(smtp=SmarthostSMTP(host=DomainName("a.example"), port=Port(2525), **options))


def submissions(**options) -> Transport:
    return Transport(submissions=SmarthostSubmissions(host=DomainName("a.example"), **options))


async def send(it: Sending, transport: Transport, domain: str = "them.example", **parcel) -> Handed:
    wanted = {
        "reverse_path": path("us@us.example"),
        "recipients": (Recipient(path(f"x@{domain}")), Recipient(path(f"y@{domain}"))),
        "content": Content.of(EIGHT),
        "has_8bit": True,
        **parcel,
    }

    async def taken(handed: Handed, outcomes) -> None:
        it.taken.append(list(outcomes))

    with trio.fail_after(60):
        return await transports.send(
            it.means, Way("t", transport), parse_domain(domain), Parcel(**wanted), taken, it.line
        )


TWICE = "{0} | {0}"


@pytest.mark.parametrize(
    ("transport", "manners", "outcome", "port"),
    [
        pytest.param(smtp(), {"tls": GOOD}, "delivered", 2525, id="STARTTLS"),
        pytest.param(smtp(), {"tls": OTHER}, "temporary 4.7.5", 2525, id="another's certificate"),
        pytest.param(smtp(), {}, "temporary 502 5.0.0", 2525, id="no STARTTLS: nothing is sent"),
        pytest.param(smtp(), {"tls": GOOD, "breaks_tls": True}, "temporary 4.7.5", 2525, id="never plain text instead"),
        pytest.param(smtp(starttls_insecure_skip_verify=True), {"tls": OTHER}, "delivered", 2525, id="not verified"),
        pytest.param(smtp(no_starttls=True), {}, "delivered", 2525, id="without TLS"),
        pytest.param(submissions(), {"tls": GOOD, "immediate": True}, "delivered", 465, id="TLS from the start"),
        pytest.param(
            submissions(), {"tls": OTHER, "immediate": True}, "temporary 4.7.5", 465, id="not who it should be"
        ),
        pytest.param(smtp(auth=AUTH), {"tls": GOOD, "login": True}, "delivered", 2525, id="login"),
        pytest.param(smtp(auth=AUTH), {"tls": GOOD}, "temporary 4.7.0", 2525, id="no login offered"),
        pytest.param(
            smtp(auth=AUTH),
            {"tls": GOOD, "login": True, "replies": {"AUTH": "535 5.7.8 no"}},
            "temporary 535 5.7.8",
            2525,
            id="a wrong password returns no mail",
        ),
        pytest.param(
            smtp(), {"replies": {"GREETING": "554 go away"}}, "temporary 554 5.0.0", 2525, id="nor does its greeting"
        ),
        pytest.param(
            smtp(), {"tls": GOOD, "replies": {"MAIL": "550 5.7.1 no"}}, "permanent 550 5.7.1", 2525, id="refused"
        ),
        pytest.param(
            smtp(), {"tls": GOOD, "extensions": ()}, "permanent 554 5.6.3", 2525, id="8 bits only where they are taken"
        ),
    ],
)
async def test_smarthost(transport, manners, outcome, port):
    made = {"extensions": ("8BITMIME", "PIPELINING"), **manners}
    if made.pop("login", False):
        made["extensions"] += ("AUTH PLAIN",)
    async with sending() as it:
        host: Host = it.net.host(SMART, **made)
        handed = await send(it, transport)
        assert short(handed) == TWICE.format(outcome)
        assert [how[0] for how in it.net.how] == [port]
        assert it.taken == ([[0, 1]] if outcome == "delivered" else [])
        assert len(host.arrived) == (outcome == "delivered")
        assert handed.remote_mta == f"a.example ({SMART})"
        assert handed.connections == []  # Reports are about the recipients' hosts.


@pytest.mark.parametrize(
    ("replies", "outcome", "connections"),
    [
        pytest.param({}, "delivered", 1, id="one connection and one login"),
        pytest.param({"MAIL": ["250 ok", "421 4.7.0 enough"]}, "delivered", 2, id="had enough"),
        pytest.param({"MAIL": ["250 ok", "close"]}, "delivered", 2, id="closed"),
        pytest.param({"MAIL": ["250 ok", "451 4.3.0 later"]}, "temporary 451 4.3.0", 1, id="not now"),
        pytest.param({"CONTENT": ["250 ok", "close after"]}, "temporary 4.4.2", 1, id="closed after the dot"),
    ],
)
async def test_several_by_one_connection(replies, outcome, connections):
    async with sending() as it:
        extensions = ("8BITMIME", "PIPELINING", "AUTH PLAIN")
        host = it.net.host(SMART, tls=GOOD, extensions=extensions, replies=replies)
        assert short(await send(it, smtp(auth=AUTH))) == TWICE.format("delivered")
        handed = await send(it, smtp(auth=AUTH), "other.example")
        assert (short(handed), handed.remote_mta) == (TWICE.format(outcome), f"a.example ({SMART})")
        assert host.connections == connections
        assert sum(one.startswith("AUTH") for one in host.commands) == connections


@pytest.mark.parametrize(
    ("transport", "extensions", "outcome"),
    [
        pytest.param(smtp(), ("8BITMIME", "REQUIRETLS"), "delivered", id="verified"),
        pytest.param(smtp(), ("8BITMIME",), "permanent 554 5.7.30", id="it does not promise"),
        pytest.param(
            smtp(starttls_insecure_skip_verify=True),
            ("8BITMIME", "REQUIRETLS"),
            "permanent 554 5.7.30",
            id="nobody knows who it is",
        ),
    ],
)
async def test_smarthost_for_those_who_require_tls(transport, extensions, outcome):
    async with sending() as it:
        host = it.net.host(SMART, tls=GOOD, extensions=extensions)
        assert short(await send(it, transport, requiretls=True)) == TWICE.format(outcome)
        assert [("REQUIRETLS" in one.mail) for one in host.arrived] == ([True] if outcome == "delivered" else [])


@pytest.mark.parametrize(
    ("host", "outcome"),
    [
        pytest.param("gone.example", "temporary 4.4.4", id="not there: for the operator to mend"),
        pytest.param("text.example", "temporary 4.4.4", id="no address"),
        pytest.param("b.example", "temporary 4.4.1", id="nobody answers"),
    ],
)
async def test_smarthost_that_is_not_there(host, outcome):
    async with sending() as it:
        transport = Transport(smtp=SmarthostSMTP(host=DomainName(host), port=Port(25)))
        assert short(await send(it, transport)) == TWICE.format(outcome)


@pytest.mark.parametrize(("require", "outcome"), [(True, "temporary 4.7.4"), (False, "delivered")])
async def test_direct_with_tls_only(require, outcome):
    async with sending() as it:
        it.net.host(SMART, extensions=("8BITMIME",))
        transport = Transport(direct=Direct(require_tls=require))
        assert short(await send(it, transport, "single.example")) == TWICE.format(outcome)


async def test_proxy():
    sources = Sources(ip_address("192.0.2.250"))
    socks = Socks(address=HostPort(f"{PROXY}:1080"), remote_hostname=DomainName("out.example"))
    async with sending(sources=sources) as it:
        host = it.net.host(SMART, extensions=("8BITMIME",))
        assert short(await send(it, Transport(socks=socks))) == TWICE.format("delivered")
        assert host.commands[0] == "EHLO out.example"
        # Where the proxy connects from is its own affair.
        assert it.net.how == [(25, ANY_SOURCE, Proxy((ip_address(PROXY),), 1080))]


async def test_proxy_by_name_that_is_not_there():
    socks = Socks(address=HostPort("gone.example:1080"), remote_hostname=DomainName("out.example"))
    async with sending() as it:
        assert short(await send(it, Transport(socks=socks))) == TWICE.format("temporary 4.4.4")
        assert it.net.dialed == []


@pytest.mark.parametrize(
    ("direct", "dialed"),
    [
        pytest.param(Direct(), [BOTH6, BOTH4], id="both"),
        pytest.param(Direct(disable_ipv6=True), [BOTH4], id="only IPv4"),
        pytest.param(Direct(disable_ipv4=True), [BOTH6], id="only IPv6"),
    ],
)
async def test_families(direct, dialed):
    records = {
        "them.example": {Type.MX: [MX(10, "both.example")]},
        "both.example": {Type.A: [ip_address(BOTH4)], Type.AAAA: [ip_address(BOTH6)]},
    }
    async with sending(records=records) as it:
        assert short(await send(it, Transport(direct=direct))) == TWICE.format("temporary 4.4.1")
        assert it.net.dialed == dialed


@pytest.mark.parametrize(
    ("code", "outcome"), [(554, "permanent 554 5.7.0"), (450, "temporary 450 4.7.0")], ids=["for good", "for now"]
)
async def test_failure(code, outcome):
    async with sending() as it:
        handed = await send(it, Transport(fail=Fail(smtp_code=code)), reverse_path=NULL_PATH)
        assert (short(handed), it.net.dialed) == (TWICE.format(outcome), [])
