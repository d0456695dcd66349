"""The static file, `moxpy.toml`: machine, listeners, certificates, transports. Read once, at start.

Field names are the keys of the file. `schema` says how tables are read; what keys must agree on is `validate_static`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from appliance.config.schema import Table, doc
from appliance.config.values import (
    AddressName,
    DomainName,
    Duration,
    FilePath,
    HostPort,
    IPName,
    Localpart,
    MailboxName,
    NetworkName,
    Port,
    ReplyText,
    Size,
    URLPath,
    WebURL,
)

LogLevel = Literal["error", "warn", "info", "debug", "trace", "traceauth", "tracedata"]
TLSVersion = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
Mechanism = Literal["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN"]
#: Tried in this order when a transport lists none; PLAIN gives the password away, so only when listed.
DEFAULT_MECHANISMS: tuple[Mechanism, ...] = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "CRAM-MD5",
)
LETSENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
DEFAULT_MESSAGE_SIZE = Size(100 << 20)
DEFAULT_IMAP_MESSAGE_SIZE = Size(1 << 30)


class CertificateAuthorities(Table, frozen=True, kw_only=True):
    """Who may vouch for servers we connect to."""

    additional_to_system: Annotated[bool, doc("Extend the system CA pool instead of replacing it.")] = False
    cert_files: Annotated[tuple[FilePath, ...], doc("PEM files with CA certificates.")] = ()


class GlobalTLS(Table, frozen=True, kw_only=True):
    """TLS towards other servers."""

    ca: Annotated[
        CertificateAuthorities,
        doc("Certificate authorities for outgoing SMTP and all HTTPS requests we make."),
    ] = CertificateAuthorities()


class ExternalAccountBinding(Table, frozen=True, kw_only=True):
    """RFC 8555 §7.3.4."""

    key_id: Annotated[str, doc("Key identifier given by the certificate authority.")]
    key_file: Annotated[
        FilePath,
        doc("File with the MAC key in base64url without padding. Line ends in the file are ignored."),
    ]


class DNSUpdate(Table, frozen=True, kw_only=True):
    """Changes of records by RFC 2136, signed with TSIG (RFC 8945)."""

    server: Annotated[IPName, doc("Address of the primary name server of the zones.")]
    port: Annotated[Port, doc("TCP port.")] = Port(53)
    key_name: Annotated[DomainName, doc("Name of the TSIG key at that server.")]
    key_file: Annotated[FilePath, doc("File with the secret of the TSIG key in base64, as tsig-keygen prints it.")]
    key_algorithm: Annotated[
        Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"], doc("Algorithm of the TSIG key.")
    ] = "hmac-sha256"
    propagation: Annotated[Duration, doc("How long secondary name servers may take until they have a change.")] = (
        Duration("10s")
    )


class UpdateFeed(Table, frozen=True, kw_only=True):
    """Where new releases are announced, and who signs what is said of them."""

    domain: Annotated[DomainName, doc("Domain whose TXT record _updates names the newest version.")]
    url: Annotated[WebURL, doc("URL of the changelog, a JSON file; ?from= and a version are added.")]
    public_key: Annotated[str, doc("Ed25519 key that every change is signed with, in base64.")]


class ACMEProvider(Table, frozen=True, kw_only=True):
    """A certificate authority that speaks ACME (RFC 8555)."""

    directory_url: Annotated[WebURL, doc(f"ACME directory. For Let's Encrypt, use {LETSENCRYPT_DIRECTORY}.")]
    renew_before: Annotated[
        Duration | None,
        doc(
            "Time before expiry at which a certificate is renewed, at most 30 days. "
            "Default: 30 days or a third of its lifetime, whichever is less."
        ),
    ] = None
    contact_email: Annotated[AddressName, doc("Address of the account at the certificate authority.")]
    port: Annotated[
        Port,
        doc(
            "Local TLS port that receives validation connections. The authority always connects to port 443, "
            "so anything else needs TCP forwarding that leaves the connection unmodified."
        ),
    ] = Port(443)
    issuer_domain_name: Annotated[
        str,
        doc("Issuer in suggested CAA records. Filled with letsencrypt.org for Let's Encrypt's directory."),
    ] = ""
    external_account_binding: Annotated[
        ExternalAccountBinding | None,
        doc("Binding to an existing account at the authority, if it wants that."),
    ] = None

    dns_update: Annotated[
        DNSUpdate | None,
        doc(
            "Prove names in the DNS (dns-01), by records _acme-challenge below them that we put there. For hosts whose "
            "ports 443 and 80 do not lead here. The key must be allowed to change these names, or those that CNAMEs of "
            "them lead to. When that fails, the other ways are tried."
        ),
    ] = None
    wildcards: Annotated[
        tuple[DomainName, ...],
        doc(
            "Domains for which one certificate serves all names right below them (*.example.org), instead of one for "
            "each. They are proved in the DNS alone, so dns_update is needed. Hosts with host_private_key_files keep "
            "their own, and the domain itself has its own."
        ),
    ] = ()

    @property
    def issuer(self) -> str:
        """The CAA issuer; empty when unknown."""
        return self.issuer_domain_name or ("letsencrypt.org" if self.directory_url == LETSENCRYPT_DIRECTORY else "")


class KeyCert(Table, frozen=True, kw_only=True):
    """A certificate of our own and its key."""

    cert_file: Annotated[FilePath, doc("PEM file with the certificate first, then its chain.")]
    key_file: Annotated[FilePath, doc("PEM file with the private key of the certificate.")]


class ListenerTLS(Table, frozen=True, kw_only=True):
    """Certificates of a listener."""

    acme: Annotated[str, doc("Name of the ACME provider to get certificates from. Either this or key_certs.")] = ""
    key_certs: Annotated[
        tuple[KeyCert, ...], doc("Certificates and keys from files. They are not renewed by the server.")
    ] = ()
    min_version: Annotated[TLSVersion, doc("Oldest TLS version accepted.")] = "TLSv1.2"
    host_private_key_files: Annotated[
        tuple[FilePath, ...],
        doc(
            "Private keys for certificates of the host name, so that the keys, and DANE TLSA records naming them, "
            "stay the same when certificates are renewed. PEM files; an RSA-2048 and an ECDSA P-256 key are used."
        ),
    ] = ()
    client_auth_disabled: Annotated[
        bool, doc("Do not ask for client certificates on submission and IMAP connections.")
    ] = False


class SMTP(Table, frozen=True, kw_only=True):
    """Incoming mail from other servers."""

    enabled: Annotated[bool, doc("Accept mail from other servers.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(25)
    no_starttls: Annotated[bool, doc("Do not offer STARTTLS.")] = False
    require_starttls: Annotated[
        bool, doc("Refuse mail over connections without TLS, except to addresses for TLS reports.")
    ] = False
    no_requiretls: Annotated[bool, doc("Do not announce the REQUIRETLS extension.")] = False
    dnsbls: Annotated[
        tuple[DomainName, ...],
        doc("DNS block lists asked about senders without history here."),
    ] = ()
    first_time_sender_delay: Annotated[
        Duration,
        doc('Delay before mail of an unknown sender is accepted; "0s" for none.'),
    ] = Duration("15s")
    tls_session_tickets_disabled: Annotated[
        bool | None,
        doc(
            "Do not resume TLS sessions of incoming deliveries. Absent means true, because some large senders fail "
            "to deliver otherwise."
        ),
    ] = None


class Submission(Table, frozen=True, kw_only=True):
    """Mail from our users over SMTP with STARTTLS (RFC 6409)."""

    enabled: Annotated[bool, doc("Accept mail of users for sending.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(587)
    no_require_starttls: Annotated[
        bool, doc("Allow logins without TLS. Passwords and messages can then be read in transit.")
    ] = False


class Submissions(Table, frozen=True, kw_only=True):
    """Mail from our users over SMTP in TLS (RFC 8314)."""

    enabled: Annotated[bool, doc("Accept mail of users for sending, TLS from the start.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(465)
    enabled_on_https: Annotated[
        bool,
        doc(
            "Also speak SMTP on the HTTPS ports of this listener, on 443 if it has none, with clients that ask for it "
            "in TLS (ALPN smtp)."
        ),
    ] = False


class LMTP(Table, frozen=True, kw_only=True):
    """Mail from a mail server before this one (RFC 2033)."""

    enabled: Annotated[
        bool,
        doc(
            "Accept mail over LMTP from another mail server on this machine or network, which keeps what is not "
            "taken. There is no login: listen on loopback or private addresses only."
        ),
    ] = False
    port: Annotated[Port, doc("TCP port; not 25, which is for SMTP.")] = Port(24)


class IMAP(Table, frozen=True, kw_only=True):
    """IMAP with STARTTLS."""

    enabled: Annotated[bool, doc("Let mail clients read mail.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(143)
    no_require_starttls: Annotated[
        bool, doc("Allow logins without TLS. Passwords and messages can then be read in transit.")
    ] = False


class IMAPS(Table, frozen=True, kw_only=True):
    """IMAP in TLS (RFC 8314)."""

    enabled: Annotated[bool, doc("Let mail clients read mail, TLS from the start.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(993)
    enabled_on_https: Annotated[
        bool,
        doc(
            "Also speak IMAP on the HTTPS ports of this listener, on 443 if it has none, with clients that ask for it "
            "in TLS (ALPN imap)."
        ),
    ] = False


class WebService(Table, frozen=True, kw_only=True):
    """One of the web applications."""

    enabled: Annotated[bool, doc("Serve this application.")] = False
    port: Annotated[Port, doc("TCP port.")]
    path: Annotated[URLPath, doc("Path the application is served at; ends in a slash.")]
    forwarded: Annotated[
        bool,
        doc(
            "Requests come through a reverse proxy: believe its X-Forwarded headers about the client's address and "
            "protocol, for rate limits, logs and the Secure flag of cookies."
        ),
    ] = False


class Monitoring(Table, frozen=True, kw_only=True):
    """Pages for machines and developers, without login."""

    enabled: Annotated[bool, doc("Serve it.")] = False
    port: Annotated[Port, doc("TCP port.")]


class SettingsHTTPS(Table, frozen=True, kw_only=True):
    """Autoconfiguration or MTA-STS policies."""

    enabled: Annotated[bool, doc("Serve it.")] = False
    port: Annotated[Port, doc("TCP port.")] = Port(443)
    non_tls: Annotated[bool, doc("Serve plain HTTP, for a reverse proxy that does TLS.")] = False
    forwarded: Annotated[bool, doc("Believe the X-Forwarded headers of a reverse proxy.")] = False


class WebServer(Table, frozen=True, kw_only=True):
    """Sites of `web_handlers` and `web_domain_redirects`."""

    enabled: Annotated[bool, doc("Serve the web handlers and redirects of domains.toml.")] = False
    port: Annotated[Port, doc("TCP port.")]
    rate_limit_disabled: Annotated[bool, doc("Do not limit requests per client address.")] = False


def _service(port: int, path: str) -> WebService:
    return WebService(port=Port(port), path=URLPath(path))


class Listener(Table, frozen=True, kw_only=True):
    """A set of IPs and the services on them."""

    ips: Annotated[
        tuple[IPName, ...],
        doc(
            "Addresses to listen on. 0.0.0.0 and :: mean all; naming the addresses is better, "
            "outgoing mail then leaves from them."
        ),
    ]
    nat_ips: Annotated[
        tuple[IPName, ...],
        doc("Public addresses, when ips are behind NAT. For DNS checks, SPF and ACME checks."),
    ] = ()
    proxy_protocol_from: Annotated[
        tuple[NetworkName, ...],
        doc(
            "Addresses or networks of proxies that begin each connection to a mail service with a PROXY protocol "
            "header (version 1 or 2). The client's address is taken from it, for limits, logs and the Received "
            "header field. Connections from there must begin with one, others must not."
        ),
    ] = ()
    hostname: Annotated[DomainName | None, doc("Host name of this listener, if not the global one.")] = None
    tls: Annotated[
        ListenerTLS | None,
        doc("Certificates. Services that need TLS need this table, with either acme or key_certs."),
    ] = None
    smtp_max_message_size: Annotated[
        Size, doc('Largest message received, submitted or composed, in bytes or as "100M".')
    ] = DEFAULT_MESSAGE_SIZE
    imap_max_message_size: Annotated[
        Size,
        doc(
            'Largest message that mail programs may bring over IMAP, in bytes or as "1G". Large, because mail from '
            "elsewhere comes this way; the quota of the account holds, too."
        ),
    ] = DEFAULT_IMAP_MESSAGE_SIZE
    smtp: Annotated[SMTP, doc("Incoming mail from other servers.")] = SMTP()
    submission: Annotated[Submission, doc("Mail from users, with STARTTLS.")] = Submission()
    submissions: Annotated[Submissions, doc("Mail from users, TLS from the start.")] = Submissions()
    lmtp: Annotated[LMTP, doc("Mail from a mail server before this one, over LMTP.")] = LMTP()
    imap: Annotated[IMAP, doc("Reading mail, with STARTTLS.")] = IMAP()
    imaps: Annotated[IMAPS, doc("Reading mail, TLS from the start.")] = IMAPS()
    account_http: Annotated[WebService, doc("Account pages, without TLS.")] = _service(80, "/")
    account_https: Annotated[WebService, doc("Account pages.")] = _service(443, "/")
    admin_http: Annotated[WebService, doc("Admin pages, without TLS.")] = _service(80, "/admin/")
    admin_https: Annotated[WebService, doc("Admin pages.")] = _service(443, "/admin/")
    webmail_http: Annotated[WebService, doc("Webmail, without TLS.")] = _service(80, "/webmail/")
    webmail_https: Annotated[WebService, doc("Webmail.")] = _service(443, "/webmail/")
    webapi_http: Annotated[WebService, doc("HTTP/JSON API, without TLS.")] = _service(80, "/webapi/")
    webapi_https: Annotated[WebService, doc("HTTP/JSON API.")] = _service(443, "/webapi/")
    metrics_http: Annotated[Monitoring, doc("Prometheus metrics, at /metrics.")] = Monitoring(port=Port(8010))
    pprof_http: Annotated[Monitoring, doc("Task tree and stack dumps, for finding faults.")] = Monitoring(
        port=Port(8011)
    )
    autoconfig_https: Annotated[
        SettingsHTTPS, doc("Automatic configuration of mail clients (autoconfig, autodiscover).")
    ] = SettingsHTTPS()
    mtasts_https: Annotated[SettingsHTTPS, doc("MTA-STS policies (RFC 8461).")] = SettingsHTTPS()
    webserver_http: Annotated[WebServer, doc("Web sites, without TLS.")] = WebServer(port=Port(80))
    webserver_https: Annotated[WebServer, doc("Web sites.")] = WebServer(port=Port(443))

    @property
    def https_ports(self) -> tuple[int, ...]:
        """Ports with a web service in TLS."""
        services: tuple[WebService | WebServer | SettingsHTTPS, ...] = (
            self.account_https,
            self.admin_https,
            self.webmail_https,
            self.webapi_https,
            self.webserver_https,
            *(one for one in (self.autoconfig_https, self.mtasts_https) if not one.non_tls),
        )
        return tuple(dict.fromkeys(int(one.port) for one in services if one.enabled))

    @property
    def http_ports(self) -> tuple[int, ...]:
        """Ports with a web service without TLS, metrics aside."""
        services: tuple[WebService | WebServer | SettingsHTTPS, ...] = (
            self.account_http,
            self.admin_http,
            self.webmail_http,
            self.webapi_http,
            self.webserver_http,
            *(one for one in (self.autoconfig_https, self.mtasts_https) if one.non_tls),
        )
        return tuple(dict.fromkeys(int(one.port) for one in services if one.enabled))

    @property
    def mail_over_https_ports(self) -> tuple[int, ...]:
        """Ports where mail programs are served that ask for it in TLS; none where that is not wanted."""
        if not (self.submissions.enabled_on_https or self.imaps.enabled_on_https):
            return ()
        return self.https_ports or (443,)


class Postmaster(Table, frozen=True, kw_only=True):
    """Who hears from people with questions about this server (RFC 5321 §4.5.1)."""

    account: Annotated[str, doc("Account of the postmaster.")]
    mailbox: Annotated[MailboxName, doc("Mailbox for mail to the postmaster.")]


class HostTLSReports(Table, frozen=True, kw_only=True):
    """Where TLS reports about this host (DANE) arrive (RFC 8460)."""

    account: Annotated[str, doc("Account that receives the reports.")]
    mailbox: Annotated[MailboxName, doc("Mailbox for the reports; TLSRPT is usual.")]
    localpart: Annotated[Localpart, doc("Localpart of the address, at the host name; tlsreports is usual.")]


class SpecialUse(Table, frozen=True, kw_only=True):
    """Names of mailboxes with a special use (RFC 6154); empty for none."""

    sent: Annotated[MailboxName | None, doc("Copies of sent messages.")] = None
    archive: Annotated[MailboxName | None, doc("Archived messages.")] = None
    trash: Annotated[MailboxName | None, doc("Deleted messages.")] = None
    draft: Annotated[MailboxName | None, doc("Drafts.")] = None
    junk: Annotated[MailboxName | None, doc("Junk.")] = None


def usual_special_use() -> SpecialUse:
    """The names used when the file says nothing about special use."""
    return SpecialUse(
        sent=MailboxName("Sent"),
        archive=MailboxName("Archive"),
        trash=MailboxName("Trash"),
        draft=MailboxName("Drafts"),
        junk=MailboxName("Junk"),
    )


class InitialMailboxes(Table, frozen=True, kw_only=True):
    """Mailboxes of new accounts; the Inbox is always there."""

    special_use: Annotated[
        SpecialUse,
        doc("Mailboxes with a special use. Without this table: Sent, Archive, Trash, Drafts, Junk."),
    ] = msgspec.field(default_factory=usual_special_use)
    regular: Annotated[tuple[MailboxName, ...], doc("Further mailboxes.")] = ()


class SMTPAuth(Table, frozen=True, kw_only=True):
    """A login at a smarthost."""

    username: Annotated[str, doc("User name.")]
    password: Annotated[str, doc("Password.")]
    mechanisms: Annotated[
        tuple[Mechanism, ...],
        doc(f"SASL mechanisms in order of preference. Default: {', '.join(DEFAULT_MECHANISMS)}."),
    ] = ()

    @property
    def allowed_mechanisms(self) -> tuple[Mechanism, ...]:
        """The listed mechanisms, or the usual ones."""
        return self.mechanisms or DEFAULT_MECHANISMS


class Smarthost(Table, frozen=True, kw_only=True):
    """Another mail server that sends for us."""

    host: Annotated[DomainName, doc("Host to connect to; its certificate must be for this name.")]
    port: Annotated[Port, doc("TCP port.")]
    starttls_insecure_skip_verify: Annotated[bool, doc("Do not verify the certificate after STARTTLS.")] = False
    no_starttls: Annotated[bool, doc("Do not use TLS.")] = False
    auth: Annotated[SMTPAuth | None, doc("Login at the server.")] = None


class SmarthostSubmissions(Smarthost, frozen=True, kw_only=True):
    """A smarthost reached with TLS from the start."""

    port: Annotated[Port, doc("TCP port.")] = Port(465)


class SmarthostSubmission(Smarthost, frozen=True, kw_only=True):
    """A smarthost's submission port."""

    port: Annotated[Port, doc("TCP port.")] = Port(587)


