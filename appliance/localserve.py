"""The same house with other parts, for tests of mail software on one machine.

Everything is made on the first start: configuration, certificate, account. Any recipient is accepted, special
addresses fail on purpose, and nothing leaves the machine.
"""

import os
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from appliance import __version__
from appliance.base import limits
from appliance.base.clock import SystemClock
from appliance.config.source import Config, ConfigSource
from appliance.delivery.appliance import Appliance, Failure
from appliance.delivery.decide import DEFAULT_LIMITS, Limits
from appliance.dns.answers import Answer, Record, Said, Type, Vouched
from appliance.dns.problems import NotFound
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import Path as MailPath
from appliance.mail.domain import parse_domain
from appliance.msgauth.dkim import record
from appliance.net.dial import nowhere
from appliance.net.limiter import Address
from appliance.serve import CONNECTION, SMTP_SESSION, Parts
from appliance.servers.web import front
from appliance.servers.web.respond import Response

if TYPE_CHECKING:
    from appliance.msgauth.dkim import keys
    from appliance.queue.parcel import World
    from appliance.servers.web.app import Contents

#: What the account is called, its address and passwords; testers put them in their scripts.
ACCOUNT: Final = "mox"
ADDRESS: Final = "mox@localhost"
PASSWORD: Final = "moxmoxmox"  # noqa: S105
ADMIN_PASSWORD: Final = "moxadmin"  # noqa: S105
LOOPBACK: Final = ("127.0.0.1", "::1")

#: The file of the key that the test domain signs with.
DKIM_KEY: Final = "localserve._domainkey.localhost.pem"

#: Ports: the usual ones plus 1000.
PORTS: Final = {
    "smtp": 1025,
    "submission": 1587,
    "submissions": 1465,
    "imap": 1143,
    "imaps": 1993,
    "http": 1080,
    "https": 1443,
    "metrics": 1081,
    #: Where other servers for tests have theirs.
    "inbox": 8025,
}

#: `timeout` hangs for so long.
TIMEOUT_SECONDS: Final = 3600
_SUFFIX: Final = re.compile(r"(?:(temperror)|(permerror)|(timeout)|([45][0-9]{2}))\Z")


class LocalPolicy:
    """Anybody's mail is the test account's, as much as comes; some addresses fail on purpose."""

    #: A test program without TLS, or with a recipient that stands in no field, is no reason to look closer at words.
    limits: Limits = replace(DEFAULT_LIMITS, networks=(), strict_threshold=1.0)

    def __init__(self) -> None:
        self._taker = MailPath(ACCOUNT, parse_domain("localhost"))

    def unknown_recipient(self, path: MailPath) -> MailPath | None:
        """The test account takes it."""
        return self._taker

    def failure(self, path: MailPath, stage: str) -> Failure | None:
        """The localpart's beginning says at which stage, its end what."""
        localpart = path.localpart.lower()
        match = _SUFFIX.search(localpart)
        if match is None:
            return None
        wanted = next((one for one in ("mailfrom", "rcptto", "queue") if localpart.startswith(one)), "data")
        # What comes by SMTP has passed the stages before; what a program sends by HTTP meets them in the queue.
        if stage not in {wanted, "queue"}:
            return None
        if match[4]:
            return Failure(int(match[4]))
        if match[3]:
            return Failure(451, delay_seconds=TIMEOUT_SECONDS)
        return Failure(451 if match[1] else 550)

    def takes_webhooks(self, address: Address) -> bool:
        """Programs under test are here."""
        return address.is_loopback

    @property
    def guest(self) -> tuple[str, str] | None:
        """Everybody here is the tester."""
        return ADDRESS, PASSWORD


#: Names of clients' addresses stand below this one.
HOSTS: Final = "hosts.localhost"
#: Any domain lets this machine send its mail, and the containers and neighbours of it.
SENDERS: Final = (
    "v=spf1 ip4:127.0.0.0/8 ip6:::1 ip4:10.0.0.0/8 ip4:172.16.0.0/12 ip4:192.168.0.0/16 ip6:fc00::/7 ip6:fe80::/10 ?all"
)


