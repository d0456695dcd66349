"""What answers where: one configuration, and a table of questions."""

from pathlib import Path

import pytest

from appliance.config.load import load
from appliance.config.source import Config
from appliance.servers.web import dispatch
from appliance.servers.web.respond import Request
from appliance.servers.web.wellknown import autoconfig, autodiscover, mtasts

STATIC = """
data_dir = "data"
log_level = "info"
user = "1000"
hostname = "mail.example.org"
[postmaster]
account = "a"
mailbox = "Inbox"
[listeners.public]
ips = ["192.0.2.1"]
[listeners.public.tls]
key_certs = [{ cert_file = "x.crt", key_file = "x.key" }]
[listeners.public.submissions]
enabled = true
[listeners.public.imaps]
enabled = true
enabled_on_https = true
[listeners.public.mtasts_https]
enabled = true
[listeners.public.autoconfig_https]
enabled = true
[listeners.public.webserver_http]
enabled = true
[listeners.public.webserver_https]
enabled = true
[listeners.public.webmail_https]
enabled = true
[listeners.public.account_https]
enabled = true
[listeners.internal]
ips = ["127.0.0.1"]
hostname = "internal.example.org"
[listeners.internal.admin_http]
enabled = true
[listeners.internal.account_http]
enabled = true
path = "/account/"
[listeners.internal.metrics_http]
enabled = true
[listeners.proxied]
ips = ["127.0.0.1"]
[listeners.proxied.mtasts_https]
enabled = true
port = 81
non_tls = true
"""
DOMAINS = """
[domains."example.org"]
client_settings_domain = "imap.example.org"
[domains."example.org".mtasts]
policy_id = "1"
mode = "enforce"
max_age = "24h"
mx = ["mail.example.org", "*.bücher.example"]
[domains."bücher.example"]
[domains."bücher.example".mtasts]
policy_id = "1"
mode = "testing"
max_age = "1d"
[domains."plain.example"]
[domains."reports.example"]
[domains."reports.example".dmarc]
localpart = "dmarc"
domain = "example.org"
account = "a"
mailbox = "DMARC"
[web_domain_redirects]
"old.example" = "bücher.example"
[[web_handlers]]
domain = "site.example"
path_regexp = "^/plain/"
dont_redirect_plain_http = true
static = { root = "x" }
[[web_handlers]]
domain = "site.example"
path_regexp = "^/"
static = { root = "x" }
[accounts.a]
domain = "example.org"
[accounts.a.destinations."a@example.org"]
[accounts.a.destinations."a@bücher.example"]
[accounts.a.destinations."a@plain.example"]
"""
IDNA = "xn--bcher-kva.example"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder: Path = tmp_path_factory.mktemp("config")
    (folder / "moxpy.toml").write_text(STATIC)
    (folder / "domains.toml").write_text(DOMAINS)
    return load(folder / "moxpy.toml", check_files=False)


def port(config: Config, address: str, number: int) -> dispatch.Port:
    return next(one for one in dispatch.ports(config.static) if (one.address, one.number) == (address, number))


def test_documents_for_authorities(tmp_path):
    """They are where certificates come from one, at any host, and only without TLS."""
    challenge = f"{dispatch.ACME_PATH}token"
    for tls, found in (
        ('key_certs = [{ cert_file = "x.crt", key_file = "x.key" }]', "(redirect)"),
        ('acme = "a"', "acme"),
    ):
        provider = '[acme.a]\ndirectory_url = "https://a.test/"\ncontact_email = "a@example.org"\n'
        static = STATIC.replace('key_certs = [{ cert_file = "x.crt", key_file = "x.key" }]', tls) + provider
        (tmp_path / "moxpy.toml").write_text(static)
        (tmp_path / "domains.toml").write_text(DOMAINS)
        config = load(tmp_path / "moxpy.toml", check_files=False)
        http, https = port(config, "192.0.2.1", 80), port(config, "192.0.2.1", 443)
        assert dispatch.find(config, http, "site.example", challenge).handler == found
        assert dispatch.find(config, https, "site.example", challenge).handler != "acme"