class SmarthostSMTP(Smarthost, frozen=True, kw_only=True):
    """A smarthost's SMTP port."""

    port: Annotated[Port, doc("TCP port.")] = Port(25)


class Socks(Table, frozen=True, kw_only=True):
    """A SOCKS5 proxy (RFC 1928)."""

    address: Annotated[HostPort, doc("Host and port of the proxy.")]
    remote_ips: Annotated[
        tuple[IPName, ...], doc("Addresses that connections through the proxy come from, for SPF and checks.")
    ] = ()
    remote_hostname: Annotated[DomainName, doc("Host name of those addresses, said in EHLO.")]


class Direct(Table, frozen=True, kw_only=True):
    """Delivery straight to the recipient's servers, over one IP family, or with TLS only."""

    disable_ipv4: Annotated[bool, doc("Do not connect over IPv4.")] = False
    disable_ipv6: Annotated[bool, doc("Do not connect over IPv6.")] = False
    require_tls: Annotated[bool, doc("Send nothing without TLS, as the setting of this name in queue does.")] = False


class Fail(Table, frozen=True, kw_only=True):
    """No delivery at all."""

    smtp_code: Annotated[int, doc("SMTP code to fail with: 4xx to try again later, 5xx to give up.")] = 554
    smtp_message: Annotated[ReplyText, doc("Text of the failure.")] = ReplyText(
        "transport is configured to fail all deliveries"
    )


