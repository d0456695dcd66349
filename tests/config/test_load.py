"""Each numbered rule of the configuration has a failing variant of the examples here, whose message names the path."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config.errors import ConfigErrors
from appliance.config.load import Config, config_file, load
from appliance.config.validate_domains import has_upper_case
from appliance.config.values import DomainName
from support.exampleconfig import STAMP, load_example

Load = Callable[..., Config]


def failing(load_with: Load, *changes: tuple[str, str], file: str, append: str = "") -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_with(*changes, file=file, append=append)
    return [str(problem) for problem in caught.value.problems]


def test_examples(directory: Path) -> None:
    config = load_example(directory)
    static, domains = config.static, config.domains
    assert config.warnings == ()
    assert config.data_directory == directory.parent / "data"
    assert config.derived.user.uid == 1234
    assert static.hostname.domain.ascii == "mx.example.org"
    assert static.quota_message_size == 20 << 30
    assert static.acme["letsencrypt"].renew_before == "30d"
    assert static.acme["corporate"].renew_before is None
    assert static.acme["corporate"].issuer == ""
    assert static.initial_mailboxes.special_use.draft == "Drafts"
    public, internal = static.listeners["public"], static.listeners["internal"]
    assert public.smtp.first_time_sender_delay.seconds == 15
    assert public.smtp_max_message_size == 104857600
    assert (public.submissions.port, public.imaps.port) == (465, 993)
    assert (internal.account_http.port, internal.account_http.path) == (80, "/")
    assert (internal.admin_http.path, internal.webmail_http.path) == ("/admin/", "/webmail/")
    assert internal.webmail_https.port == 443
    assert internal.webmail_https.enabled is False
    assert static.transports["never"].fail is not None
    assert static.transports["relay"].smarthost is not None
    assert static.transports["relay"].smarthost.port == 465
    alice, bob = domains.accounts["alice"], domains.accounts["bob"]
    assert alice.junk_filter is not None
    assert alice.max_outgoing_messages_per_day == 1000
    assert bob.max_first_time_recipients_per_day == 200
    assert bob.destinations["bob@example.org"].default_mailbox == "Inbox"
    assert domains.domains["example.org"].dkim.selectors["2026e"].signed_headers[0] == "From"
    assert domains.web_handlers[1].redirect is not None
    assert set(config.derived.dkim_keys) == {("example.org", "2026a"), ("example.org", "2026e")}


def test_absent_special_use_means_the_usual(load_with: Load) -> None:
    config = load_with(("special_use = {", "# {"), file="moxpy.toml")
    assert config.static.initial_mailboxes.special_use.junk == "Junk"
    assert config.static.initial_mailboxes.regular == ("Receipts",)


def test_zero_and_empty_mean_absent(load_with: Load) -> None:
    config = load_with(
        ("max_outgoing_messages_per_day = 100", 'max_outgoing_messages_per_day = 0\nrejects_mailbox = ""'),
    )
    bob = config.domains.accounts["bob"]
    assert (bob.max_outgoing_messages_per_day, bob.rejects_mailbox) == (1000, None)


def test_nullable_keys_keep_their_zero(load_with: Load) -> None:
    config = load_with(
        ('first_time_sender_delay = "15s"', 'first_time_sender_delay = "0s"'),
        ("tls_session_tickets_disabled = true", "tls_session_tickets_disabled = false"),
        file="moxpy.toml",
    )
    smtp = config.static.listeners["public"].smtp
    assert (smtp.first_time_sender_delay.seconds, smtp.tls_session_tickets_disabled) == (0, False)


def test_quota_may_be_unlimited(load_with: Load) -> None:
    assert load_with(('"2G"', "-1")).domains.accounts["bob"].quota_message_size == -1


IPS = 'ips = ["192.0.2.10", "2001:db8::10"]'
STATIC_FAULTS = [
    pytest.param(
        [("hostname =", "hostnam =")],
        ["hostname: is required", "hostnam: unknown key (did you mean `hostname`?)"],
        id="unknown key",
    ),
    pytest.param(
        [("check_updates = true", 'check_updates = "yes"')],
        ["check_updates: must be true or false, not a string"],
        id="type",
    ),
    pytest.param(
        [('mailbox = "Postmaster"', 'mailbox = "e\u0301"')],
        ['postmaster.mailbox: must be written in Unicode normal form NFC: "é"'],
        id="not NFC",
    ),
    pytest.param(
        [('"mx.example.org"', '"xn--bcher-kva.example"')],
        ['hostname: must be written in its Unicode form, "bücher.example"'],
        id="host name",
    ),
    pytest.param(
        [('"mx.example.org"', '"192.0.2.1"')], ["hostname: is not a valid domain name"], id="host name, address"
    ),
    pytest.param(
        [('renew_before = "30d"', "renew_before = 30")],
        ['acme.letsencrypt.renew_before: must be a duration such as "72h", not an integer'],
        id="duration",
    ),
    pytest.param([('"20G"', '"20T"')], ["quota_message_size: must be a number of bytes"], id="size"),
    pytest.param(
        [('log_level = "info"', 'log_level = "loud"')], ["log_level: must be one of: error, warn"], id="log level"
    ),
    pytest.param(
        [('dkim = "debug"', 'dkim = "loud"')], ["package_log_levels.dkim: must be one of"], id="log level, package"
    ),
    pytest.param(
        [('user = "moxpy"', 'user = "nobodyhere"')], ['user: there is no user "nobodyhere"', "(create it"], id="user"
    ),
    pytest.param(
        [('localpart = "tlsreports"', 'localpart = "é"')], ["host_tlsrpt.localpart: must be ASCII only"], id="localpart"
    ),
    pytest.param(
        [("eab.key", "none.key")], ["acme.corporate.external_account_binding.key_file: cannot read"], id="account key"
    ),
    pytest.param(
        [("hostname =", 'backup_command = ["rsync"]\nhostname =')],
        ["backup_command[0]: must be the whole path"],
        id="backup command",
    ),
    pytest.param(
        [("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "eA==")],
        ["update_feed.public_key: must be an Ed25519 key"],
        id="key of updates",
    ),
    pytest.param(
        [("[acme.letsencrypt]", '[acme.letsencrypt]\nwildcards = ["example.org"]')],
        ["acme.letsencrypt.wildcards: needs dns_update"],
        id="wildcards without the DNS",
    ),
    pytest.param(
        [('acme = "letsencrypt"', 'acme = "letsencrypt"\nkey_certs = [{cert_file = "a", key_file = "b"}]')],
        ["listeners.public.tls: needs exactly one of acme and key_certs"],
        id="certificates, both",
    ),
    pytest.param(
        [('acme = "letsencrypt"', "")], ["listeners.public.tls: needs exactly one of"], id="certificates, none"
    ),
    pytest.param(
        [('acme = "letsencrypt"', 'acme = "other"')],
        ["listeners.public.tls.acme: no ACME provider", "letsencrypt, corporate"],
        id="certificates, provider",
    ),
    pytest.param(
        [
            (
                'hostname = "localhost"',
                'hostname = "localhost"\nimaps = {enabled_on_https = true}\nsmtp = {enabled = true}\nwebapi_https = {enabled = true}\nmtasts_https = {enabled = true}',
            )
        ],
        [
            "listeners.internal: these services need a tls table: smtp (unless no_starttls), imaps.enabled_on_https, webapi_https, mtasts_https (unless non_tls)"
        ],
        id="services without TLS",
    ),
    pytest.param(
        [
            (
                "[listeners.public.mtasts_https]\nenabled = true",
                "[listeners.public.mtasts_https]\nenabled = true\nnon_tls = true",
            )
        ],
        ["listeners.public.mtasts_https: shares port 443 with autoconfig_https"],
        id="shared port",
    ),
    pytest.param(
        [(f"hostkeys/mx.example.org.{STAMP}.rsa2048", "hostkeys/none")],
        ["listeners.public.tls.host_private_key_files[0]: cannot read"],
        id="host key",
    ),
    pytest.param(
        [('"TLSv1.2"', '"TLSv1.4"')], ["listeners.public.tls.min_version: must be one of: TLSv1.0"], id="TLS version"
    ),
    pytest.param([('"::1"', '"::g"')], ["listeners.internal.ips[1]: is not an IP address"], id="address"),
    pytest.param(
        [(IPS, IPS + '\nnat_ips = ["127.0.0.1"]')],
        ["listeners.public.nat_ips[0]: 127.0.0.1 cannot be a public"],
        id="address, nat",
    ),
    pytest.param([(IPS, "ips = []")], ["listeners.public.ips: must have at least one"], id="address, no address"),
    pytest.param(
        [('"sbl.spamhaus.org"', '"sbl..org"')], ["listeners.public.smtp.dnsbls[0]: is not a valid domain"], id="DNSBL"
    ),
    pytest.param(
        [('path = "/admin/"', 'path = "admin/"')],
        ["listeners.internal.admin_http.path: must begin with a slash"],
        id="path",
    ),
    pytest.param(
        [('"Receipts"', '"inbox"')], ["initial_mailboxes.regular[0]: must not be Inbox"], id="initial mailbox"
    ),
    pytest.param(
        [('"Archive"', '"a/b"')],
        ["initial_mailboxes.special_use.archive: must not be below"],
        id="initial mailbox, child",
    ),
    pytest.param(
        [('"smtp.relay.example"', '"smtp..example"')],
        ["transports.relay.submissions.host: is not a valid domain"],
        id="transport, host",
    ),
    pytest.param(
        [('host = "smtp.relay.example"', 'host = "smtp.relay.example"\nno_starttls = true')],
        ["transports.relay.submissions.no_starttls: does not go with TLS"],
        id="transport, starttls",
    ),
    pytest.param(
        [('["SCRAM-SHA-256-PLUS"]', '["SCRAM-SHA-1", "LOGIN", "SCRAM-SHA-1"]')],
        ["transports.relay.submissions.auth.mechanisms[1]: must be one of"],
        id="transport, mechanism",
    ),
    pytest.param(
        [('["SCRAM-SHA-256-PLUS"]', '["SCRAM-SHA-1", "SCRAM-SHA-1"]')],
        ["transports.relay.submissions.auth.mechanisms[1]: SCRAM-SHA-1 is listed twice"],
        id="transport, twice",
    ),
    pytest.param(
        [('"127.0.0.1:9050"', '"127.0.0.1"')],
        ["transports.tunnel.socks.address: must be host:port"],
        id="transport, socks",
    ),
    pytest.param(
        [("disable_ipv6 = true", "disable_ipv6 = true\ndisable_ipv4 = true")],
        ["transports.v4only.direct: disables both"],
        id="transport, direct",
    ),
    pytest.param(
        [("smtp_code = 550", "smtp_code = 250")],
        ["transports.never.fail.smtp_code: must be from 400"],
        id="transport, code",
    ),
    pytest.param([('"5m"', '"59s"')], ["queue.first_retry: must be at least a minute"], id="first retry"),
    pytest.param([("attempts = 11", "attempts = -1")], ["queue.max_attempts: must be 1 to 16"], id="no attempt"),
    pytest.param([("attempts = 11", "attempts = 17")], ["queue.max_attempts: must be 1 to 16"], id="too many attempts"),
    pytest.param(
        [("is not allowed", "is not allowéd")],
        ["transports.never.fail.smtp_message: must be at most 256 printable ASCII"],
        id="transport, message",
    ),
    pytest.param(
        [("[transports.never.fail]", "[transports.never.direct]\n[transports.never.fail]")],
        ["transports.never: must have at most one method, not direct, fail"],
        id="transport, methods",
    ),
    pytest.param([("private-ca.pem", "none.pem")], ["tls.ca.cert_files[0]: cannot read"], id="authorities"),
    pytest.param(
        [("private-ca.pem", "eab.key")],
        ["tls.ca.cert_files[0]:", "no valid PEM certificate"],
        id="authorities, content",
    ),
    *(
        pytest.param(
            [("metrics_http = { enabled = true, port = 8010 }", f"{service} = {{ enabled = true{option} }}")],
            [f"listeners.internal: these services need a tls table: {service}"],
            id=f"{service} without TLS",
        )
        for service, option in (("smtp", ""), ("submission", ""), ("submissions", ""), ("imap", ""), ("imaps", ""))
    ),
    pytest.param(
        [
            (
                "metrics_http = { enabled = true, port = 8010 }",
                "metrics_http = { enabled = true, port = 25 }\nsmtp = { enabled = true, no_starttls = true }",
            )
        ],
        ["listeners.internal.metrics_http: 127.0.0.1 port 25 is also used by smtp"],
        id="port taken",
    ),
    pytest.param(
        [
            (
                "metrics_http = { enabled = true, port = 8010 }",
                'metrics_http = { enabled = true, port = 443 }\ntls = {acme = "letsencrypt"}\nadmin_https = { enabled = true }',
            )
        ],
        ["listeners.internal.metrics_http: 127.0.0.1 port 443 is also used by admin_https"],
        id="port taken, plain and TLS",
    ),
    pytest.param(
        [("lmtp = { enabled = true }", "lmtp = { enabled = true, port = 25 }")],
        ["listeners.behind.lmtp.port: must not be 25"],
        id="LMTP on port 25",
    ),
    pytest.param(
        [("lmtp = { enabled = true }", "lmtp = { enabled = true, port = 80 }"), ('"127.0.0.2"', '"127.0.0.1"')],
        ["listeners.internal.account_http: 127.0.0.1 port 80 is also used by lmtp of listener behind"],
        id="LMTP and HTTP",
    ),
    *(
        pytest.param(
            [('"127.0.0.2"', f'"127.0.0.2", "{address}"')],
            [f"listeners.behind.ips[1]: {address} is not a loopback or private address"],
            id=f"LMTP on {address}",
        )
        for address in ("0.0.0.0", "::", "8.8.8.8", "2600::1")
    ),
    pytest.param(
        [('account = "alice"', 'account = "carol"')],
        ['postmaster.account: there is no account "carol"'],
        id="postmaster",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), STATIC_FAULTS)
def test_static_fault(load_with: Load, changes: list[tuple[str, str]], expected: list[str]) -> None:
    text = "\n".join(failing(load_with, *changes, file="moxpy.toml"))
    assert "moxpy.toml:" in text
    for part in expected:
        assert part in text


ALICE = 'destinations."alice@example.org"'
TOP = "monitor_dnsbls ="
DOMAIN_FAULTS = [
    pytest.param(
        [('transport = "relay"', 'transport = "none"')],
        'routes[0].transport: there is no transport "none" (in moxpy.toml: relay, tunnel',
        id="route",
    ),
    pytest.param(
        [('transport = "v4only"', 'transport = "none"')],
        'domains."example.org".routes[0].transport: there is no',
        id="route, domain route",
    ),
    pytest.param(
        [('".bigprovider.example"', '"..example"')], "routes[0].to_domain[0]: is not a valid domain", id="route, domain"
    ),
    pytest.param(
        [('"parked.example"', '"xn--bcher-kva.example"')],
        'domains."xn--bcher-kva.example": "xn--bcher-kva.example" must be written in its Unicode form, "bücher.example"',
        id="domain",
    ),
    pytest.param(
        [('"parked.example"', '"Parked.example"')],
        'domains."Parked.example": must be written as "parked.example"',
        id="domain, case",
    ),
    pytest.param(
        [('"mail.example.org"', '"mail_.example.org"')],
        'domains."example.org".client_settings_domain: is not a valid',
        id="domain, settings domain",
    ),
    pytest.param(
        [('separators = ["+"]', 'separators = ["+", "+"]')],
        'domains."example.org".localpart_catchall_separators[1]: "+" is listed twice',
        id="domain, separators",
    ),
    pytest.param(
        [('sign = ["2026a"', 'sign = ["2026z"')],
        'domains."example.org".dkim.sign[0]: there is no selector',
        id="DKIM, sign",
    ),
    pytest.param(
        [('sign = ["2026a"', 'rotate_every = "29d"\nsign = ["2026a"')],
        'domains."example.org".dkim.rotate_every: must be 30 days',
        id="DKIM, rotation",
    ),
    pytest.param(
        [("selectors.2026e]", 'selectors."a b"]')],
        'domains."example.org".dkim.selectors."a b": selector is not a valid',
        id="DKIM, selector",
    ),
    pytest.param(
        [("rsa2048.privatekey", "rsa1.privatekey")],
        'domains."example.org".dkim.selectors.2026a.private_key_file: cannot read',
        id="DKIM, file",
    ),
    pytest.param(
        [('ed25519.privatekey.pkcs8.pem"', 'ed25519.privatekey.pkcs8.pem"\nhash = "sha1"')],
        'domains."example.org".dkim.selectors.2026e.hash: must be sha256',
        id="DKIM, ed25519",
    ),
    pytest.param(
        [('expiration = "72h"', 'expiration = "72h"\nheaders = ["To"]')],
        'domains."example.org".dkim.selectors.2026a.headers: must include From',
        id="DKIM, From",
    ),
    pytest.param(
        [('"20260101T000000", mode', '"", mode')],
        'domains."example.org".mtasts.policy_id: is required',
        id="MTA-STS, no id",
    ),
    pytest.param(
        [('"20260101T000000", mode', '"a-b", mode')],
        'domains."example.org".mtasts.policy_id: must be 1 to 32',
        id="MTA-STS, id",
    ),
    pytest.param(
        [('"enforce"', '"always"')],
        'domains."example.org".mtasts.mode: must be one of: none, testing, enforce',
        id="MTA-STS, mode",
    ),
    pytest.param(
        [('"2w"', '"60w"')], 'domains."example.org".mtasts.max_age: must be from one second', id="MTA-STS, age"
    ),
    pytest.param(
        [('mx = ["mx.', 'mx = ["*mx.')], 'domains."example.org".mtasts.mx[0]: is not a valid', id="MTA-STS, mx"
    ),
    pytest.param(
        [('rejects_mailbox = "Rejects"', 'rejects_mailbox = "INBOX"')],
        "accounts.alice.rejects_mailbox: must not be Inbox",
        id="rejects mailbox",
    ),
    pytest.param(
        [('introbox = "Introbox"', 'introbox = "inbox"')],
        "accounts.alice.introbox: must not be Inbox",
        id="rejects mailbox, introbox",
    ),
    pytest.param(
        [('introbox = "Introbox"', 'introbox = "Rejects"')],
        "accounts.alice.introbox: must not be the rejects",
        id="rejects mailbox, same",
    ),
    pytest.param(
        [("try again tomorrow", "try agäin")],
        "accounts.bob.login_disabled: must be at most 256 printable ASCII",
        id="reason",
    ),
    pytest.param(
        [("max_power = 0.01", "max_power = 0.6")],
        "accounts.alice.junk_filter.max_power: must be from 0",
        id="junk filter, power",
    ),
    pytest.param(
        [("ignore_words = 0.1", "ignore_words = -1")],
        "accounts.alice.junk_filter.ignore_words: must be",
        id="junk filter, ignore",
    ),
    pytest.param(
        [("top_words = 10", "top_words = -1")],
        "accounts.alice.junk_filter.top_words: must not be",
        id="junk filter, top",
    ),
    pytest.param(
        [("threshold = 0.95", "threshold = 1.5")],
        "accounts.alice.junk_filter.threshold: must be above",
        id="junk filter, threshold",
    ),
    pytest.param(
        [('["alice+app@example.org"]', '["a@other.example"]')],
        "accounts.alice.fromid_login_addresses[0]: domain other.example is not",
        id="sender ids, domain",
    ),
    pytest.param(
        [('separators = ["+"]', "separators = []")],
        "accounts.alice.fromid_login_addresses[0]: domain example.org has no",
        id="sender ids, separator",
    ),
    pytest.param(
        [('["alice+app@example.org"]', '["bob+app@example.org"]')],
        "accounts.alice.fromid_login_addresses[0]: bob+app@example.org is not",
        id="sender ids, whose",
    ),
    pytest.param(
        [("https://app.example/hook", "gopher://a")],
        "accounts.alice.outgoing_webhook.url: must be an absolute http",
        id="webhook, url",
    ),
    pytest.param(
        [('"suppressed"]', '"exploded"]')],
        "accounts.alice.outgoing_webhook.events[1]: must be one of: delivered",
        id="webhook, event",
    ),
    pytest.param(
        [('incoming_webhook = { url = "https://app.example/in" }', 'webhook_secret = "whsec_c2hvcnQ="')],
        "accounts.alice.webhook_secret: must be whsec_ and 24 to 64 octets",
        id="webhook, secret",
    ),
    pytest.param(
        [('smtp_error = "550 no such mailbox"', 'smtp_error = "550 no"\nmailbox = "A"')],
        'accounts.alice.destinations."trap@example.org".smtp_error: does not go with mailbox',
        id="SMTP error",
    ),
    pytest.param(
        [('"550 no such mailbox"', '"451 no"')],
        'destinations."trap@example.org".smtp_error: must begin with 421 or 550',
        id="SMTP error, code",
    ),
    pytest.param(
        [('"550 no such mailbox"', '"550 nö"')],
        'destinations."trap@example.org".smtp_error: must be at most',
        id="SMTP error, text",
    ),
    pytest.param(
        [('full_name = "Alice A."', 'message_auth_required_smtp_error = "ö"')],
        f"{ALICE}.message_auth_required_smtp_error: must be at most",
        id="SMTP error, authentication",
    ),
    pytest.param(
        [('smtp_error = "550 no such mailbox"', 'smtp_error = "550 no"\nforward = ["a@b.example"]')],
        'accounts.alice.destinations."trap@example.org".smtp_error: does not go with forward',
        id="SMTP error, forward",
    ),
    pytest.param(
        [('full_name = "Alice A."', 'forward = ["bob@example.org"]')],
        f"{ALICE}.forward[0]: bob@example.org is in a domain of ours",
        id="forward, ours",
    ),
    pytest.param(
        [('full_name = "Alice A."', 'forward = ["a@b.example", "A@b.example"]')],
        f"{ALICE}.forward[1]: A@b.example is listed twice",
        id="forward, twice",
    ),
    pytest.param(
        [('full_name = "Alice A."', 'forward = ["b.example"]')],
        f"{ALICE}.forward[0]: is not a valid address",
        id="forward, address",
    ),
    pytest.param(
        [('full_name = "Alice A."', f"forward = {[f'a{number}@b.example' for number in range(21)]}")],
        f"{ALICE}.forward: must have at most 20 addresses",
        id="forward, many",
    ),
    pytest.param(
        [('full_name = "Alice A."', "forward_only = true")],
        f"{ALICE}.forward_only: needs addresses to forward to",
        id="forward, only",
    ),
    pytest.param(
        [('verified_domain = "lists.example"\n', ""), ("headers_regexp =", "#")],
        f"{ALICE}.rulesets[0]: needs at least one condition",
        id="ruleset",
    ),
    pytest.param(
        [("^list-id$", "^List-Id$")],
        f'{ALICE}.rulesets[0].headers_regexp."^List-Id$": patterns must be in lower case',
        id="ruleset, case",
    ),
    pytest.param(
        [('verified_domain = "oldprovider.example"', "")],
        f"{ALICE}.rulesets[1].is_forward: needs",
        id="ruleset, forward",
    ),
    pytest.param(
        [("is_forward = true", 'is_forward = true\nlist_allow_domain = "a.example"')],
        f"{ALICE}.rulesets[1].is_forward: does not go",
        id="ruleset, list",
    ),
    pytest.param(
        [("is_forward = true", 'accept_rejects_to_mailbox = "inbox"')],
        f"{ALICE}.rulesets[1].accept_rejects_to_mailbox: must not",
        id="ruleset, rejects",
    ),
    pytest.param(
        [("'^alice(|", "'^alice((|")],
        f"{ALICE}.rulesets[1].smtp_mail_from_regexp: is not a valid regular",
        id="regular expression",
    ),
    pytest.param(
        [('{ "bob@example.org" = {} }', '{ "bob@other.example" = {} }')],
        'accounts.bob.destinations."bob@other.example": domain other.example is not',
        id="destination",
    ),
    pytest.param(
        [('{ "bob@example.org" = {} }', '{ "bob@example.org" = {}, "b+x@example.org" = {} }')],
        'accounts.bob.destinations."b+x@example.org": localpart must not contain the separator',
        id="destination, separator",
    ),
    pytest.param(
        [('{ "bob@example.org" = {} }', '{ "bob@example.org" = {}, "ALICE@example.org" = {} }')],
        'accounts.bob.destinations."ALICE@example.org": is the same address as alice@example.org of account alice',
        id="destination, unique",
    ),
    pytest.param(
        [('{ "bob@example.org" = {} }', '{ "bob@example.org" = {}, "@example.org" = {} }')],
        'accounts.bob.destinations."@example.org": domain has a catch-all already',
        id="destination, catch-all",
    ),
    pytest.param(
        [('{ "bob@example.org" = {} }', '{ "bob@example.org" = {}, "bob" = {} }')],
        "accounts.bob.destinations.bob: is not a valid address",
        id="destination, no domain",
    ),
    pytest.param(
        [('"dmarcreports", account = "alice"', '"dmarcreports", account = "carol"')],
        'domains."example.org".dmarc.account: there is no account',
        id="report address",
    ),
    pytest.param(
        [('"dmarcreports", account', '"dmarcréports", account')],
        'domains."example.org".dmarc.localpart: must be ASCII',
        id="report address, ASCII",
    ),
    pytest.param(
        [('"dmarcreports", account', '"dmarcreports", domain = "other.example", account')],
        'domains."example.org".dmarc.domain: domain other.example is not',
        id="report address, domain",
    ),
    pytest.param(
        [("aliases.support]", 'aliases."sup+port"]')],
        'domains."example.org".aliases.sup+port'.replace("sup+port", '"sup+port"') + ": localpart must not",
        id="alias, separator",
    ),
    pytest.param(
        [("aliases.support]", "aliases.Bob]")],
        'domains."example.org".aliases.Bob: is the same address as bob@example.org',
        id="alias, taken",
    ),
    pytest.param(
        [('addresses = ["alice@example.org", "bob@example.org"]', "addresses = []")],
        "aliases.support.addresses: must have at least one",
        id="alias, empty",
    ),
    pytest.param(
        [('["alice@example.org", "bob@', '["alice@example.org", "carol@')],
        "aliases.support.addresses[1]: carol@example.org is not an address",
        id="alias, member",
    ),
    pytest.param(
        [('["alice@example.org", "bob@', '["alice@example.org", "alice@')],
        "aliases.support.addresses[1]: alice@example.org is listed twice",
        id="alias, twice",
    ),
    pytest.param(
        [('"example.org" = "www.example.org"', '"www.example.org" = "www.example.org"')],
        'web_domain_redirects."www.example.org": redirects to itself',
        id="web handler, redirect",
    ),
    pytest.param(
        [('"Cache-Control" =', '" Cache-Control" =')],
        'web_handlers[0].static.response_headers." Cache-Control": must be a header',
        id="web handler, header",
    ),
    pytest.param(
        [('"Cache-Control" =', '"Content-Length" =')],
        "web_handlers[0].static.response_headers.Content-Length: is for the server to set",
        id="web handler, framing",
    ),
    pytest.param(
        [('"max-age=300"', '"é"')],
        "web_handlers[0].static.response_headers.Cache-Control: must be ASCII",
        id="web handler, header not ASCII",
    ),
    pytest.param(
        [("http://127.0.0.1:8900/v2/", "http://a:b@127.0.0.1:8900/v2/")],
        "web_handlers[2].forward: must have no user name or password",
        id="web handler, credentials",
    ),
    pytest.param(
        [("http://127.0.0.1:8900/v2/", "http://a..b/v2/")],
        "web_handlers[2].forward: has no valid host",
        id="web handler, host",
    ),
    pytest.param(
        [('log_name = "site"', 'log_name = "site"\ninternal = {base_path = "/", service = "admin"}')],
        "web_handlers[0]: needs exactly one of static, redirect",
        id="web handler, actions",
    ),
    pytest.param(
        [("status_code = 307", "status_code = 200")],
        "web_handlers[1].redirect.status_code: must be from 300",
        id="web handler, status",
    ),
    pytest.param(
        [('path_regexp = "^/old/"', 'path_regexp = "^/old/("')],
        "web_handlers[1].path_regexp: is not a valid regular",
        id="web handler, regexp",
    ),
    pytest.param(
        [('path_regexp = "^/old/"', 'path_regexp = "/old/"')],
        "web_handlers[1].path_regexp: must begin with ^",
        id="web path",
    ),
    pytest.param(
        [('"/new/$1"', '"/new/$2"')],
        "web_handlers[1].redirect.replace_path: orig_path_regexp has no group $2",
        id="web path, group",
    ),
    pytest.param(
        [('["bl.spamcop.net"]', '["bl.spamcop.net", "bl.spamcop.net"]')],
        'monitor_dnsbls[1]: "bl.spamcop.net" is listed twice',
        id="DNSBLs to watch",
    ),
    pytest.param(
        [('["bl.spamcop.net"]', '["bl..net"]')], "monitor_dnsbls[0]: is not a valid domain", id="DNSBLs to watch, zone"
    ),
    pytest.param(
        [("[accounts.bob]", '[accounts.".bob"]')],
        'accounts.".bob": account name must not begin with a dot',
        id="account name",
    ),
    pytest.param(
        [("[accounts.bob]", '[accounts."b/b"]')], 'accounts."b/b": account name must not', id="account name, slash"
    ),
]


@pytest.mark.parametrize(("changes", "expected"), DOMAIN_FAULTS)
def test_domains_fault(load_with: Load, changes: list[tuple[str, str]], expected: str) -> None:
    text = "\n".join(failing(load_with, *changes, file="domains.toml"))
    assert "domains.toml:" in text
    assert expected in text


def test_needed_listeners(load_with: Load) -> None:
    removed = [
        (f"[listeners.public.{name}]\nenabled = true\n", "")
        for name in ("mtasts_https", "webserver_http", "webserver_https")
    ]
    text = "\n".join(failing(load_with, *removed, file="moxpy.toml"))
    assert 'domains."example.org".mtasts: needs a listener' in text
    assert "web_handlers: needs a listener" in text
    assert "web_domain_redirects: needs a listener" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("pkcs1", "is not a PKCS8 private key", id="pkcs1"),
        pytest.param("ec", "is neither an RSA nor an ed25519 key", id="ecdsa"),
        pytest.param("certificate", "is not a PKCS8", id="certificate"),
    ],
)
def test_unfit_dkim_key(directory: Path, keys: dict[str, bytes], content: str, message: str) -> None:
    (directory / f"dkim/2026a._domainkey.example.org.{STAMP}.rsa2048.privatekey.pkcs8.pem").write_bytes(keys[content])
    with pytest.raises(ConfigErrors, match=message):
        load_example(directory)


def test_doubtful_but_usable(load_with: Load, directory: Path, keys: dict[str, bytes]) -> None:
    (directory / f"hostkeys/mx.example.org.{STAMP}.rsa2048.privatekey.pkcs8.pem").write_bytes(keys["p384"])
    load_with(('path = "/admin/"', 'path = "/admin"'), file="moxpy.toml")
    config = load_with(
        (
            "canonicalization = { header_relaxed = true, body_relaxed = true }",
            'hash = "sha1"\nheaders = ["From", "Received"]',
        )
    )
    text = "\n".join(map(str, config.warnings))
    assert config.static.listeners["internal"].admin_http.path == "/admin/"
    for part in (
        "admin_http.path: should end in a slash",
        "host_private_key_files[0]: is ignored: only RSA-2048 and ECDSA P-256",
        "host_private_key_files: has no RSA-2048 key",
        "selectors.2026a.hash: sha1 is obsolete",
        "selectors.2026a.headers: should not include received",
    ):
        assert part in text


def test_own_certificates(load_with: Load, directory: Path, keys: dict[str, bytes]) -> None:
    (directory / "cert.pem").write_bytes(keys["certificate"])
    (directory / "key.pem").write_bytes(keys["rsa2048"])
    change = ('acme = "letsencrypt"', 'key_certs = [{cert_file = "cert.pem", key_file = "key.pem"}]')
    assert "key_certs[0].key_file" in failing(load_with, change, file="moxpy.toml")[0]
    (directory / "key.pem").write_bytes(keys["ec"])
    assert load_example(directory).static.listeners["public"].tls is not None


def test_all_errors_together_with_their_lines(load_with: Load) -> None:
    problems = failing(
        load_with,
        ("rare_words = 2", "rare_words = -2"),
        ("[accounts.bob]", "[accounts.bob]\nfullname = 1"),
        file="domains.toml",
    )
    assert [problem.rpartition("/")[2] for problem in problems] == [
        "domains.toml:89: accounts.alice.junk_filter.rare_words: must not be negative",
        "domains.toml:109: accounts.bob.fullname: unknown key (did you mean `full_name`?)",
    ]


def test_a_misshapen_value_brings_no_further_complaints(load_with: Load) -> None:
    changes = ('account = "alice"', "account = 1"), ('hostname = "mx.example.org"', "hostname = []")
    assert len(failing(load_with, *changes, file="moxpy.toml")) == 2


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        pytest.param(b"a = 1\nb = \n", ":2: not valid TOML", id="syntax"),
        pytest.param(b"a = [", "not valid TOML", id="end"),
        pytest.param(b"a = 1\nb = '\xff'\n", ":2: is not UTF-8", id="encoding"),
        pytest.param(b"a = " + b"[" * 50_000, "not valid TOML", id="depth"),
        pytest.param(b"a = " + b"9" * 5000, "not valid TOML", id="digits"),
    ],
)
def test_unreadable(directory: Path, octets: bytes, message: str) -> None:
    (directory / "domains.toml").write_bytes(octets)
    with pytest.raises(ConfigErrors, match=message):
        load_example(directory)


def test_both_files_are_judged(directory: Path) -> None:
    (directory / "domains.toml").write_text("x =")
    static = directory / "moxpy.toml"
    static.write_text(static.read_text().replace('log_level = "info"', 'log_level = "loud"'))
    with pytest.raises(ConfigErrors) as caught:
        load_example(directory)
    assert {problem.file.name for problem in caught.value.problems} == {"moxpy.toml", "domains.toml"}


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="flag -config or the environment variable MOXPYCONF"):
        load(tmp_path / "moxpy.toml")


def test_files_need_not_be_looked_at(directory: Path) -> None:
    (directory / "private-ca.pem").unlink()
    assert load_example(directory, check_files=False).derived.dkim_keys == {}
    with pytest.raises(ConfigErrors):
        load_example(directory)


def test_config_file() -> None:
    assert config_file(None, {}) == Path("config/moxpy.toml")
    assert config_file(None, {"MOXPYCONF": "a"}) == Path("a")
    assert config_file("b", {"MOXPYCONF": "a"}) == Path("b")


@pytest.mark.parametrize(
    ("pattern", "expected"), [(r"\S+\W", False), ("(?P<name>a)", False), ("List", True), ("É", True)]
)
def test_upper_case(pattern: str, expected: bool) -> None:
    assert has_upper_case(pattern) is expected


def test_values_equal_their_text(directory: Path) -> None:
    config = load_example(directory)
    assert config.static.hostname == DomainName("mx.example.org") == "mx.example.org"


def test_import_is_light() -> None:
    code = "import sys, appliance.config.load, appliance.config.source; print(sorted({'tomlkit', 'cryptography', 'trio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_many_accounts_load_in_a_moment(directory: Path) -> None:
    path, text = directory / "domains.toml", (directory / "domains.toml").read_text()
    more = [f'[domains."d{n}.example"]\n' for n in range(20)]
    for n in range(200):
        more.append(f'[accounts.u{n}]\nautomatic_junk_flags = {{ enabled = true, junk_mailbox_regexp = "^junk" }}\n')
        more.append(f'[accounts.u{n}.destinations."u{n}@d{n % 20}.example"]\nmailbox = "Inbox"\n')
    path.write_text(text + "\n" + "".join(more))
    times = []
    for _ in range(5):
        start = time.process_time()
        load_example(directory)
        times.append(time.process_time() - start)
    assert min(times) < 0.4  # about 0.05; a bound against work that grows with the square, on any machine