def test_ports(config):
    found = {(one.address, one.number): (one.tls, one.listeners) for one in dispatch.ports(config.static)}
    assert found == {
        ("192.0.2.1", 443): (True, ("public",)),
        ("192.0.2.1", 80): (False, ("public",)),
        ("127.0.0.1", 80): (False, ("internal",)),
        ("127.0.0.1", 81): (False, ("proxied",)),
        ("127.0.0.1", 8010): (False, ("internal",)),
    }


STS, AUTOCONFIG = dispatch.MTASTS_PATH, "/mail/config-v1.1.xml"
PUBLIC, PLAIN, INTERNAL, PROXIED, METRICS = "192.0.2.1 443", "192.0.2.1 80", "127.0.0.1 80", "127.0.0.1 81", "127.0.0.1 8010"  # fmt: skip


@pytest.mark.parametrize(
    ("where", "host", "path", "handler"),
    [
        (PUBLIC, "mta-sts.example.org", STS, "mtasts"),
        (PUBLIC, f"mta-sts.{IDNA}", STS, "mtasts"),
        (PROXIED, "mta-sts.example.org", STS, "mtasts"),
        (PUBLIC, "example.org", STS, "(notfound)"),
        # The account pages are at "/" there, so what is nobody else's is theirs.
        (PUBLIC, "mail.example.org", STS, "account"),
        (PUBLIC, "mta-sts.plain.example", STS, "(notfound)"),
        (PUBLIC, "mta-sts.other.example", STS, "(notfound)"),
        (PUBLIC, "mta-sts.mta-sts.example.org", STS, "(notfound)"),
        (PLAIN, "mta-sts.example.org", STS, "(notfound)"),
        (INTERNAL, "mta-sts.example.org", STS, "(notfound)"),
        (PUBLIC, "mta-sts.example.org", STS + "/", "(notfound)"),
        (PUBLIC, "mta-sts.example.org", "/", "(notfound)"),
        (PUBLIC, "autoconfig.example.org", AUTOCONFIG, "autoconfig"),
        (PUBLIC, "example.org", "/.well-known/autoconfig" + AUTOCONFIG, "autoconfig"),
        (PUBLIC, "mail.example.org", AUTOCONFIG, "autoconfig"),
        (PUBLIC, "autoconfig.reports.example", AUTOCONFIG, "(notfound)"),
        (PUBLIC, "autoconfig.other.example", AUTOCONFIG, "(notfound)"),
        (PROXIED, "autoconfig.example.org", AUTOCONFIG, "(notfound)"),
        (PUBLIC, "autodiscover.example.org", "/Autodiscover/Autodiscover.xml", "autodiscover"),
        (METRICS, "anything.example", "/metrics", "metrics"),
        (METRICS, "", "/healthz", "health"),
        (METRICS, "127.0.0.1", "/", "metricsindex"),
        (METRICS, "127.0.0.1", "/metrics/x", "(notfound)"),
        (INTERNAL, "127.0.0.1", "/metrics", "(notfound)"),
        (PUBLIC, "mail.example.org", "/metrics", "account"),
        (PUBLIC, "mail.example.org", "/robots.txt", "robots"),
        (PUBLIC, "mail.example.org", "/api/Login", "account"),
        (PUBLIC, "other.example", "/api/Login", "(notfound)"),
        (PUBLIC, "mail.example.org", "/webmail/", "webmail"),
        (PUBLIC, "imap.example.org", "/webmail/api/x", "webmail"),
        (PUBLIC, "192.0.2.1", "/webmail", "(redirect)"),
        (PUBLIC, "other.example", "/webmail/", "(notfound)"),
        (PUBLIC, "mail.example.org", "/.well-known/jmap", "(redirect)"),
        (PUBLIC, "other.example", "/.well-known/jmap", "(notfound)"),
        (INTERNAL, "localhost", "/.well-known/jmap", "(notfound)"),
        (PUBLIC, "mail.example.org", "/admin/", "account"),
        (PLAIN, "mail.example.org", "/webmail/", "(notfound)"),
        (INTERNAL, "internal.example.org", "/admin/", "admin"),
        (INTERNAL, "localhost", "/admin/", "admin"),
        (INTERNAL, "::1", "/admin/", "admin"),
        (INTERNAL, "imap.example.org", "/admin/", "(notfound)"),
        (INTERNAL, "imap.example.org", "/account/", "account"),
        (INTERNAL, "rebound.example", "/account/", "(notfound)"),
        (INTERNAL, "mail.example.org", "/admin/", "(notfound)"),
        (INTERNAL, "localhost", "/", "front"),
        (INTERNAL, "rebound.example", "/", "(notfound)"),
        (INTERNAL, "localhost", "/robots.txt", "robots"),
        (PUBLIC, "old.example", "/a b", "(redirect)"),
        (PLAIN, "old.example", "/", "(redirect)"),
        (INTERNAL, "old.example", "/", "(notfound)"),
        (PLAIN, "site.example", "/", "(redirect)"),
        (PLAIN, "site.example", "/plain/x", "0"),
        (PUBLIC, "site.example", "/plain/x", "0"),
        (PUBLIC, "site.example", "/", "1"),
        (PUBLIC, "www.site.example", "/", "(notfound)"),
        (INTERNAL, "site.example", "/", "(notfound)"),
    ],
)
def test_find(config, where, host, path, handler):
    address, _, number = where.partition(" ")
    assert dispatch.find(config, port(config, address, int(number)), host, path, front=True).handler == handler