class Transport(Table, frozen=True, kw_only=True):
    """A way for outgoing mail; with no method, direct delivery."""

    submissions: Annotated[
        SmarthostSubmissions | None, doc("Hand over to a submission server, TLS from the start.")
    ] = None
    submission: Annotated[SmarthostSubmission | None, doc("Hand over to a submission server, with STARTTLS.")] = None
    smtp: Annotated[SmarthostSMTP | None, doc("Hand over to an SMTP server.")] = None
    socks: Annotated[Socks | None, doc("Deliver through a SOCKS5 proxy.")] = None
    direct: Annotated[Direct | None, doc("Deliver directly, over one IP family, or with TLS only.")] = None
    fail: Annotated[Fail | None, doc("Fail all deliveries.")] = None

    @property
    def smarthost(self) -> Smarthost | None:
        """The server to hand over to, whichever way."""
        return self.submissions or self.submission or self.smtp


class Queue(Table, frozen=True, kw_only=True):
    """How often mail that cannot be delivered yet is tried again."""

    first_retry: Annotated[
        Duration, doc("Pause after the first attempt; it doubles from attempt to attempt. At least a minute.")
    ] = Duration("7m30s")
    max_attempts: Annotated[
        int,
        doc(
            "Attempts before a message is returned, 1 to 16. With the usual pauses 8 attempts take 16 hours, "
            "10 take 2.7 days, 11 take 5.3 days."
        ),
    ] = 8
    require_tls: Annotated[
        bool,
        doc(
            "Send nothing to the recipients' servers without TLS: mail for a server without it, or whose TLS fails, is "
            "tried again and in the end returned, even with TLS-Required: No. Otherwise it goes in plain text, unless "
            "the other side or the sender demands TLS. Smarthosts are always spoken to by TLS, unless their transport "
            "has no_starttls. Transports of the kind direct have a setting of the same name, for routes."
        ),
    ] = False