class Names(Table):
    """All the DNS there is: every name is this machine, so any sender exists, and nothing is asked of a network.

    Every address has a name that leads back to it: no client is suspicious here. The keys that domains of ours sign
    with are published, so that what is sent with them verifies.
    """

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        here: dict[Type, list[Record]] = {
            Type.A: [ip_address(LOOPBACK[0])],
            Type.AAAA: [ip_address(LOOPBACK[1])],
            Type.TXT: [SENDERS],
        }
        super().__init__({"*": here, "localhost": here, "in-addr.arpa": {}, "ip6.arpa": {}})

    def answer(self, name: str, type: Type) -> Answer[Any]:
        """As a table, but what stands at names with underscores is no host's (RFC 8552): keys and policies."""
        if name.startswith("_") or "._" in name:
            selector, _, domain = name.partition("._domainkey.")
            key = self._key(selector, domain) if domain and type is Type.TXT else None
            if key is None:
                raise NotFound(name, type.value, exists=False)
            return Answer(name, (record.compose(key),), Vouched.NOBODY)
        if name.endswith(".arpa") and type is Type.PTR and (ip := _address(name)) is not None:
            host = "localhost" if str(ip) in LOOPBACK else f"{ip.exploded.replace('.', '-').replace(':', '-')}.{HOSTS}"
            return Answer(name, (host,), Vouched.NOBODY)
        label, _, domain = name.partition(".")
        if domain == HOSTS and type in {Type.A, Type.AAAA}:
            with suppress(ValueError):
                ip = ip_address(label.replace("-", "." if label.count("-") == 3 else ":"))
                if (ip.version == 4) == (type is Type.A):
                    return Answer(name, (ip,), Vouched.NOBODY)
            raise NotFound(name, type.value, exists=True)
        return super().answer(name, type)

    def _key(self, selector: str, domain: str) -> "keys.PrivateKey | None":
        """The key of one of our domains; names in DNS are in A-labels."""
        derived = self._source.snapshot().derived
        entry = derived.addresses.domains.get(domain)
        return None if entry is None else derived.dkim_keys.get((entry.name, selector))


def _address(pointer: str) -> IPv4Address | IPv6Address | None:
    """The address that a reverse name stands for (RFC 1035 §3.5, RFC 3596 §2.5)."""
    labels = pointer.split(".")[:-2][::-1]
    try:
        if pointer.endswith(".in-addr.arpa"):
            return IPv4Address(".".join(labels))
        return IPv6Address(":".join("".join(labels[at : at + 4]) for at in range(0, len(labels), 4)))
    except ValueError:
        return None


def _resolver(source: ConfigSource) -> Resolver:
    names = Names(source)
    return Resolver(names, kept=names.answer)


async def _texts(resolver: Resolver, name: str) -> list[Said]:
    """There is one name server, which is asked by the resolver."""
    try:
        return [Said("localhost", tuple((await resolver.txt(name)).records))]
    except NotFound:
        return [Said("localhost")]


def _no_world(_: Appliance) -> "World":
    """There is nobody else to be reached."""
    from appliance.queue.parcel import World

    return World(dialer=nowhere)


def parts(keep: int = limits.INBOX_KEPT) -> Parts:
    """The parts of a house for tests: no patience is needed, no stranger comes.

    `keep`: so many messages stay in the Inbox; 0: all.
    """
    many = 1_000_000
    return Parts(
        policy=LocalPolicy(),
        resolver=_resolver,
        world=_no_world,
        connection=replace(CONNECTION, slow_seconds=0),
        smtp_session=replace(SMTP_SESSION, login_seconds=SMTP_SESSION.idle_seconds, unknown_seconds=0),
        new_connections=((60, (many, many, many)),),
        open_connections=((0, (limits.LISTENER_CONNECTIONS,) * 3),),
        login_failures=((60, (many, many, many)),),
        reporters=tuple,
        keepers=lambda: (("inbox", partial(_keep_latest, most=keep)),) if keep else (),
        dialer=nowhere,
        zone_texts=_texts,
        http_requests=((60, (many, many, many)),),
        contents=_contents,
    )


def _contents(app: Appliance) -> "Contents":
    """As everywhere, with a front page, and what scripts ask of the inbox."""
    from appliance.servers.web import applications

    return replace(applications.with_inbox(app, ADDRESS), front=_front)


async def _keep_latest(app: Appliance, *, most: int) -> None:
    """Keeper task: old messages go."""
    from appliance.operations import caught, login

    await caught.keep_latest(app, login.without_secret(app, ADDRESS), most)


def default_folder() -> Path:
    """Where configuration and data lie without `--dir`."""
    base = os.environ.get("XDG_CONFIG_HOME") or (Path.home() / ".config")
    return Path(base) / "moxpy-localserve"


class NotEmpty(Exception):
    """The folder has something else in it."""