def test_redirects(config):
    here = port(config, "192.0.2.1", 443)
    found = dispatch.find(config, here, "old.example", "/a b/é", query="?x=%20")
    assert found.location == f"https://{IDNA}/a%20b/%C3%A9?x=%20"
    assert dispatch.find(config, here, "192.0.2.1", "/webmail").location == "/webmail/"
    found = dispatch.find(config, here, "192.0.2.1", "/.well-known/jmap")
    assert (found.location, found.permanent) == ("/webmail/jmap/session", False)
    plain = port(config, "192.0.2.1", 80)
    assert dispatch.find(config, plain, "site.example", "/a", query="?b").location == "https://site.example/a?b"


@pytest.mark.parametrize(
    ("where", "host", "forwarded", "found"),
    [
        (PUBLIC, "mail.example.org", False, "/"),
        (INTERNAL, "localhost", False, "/account/"),
        (INTERNAL, "internal.example.org", True, "/account/"),
        # From a port that has none to one of the same listener that has.
        (PLAIN, "mail.example.org", False, "https://mail.example.org/"),
        (PLAIN, "mail.example.org", True, None),
        (METRICS, "::1", False, "http://[::1]/account/"),
        (PROXIED, "localhost", False, None),
        (PUBLIC, "other.example", False, None),
    ],
)
def test_account_pages(config, where, host, forwarded, found):
    address, _, number = where.partition(" ")
    here = port(config, address, int(number))
    assert dispatch.account_pages(config, here, host, forwarded=forwarded) == found


def test_account_pages_of_a_web_handler(tmp_path):
    handler = """[[web_handlers]]
domain = "me.example"
path_regexp = "^/mine/"
internal = { base_path = "/mine/", service = "account" }
[[web_handlers]]
domain = "site.example"
path_regexp = "^/plain/"
"""
    (tmp_path / "moxpy.toml").write_text(STATIC)
    replaced = DOMAINS.replace('[[web_handlers]]\ndomain = "site.example"\npath_regexp = "^/plain/"\n', handler)
    (tmp_path / "domains.toml").write_text(replaced)
    config = load(tmp_path / "moxpy.toml", check_files=False)
    here = port(config, "192.0.2.1", 443)
    assert dispatch.account_pages(config, here, "me.example", forwarded=False) == "/mine/"