class Static(Table, frozen=True, kw_only=True):
    """The static file."""

    data_dir: Annotated[
        FilePath,
        doc(
            "Directory of all stored data: accounts, queue, certificates, control socket. "
            "Relative to the directory of this file."
        ),
    ]
    log_level: Annotated[
        LogLevel,
        doc(
            "Default log level: error, warn, info, debug, trace (protocol), traceauth (with passwords), "
            "tracedata (with messages)."
        ),
    ]
    package_log_levels: Annotated[
        Mapping[str, LogLevel],
        doc("Log levels of single packages, e.g. queue, smtpserver, imapserver, spf, dkim, dmarc, junk."),
    ] = {}
    user: Annotated[str, doc("User to run as after the ports are bound; a number is used as user and group id.")] = (
        "moxpy"
    )
    no_fix_permissions: Annotated[bool, doc("When started as root, leave owner and mode of files as they are.")] = False
    hostname: Annotated[
        DomainName,
        doc("Full host name of this machine: said in EHLO, target of MX records, name in TLS certificates."),
    ]
    check_updates: Annotated[
        bool,
        doc(
            "Look for new releases daily in the DNS (update_feed), and put what they bring into the postmaster's "
            "mailbox. Nothing is installed."
        ),
    ] = False
    update_feed: Annotated[
        UpdateFeed | None, doc("Where new releases are announced; for check_updates and moxpy checkupdate.")
    ] = None
    pedantic: Annotated[bool, doc("Treat protocol violations that are usually tolerated as errors.")] = False
    tls: Annotated[GlobalTLS, doc("TLS towards other servers.")] = GlobalTLS()
    acme: Annotated[
        Mapping[str, ACMEProvider], doc("Certificate authorities with ACME, by a name of your choice.")
    ] = {}
    dns_updates: Annotated[
        Mapping[str, DNSUpdate],
        doc(
            "Name servers that take changes of the records of our domains, by the name of the domain: for "
            "moxpy config dnsrecords --apply and moxpy config dkim rotate."
        ),
    ] = {}
    backup_command: Annotated[
        tuple[str, ...],
        doc(
            "Program with arguments that is run after each backup that is whole, with the path of the backup as its "
            "last argument, as the user of the server: to send it elsewhere. The backup counts as made for metrics "
            "and alerts only if it ends with exit code 0."
        ),
    ] = ()
    admin_password_file: Annotated[
        FilePath | None, doc("File with the hash of the admin password; see the command setadminpassword.")
    ] = None
    listeners: Annotated[
        Mapping[str, Listener],
        doc(
            'Sets of IPs with the services on them. The one named "public" is for the internet; its IPs and keys '
            "go into DNS records."
        ),
    ]
    postmaster: Annotated[
        Postmaster,
        doc(
            "Receiver of mail to postmaster, at this host and at domains without an own postmaster address, "
            "and of failures nobody else can be told of."
        ),
    ]
    host_tlsrpt: Annotated[HostTLSReports | None, doc("Receiver of TLS reports about this host (DANE).")] = None
    initial_mailboxes: Annotated[InitialMailboxes, doc("Mailboxes of new accounts.")] = msgspec.field(
        default_factory=InitialMailboxes
    )
    transports: Annotated[
        Mapping[str, Transport],
        doc("Ways for outgoing mail, for use in routes. At most one method each; none means direct delivery."),
    ] = {}
    queue: Annotated[Queue, doc("Attempts to deliver mail.")] = Queue()
    webhook_networks: Annotated[
        tuple[NetworkName, ...],
        doc(
            "Addresses or networks that webhooks may be posted to beside those of the public Internet, such as "
            "127.0.0.1 or 10.0.0.0/8. Users choose the URLs of their webhooks: all of them can reach whatever listens "
            "there."
        ),
    ] = ()
    no_outgoing_dmarc_reports: Annotated[bool, doc("Do not send DMARC aggregate reports.")] = False
    no_outgoing_tls_reports: Annotated[bool, doc("Do not send TLS reports.")] = False
    outgoing_tls_reports_for_all_success: Annotated[bool, doc("Also send TLS reports when nothing failed.")] = False
    quota_message_size: Annotated[Size, doc('Most bytes of messages per account, e.g. "20G". Default: no limit.')] = (
        Size(0)
    )