def create(folder: Path, addresses: tuple[str, ...]) -> None:
    """Make configuration, keys and certificate in a new folder. What was made is taken back if it fails.

    Raises NotEmpty, OSError.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from appliance.base.ids import SystemRandom, load_key
    from appliance.msgauth.dkim import keys
    from appliance.operations.passwords import hash_password
    from appliance.tls import selfsigned

    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(f"{folder} has files but no moxpy.toml; choose another folder with --dir")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[Path] = []

    def write(name: str, octets: bytes, mode: int) -> None:
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        made.append(path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)

    try:
        pair = selfsigned.make(["localhost"], LOOPBACK, SystemClock().now())
        write("localhost.crt", pair.chain, 0o644)
        write("localhost.key", pair.key, 0o600)
        write("adminpasswd", hash_password(ADMIN_PASSWORD).encode() + b"\n", 0o600)
        made.append(folder / "receivedid.key")
        load_key(folder / "receivedid.key", SystemRandom())
        key = keys.generate("ed25519").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write(DKIM_KEY, key, 0o600)
        write("moxpy.toml", _static(addresses).encode(), 0o600)
        is_private = all(ip_address(one).is_loopback for one in addresses)
        write("domains.toml", (_DOMAINS + (_WORKDIR if is_private else "")).encode(), 0o600)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _static(addresses: tuple[str, ...]) -> str:
    ips = ", ".join(f'"{address}"' for address in addresses)
    port = PORTS
    web = "\n".join(
        f'[listeners.local.{name}_{protocol}]\nenabled = true\nport = {PORTS[protocol]}\npath = "/{name}/"\n'
        for name in ("account", "admin", "webmail", "webapi")
        for protocol in ("http", "https")
    )
    return f"""# A mail server for tests on this machine. Made by: moxpy localserve
# Ports may be changed. All keys with their meaning: moxpy config describe-static
data_dir = "."
log_level = "info"
user = "{os.getuid()}"
hostname = "localhost"
pedantic = false
admin_password_file = "adminpasswd"

[tls.ca]
additional_to_system = true
cert_files = ["localhost.crt"]

[postmaster]
account = "{ACCOUNT}"
mailbox = "Inbox"

[listeners.local]
ips = [{ips}]

[listeners.local.tls]
key_certs = [{{ cert_file = "localhost.crt", key_file = "localhost.key" }}]

[listeners.local.smtp]
enabled = true
port = {port["smtp"]}
first_time_sender_delay = "0s"

[listeners.local.submission]
enabled = true
port = {port["submission"]}
no_require_starttls = true

[listeners.local.submissions]
enabled = true
port = {port["submissions"]}
enabled_on_https = true

[listeners.local.imap]
enabled = true
port = {port["imap"]}
no_require_starttls = true

[listeners.local.imaps]
enabled = true
port = {port["imaps"]}
enabled_on_https = true

{web}
[listeners.local.autoconfig_https]
enabled = true
port = {port["https"]}

[listeners.local.mtasts_https]
enabled = true
port = {port["https"]}

[listeners.local.webserver_http]
enabled = true
port = {port["http"]}

[listeners.local.webserver_https]
enabled = true
port = {port["https"]}

[listeners.local.metrics_http]
enabled = true
port = {port["metrics"]}

# The webmail again, with all that was caught.
[listeners.inbox]
ips = [{ips}]

[listeners.inbox.webmail_http]
enabled = true
port = {port["inbox"]}
path = "/"
"""


#: Only where nobody comes from another machine: the name of a host is what clients say it is.
_WORKDIR: Final = """
# The files of the directory that the server was started in.
[[web_handlers]]
log_name = "workdir"
domain = "localhost"
path_regexp = "^/workdir/"
dont_redirect_plain_http = true
static = { strip_prefix = "/workdir/", root = ".", list_files = true }
"""


_DOMAINS: Final = f"""# Domains and accounts. All keys with their meaning: moxpy config describe-domains
[domains.localhost]
localpart_catchall_separators = ["+"]

[domains.localhost.dkim]
sign = ["localserve"]

[domains.localhost.dkim.selectors.localserve]
canonicalization = {{ header_relaxed = true, body_relaxed = true }}
expiration = "72h"
private_key_file = "{DKIM_KEY}"

[accounts.{ACCOUNT}]
domain = "localhost"
rejects_mailbox = "Rejects"
keep_retired_message_period = "72h"
keep_retired_webhook_period = "72h"
no_first_time_sender_delay = true

[accounts.{ACCOUNT}.automatic_junk_flags]
enabled = true
junk_mailbox_regexp = "^(junk|spam)"
neutral_mailbox_regexp = "^(inbox|introbox|neutral|postmaster|dmarc|tlsrpt|rejects)"

[accounts.{ACCOUNT}.junk_filter]
threshold = 0.95
onegrams = true
max_power = 0.01
top_words = 10
ignore_words = 0.1
rare_words = 2