def test_no_front_page_unless_there_is_one(config):
    assert dispatch.find(config, port(config, "127.0.0.1", 80), "localhost", "/") is dispatch.NOT_FOUND


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.:443", "example.org"),
        ("a_b:1", "a_b"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("[::ffff:1.2.3.4]", "::ffff:1.2.3.4"),
        ("[::1", None),
        ("[fe80::zz]", None),
        ("::1", None),
        ("", None),
        (".", None),
        ("a b", None),
        ("user@example.org", None),
        ("a/../b", None),
        ("a:b", None),
        ("a:123456", None),
        ("a,b", None),
        ("bücher.example", None),
        ("a" * 300, None),
    ],
)
def test_parse_host(value, host):
    assert dispatch.parse_host(value) == host


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//a///b", "/a/b"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../b", "/b"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/a/...", "/a/..."),
        ("/é", "/é"),
        ("", None),
        ("*", None),
        ("a", None),
        ("/a\0b", None),
        ("/a\r\nb", None),
        ("/a\\..\\b", None),
    ],
)
def test_clean_path(path, clean):
    assert dispatch.clean_path(path) == clean


def entry(config, name):
    return config.derived.addresses.domains[name]


@pytest.mark.parametrize(
    ("domain", "policy"),
    [
        ("example.org", f"version: STSv1\nmode: enforce\nmx: mail.example.org\nmx: *.{IDNA}\nmax_age: 86400\n"),
        (IDNA, "version: STSv1\nmode: testing\nmx: mail.example.org\nmax_age: 86400\n"),
    ],
)
def test_policies(config, domain, policy):
    """RFC 8461 §3.2."""
    response = mtasts.answer(config.static, entry(config, domain))
    assert (response.status, response.media_type, response.body.decode()) == (200, "text/plain", policy)


def ask(query=None, body=b""):
    return Request("GET", "example.org", "/", query or {}, body)


def test_autoconfig(config):
    response = autoconfig.answer(config, entry(config, "example.org"), ask())
    assert response.status == 200
    text = response.body.decode()
    assert [line.strip() for line in text.splitlines() if "hostname" in line or "<port" in line] == [
        *("<hostname>imap.example.org</hostname>", "<port>993</port>"),
        *("<hostname>imap.example.org</hostname>", "<port>443</port>"),
        *("<hostname>imap.example.org</hostname>", "<port>465</port>"),
    ]
    assert text.count("<username>%EMAILADDRESS%</username>") == 3


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("nobody@example.org", 200, "<username>nobody@example.org</username>"),
        ("a@bücher.example", 200, f'<emailProvider id="{IDNA}">'),
        ('"<&>"@plain.example', 200, "<username>&quot;&lt;&amp;&gt;&quot;@plain.example</username>"),
        ("%EMAILADDRESS%", 200, "<username>%EMAILADDRESS%</username>"),
        ("a@other.example", 400, "no such domain"),
        ("a@reports.example", 400, "no such domain"),
        ("nonsense", 400, "no @"),
    ],
)
def test_autoconfig_for_an_address(config, address, status, said):
    response = autoconfig.answer(config, entry(config, "example.org"), ask({"emailaddress": address}))
    assert response.status == status
    assert said in response.body.decode()


OUTLOOK = (
    '<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
    'outlook/requestschema/2006"><Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>x'
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (OUTLOOK.format("x@example.org"), 200, "<LoginName>x@example.org</LoginName>"),
        (OUTLOOK.format("x@plain.example"), 200, "<Server>mail.example.org</Server>"),
        (OUTLOOK.format("x@other.example"), 400, "no such domain"),
        (OUTLOOK.format("x"), 400, "not understood"),
        (OUTLOOK.format("&amp;@example.org"), 200, "<LoginName>&amp;@example.org</LoginName>"),
        ("", 400, "not XML"),
        ("<a>", 400, "not XML"),
        ("<a>" * 30, 400, "nested too deeply"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', 400, "document type"),
        ('<?xml version="1.0" encoding="nonsense"?><a/>', 400, "not XML"),
    ],
)
def test_autodiscover(config, body, status, said):
    response = autodiscover.answer(config, ask(body=body.encode()))
    assert response.status == status
    assert said in response.body.decode()


def test_an_application_may_have_everything(config):
    here = port(config, "192.0.2.1", 443)
    found = dispatch.find(config, here, "mail.example.org", "/anything/at/all")
    assert (found.handler, found.root) == ("account", "/")
