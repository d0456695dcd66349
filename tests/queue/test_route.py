"""Which way a message takes: routes in their order, and what they match."""

import pytest

from appliance.config.load import Config, load
from appliance.mail.domain import parse_domain
from appliance.queue import route

STATIC = """\
data_dir = "."
log_level = "error"
user = "0"
hostname = "mail.example"
[postmaster]
account = "alice"
mailbox = "Postmaster"
[listeners.local]
ips = ["127.0.0.1"]
[transports.own.smtp]
host = "own.example"
[transports.domains.smtp]
host = "domains.example"
[transports.all.smtp]
host = "all.example"
[transports.late.smtp]
host = "late.example"
[transports.null.direct]
disable_ipv6 = true
"""
DOMAINS = """\
[[routes]]
from_domain = ["."]
transport = "null"
[[routes]]
to_domain = [".below.example"]
transport = "all"
[[routes]]
minimum_attempts = 3
transport = "late"
[domains."example.org"]
[[domains."example.org".routes]]
to_domain = ["a.example", "b.example", "both.example"]
transport = "domains"
[domains."other.example"]
[accounts.alice.destinations]
"alice@example.org" = {}
[[accounts.alice.routes]]
from_domain = ["example.org"]
to_domain = ["both.example", "own.example"]
transport = "own"
[accounts.bob.destinations]
"bob@example.org" = {}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("config")
    (folder / "moxpy.toml").write_text(STATIC)
    (folder / "domains.toml").write_text(DOMAINS)
    return load(folder / "moxpy.toml", check_files=False)


def domain(name: str | None):
    return parse_domain(name) if name else None


@pytest.mark.parametrize(
    ("account", "sender", "recipient", "attempts", "forced", "wanted"),
    [
        pytest.param("alice", "example.org", "both.example", 0, None, "own", id="account before domain"),
        pytest.param("bob", "example.org", "both.example", 0, None, "domains", id="domain of the sender"),
        pytest.param("alice", "other.example", "both.example", 0, None, "", id="another sender: no route"),
        pytest.param("alice", "example.org", "x.below.example", 0, None, "all", id="a subdomain"),
        pytest.param("alice", "example.org", "below.example", 0, None, "all", id="a dot means the domain, too"),
        pytest.param("alice", "example.org", "sub.a.example", 0, None, "", id="no dot, no subdomain"),
        pytest.param("alice", "example.org", "notbelow.example", 0, None, "", id="not by letters"),
        pytest.param("alice", "example.org", "c.example", 2, None, "", id="too few attempts"),
        pytest.param("alice", "example.org", "c.example", 3, None, "late", id="enough attempts"),
        pytest.param("", None, "c.example", 0, None, "null", id="null sender"),
        pytest.param("alice", "example.org", None, 0, None, "", id="a literal has no domain"),
        pytest.param("nobody", "unknown.example", "c.example", 0, None, "", id="account and domain are gone"),
        pytest.param("alice", "example.org", "both.example", 0, "late", "late", id="its own transport"),
        pytest.param("alice", "example.org", "both.example", 0, "gone", None, id="one that is gone"),
    ],
)
def test_route(config, account, sender, recipient, attempts, forced, wanted):
    way = route.choose(
        config,
        account=account,
        sender=domain(sender),
        recipient=domain(recipient),
        attempts=attempts,
        forced=forced,
    )
    assert (None if way is None else way.name) == wanted
    if way is not None:
        assert way.transport == (config.static.transports[wanted] if wanted else route.DIRECT.transport)