[accounts.{ACCOUNT}.destinations."{ADDRESS}"]
mailbox = "Inbox"
"""


def introduction(source: ConfigSource, folder: Path, *, new: bool) -> list[str]:
    """What a tester wants to know first."""
    config = source.snapshot()
    lines = [f"moxpy localserve, {'new' if new else 'existing'} folder {folder}"]
    if not new:
        lines.append("to begin anew, remove that folder")
    lines += [
        "",
        f"user {ADDRESS}   password {PASSWORD}   admin password {ADMIN_PASSWORD}",
        f"certificate (for programs that check it): {folder / 'localhost.crt'}",
        "",
    ]
    lines += [f"  {url:<36}{about}" for url, about in services(config)]
    lines += ["", FAILURES[0], *(f"  {line}" for line in FAILURES[1:]), ""]
    first, *others = commands(config)
    lines += [f"try: {first}", *(f"     {other}" for other in others)]
    return lines


#: Of the addresses that fail on purpose.
FAILURES: Final = (
    "Addresses that fail on purpose end in temperror, permerror, timeout or a code from 400 to 599:",
    "mailfrom...@ as sender fails at MAIL, rcptto...@ as recipient at RCPT, any other recipient at DATA",
    "queue...@ as recipient of a submission fails later: it is tried again, or its sender gets a notice",
    "so does each of them as recipient of what the webapi sends",
)


def services(config: Config) -> list[tuple[str, str]]:
    """URL of each service, and what it is for."""
    found = []
    for one in config.static.listeners.values():
        hosts = [f"[{ip}]" if ":" in str(ip) else str(ip) for ip in one.ips]
        web, admin, api, metrics = one.account_http, one.admin_http, one.webapi_http, one.metrics_http
        mail = one.webmail_http
        rows = [
            (one.smtp.enabled, "smtp", one.smtp.port, "", "mail from other servers, any recipient"),
            (one.submission.enabled, "smtp", one.submission.port, "", "submission with login, STARTTLS offered"),
            (one.submissions.enabled, "smtps", one.submissions.port, "", "submission with login, TLS"),
            (one.imap.enabled, "imap", one.imap.port, "", "IMAP, STARTTLS offered"),
            (one.imaps.enabled, "imaps", one.imaps.port, "", "IMAP, TLS"),
            (web.enabled, "http", web.port, "/", "a page with all this"),
            (web.enabled, "http", web.port, web.path, "account pages; their functions: api/ below it"),
            (admin.enabled, "http", admin.port, admin.path, "admin pages; their functions: api/ below it"),
            (one.account_https.enabled, "https", one.account_https.port, "/", "the same; also IMAP and SMTP by ALPN"),
            (api.enabled, "http", api.port, f"{api.path}v0/", "the webapi: each method with a page to try it"),
            (
                mail.enabled,
                "http",
                mail.port,
                mail.path,
                "everything caught; for scripts: inbox/ below it",
            ),
            (metrics.enabled, "http", metrics.port, "/metrics", "metrics for Prometheus; also /healthz"),
        ]
        for enabled, scheme, port, path, about in rows:
            if enabled:
                found.append((f"{scheme}://{hosts[0]}:{int(port)}{path}", about))
        if one.webserver_http.enabled and any(each.log_name == "workdir" for each in config.domains.web_handlers):
            url = f"http://localhost:{int(one.webserver_http.port)}/workdir/"
            found.append((url, "files of the directory this was started in"))
    return found


def commands(config: Config) -> list[str]:
    """What may be tried, as lines for a shell."""
    one = next(iter(config.static.listeners.values()))
    host = f"[{one.ips[0]}]" if ":" in str(one.ips[0]) else str(one.ips[0])
    return [
        f"swaks --server {host}:{int(one.smtp.port)} --to anyone@example.org",
        f"curl -u {ADDRESS}:{PASSWORD} 'imap://{host}:{int(one.imap.port)}/INBOX;MAILINDEX=1'",
        f"curl -u {ADDRESS}:{PASSWORD} http://{host}:{int(one.webapi_http.port)}{one.webapi_http.path}v0/Send "
        """-d 'request={"To":[{"Address":"anyone@example.org"}],"Text":"hello"}'""",
    ]


def _front(config: Config) -> Response:
    """The page at `/`."""
    login = [
        front.Row(ADDRESS, f"user, password {PASSWORD}"),
        front.Row("admin", f"password {ADMIN_PASSWORD}, for the admin pages"),
    ]
    notes = [
        *FAILURES,
        "Mail to any address, at any domain, is delivered to that user. Nothing leaves this machine.",
    ]
    return front.page(
        front.Facts(
            version=__version__,
            about="A mail server for trying out: it takes mail from programs under test and shows it to mail programs.",
            login=login,
            services=[front.Row(url, about) for url, about in services(config)],
            commands=commands(config),
            notes=notes,
        )
    )
