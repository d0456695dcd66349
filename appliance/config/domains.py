"""The dynamic file, `domains.toml`: domains, accounts, routes, web sites. Reloaded and rewritten at run time.

Field names are the keys of the file. `schema` says how tables are read; what keys must agree on is `validate_domains`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from appliance.config.schema import Table, doc
from appliance.config.values import (
    AddressName,
    DomainName,
    Duration,
    FilePath,
    HeaderName,
    HostPattern,
    Localpart,
    MailboxName,
    Pattern,
    Quota,
    ReplyText,
    RouteDomain,
    Separator,
    URLPath,
    WebhookSecret,
    WebURL,
)

HookEvent = Literal["delivered", "suppressed", "delayed", "failed", "relayed", "expanded", "canceled", "unrecognized"]
#: Signed when a selector lists none (RFC 6376 §5.4.1).
DEFAULT_DKIM_HEADERS = (
    "From",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "References",
    "In-Reply-To",
    "Subject",
    "Date",
    "Message-Id",
    "Content-Type",
)


class Canonicalization(Table, frozen=True, kw_only=True):
    """How changes of white space in transit are treated (RFC 6376 §3.4)."""

    header_relaxed: Annotated[bool, doc("Ignore changes of white space and case in the header.")] = False
    body_relaxed: Annotated[bool, doc("Ignore changes of white space in the body.")] = False


class Selector(Table, frozen=True, kw_only=True):
    """A DKIM key."""

    hash: Annotated[Literal["sha256", "sha1"], doc("Hash. sha1 is obsolete and refused by many.")] = "sha256"
    canonicalization: Annotated[Canonicalization, doc("Which changes in transit leave the signature valid.")] = (
        Canonicalization()
    )
    headers: Annotated[
        tuple[HeaderName, ...],
        doc(f"Header fields to sign. Default: {', '.join(DEFAULT_DKIM_HEADERS)}."),
    ] = ()
    dont_seal_headers: Annotated[bool, doc("Allow that others add further fields of the signed names.")] = False
    expiration: Annotated[
        Duration | None,
        doc("How long a signature is valid; long enough for delayed mail. Default: for ever."),
    ] = None
    private_key_file: Annotated[FilePath, doc("RSA or ed25519 private key, a PKCS8 PEM file.")]

    @property
    def signed_headers(self) -> tuple[str, ...]:
        """The listed header fields, or the usual ones."""
        return self.headers or DEFAULT_DKIM_HEADERS


class DKIM(Table, frozen=True, kw_only=True):
    """Signing of outgoing mail (RFC 6376)."""

    sign: Annotated[tuple[str, ...], doc("Selectors that sign outgoing mail.")] = ()
    selectors: Annotated[Mapping[str, Selector], doc("Keys, by selector: the name below _domainkey in DNS.")] = {}
    rotate_every: Annotated[
        Duration | None,
        doc(
            "New keys take the place of those that sign, by themselves, so long after the last time or after this was "
            "set; at least 30 days. Records are changed where dns_updates says so, otherwise moxpy config dkim rotate "
            "status tells which to change. Default: only when asked for."
        ),
    ] = None


class ReportAddress(Table, frozen=True, kw_only=True):
    """Where reports of others about a domain arrive."""

    localpart: Annotated[Localpart, doc("Localpart of the address, as in the DNS record.")]
    domain: Annotated[DomainName | None, doc("Domain of the address, if not this one; it must be configured too.")] = (
        None
    )
    account: Annotated[str, doc("Account that receives the reports.")]
    mailbox: Annotated[MailboxName, doc("Mailbox for the reports.")]


class MTASTS(Table, frozen=True, kw_only=True):
    """The MTA-STS policy of a domain (RFC 8461)."""

    policy_id: Annotated[str, doc("Identifies the policy; change it with every change of the policy.")]
    mode: Annotated[
        Literal["none", "testing", "enforce"],
        doc("Whether senders must use verified TLS: none, testing, enforce."),
    ]
    max_age: Annotated[Duration, doc("How long senders may keep the policy.")]
    mx: Annotated[tuple[HostPattern, ...], doc("Hosts that receive mail for the domain. Default: the host name.")] = ()


class Alias(Table, frozen=True, kw_only=True):
    """An address that leads to several others."""

    addresses: Annotated[tuple[AddressName, ...], doc("Members: addresses of local accounts, at least one.")]
    forward: Annotated[
        tuple[AddressName, ...],
        doc(
            "Addresses of other servers that get a copy too, of what a member accepts and does not take for junk. The "
            "first such member answers for them: it hears of failures."
        ),
    ] = ()
    post_public: Annotated[bool, doc("Anyone may write to the alias; otherwise only its members.")] = False
    list_members: Annotated[bool, doc("Members see each other in the account pages.")] = False
    allow_msg_from: Annotated[bool, doc("Members may send with the alias as From.")] = False


class Route(Table, frozen=True, kw_only=True):
    """Which mail takes which transport."""

    from_domain: Annotated[
        tuple[RouteDomain, ...],
        doc('Domains of the sender; ".example.org" is a domain and all below, "." no domain. Empty matches all.'),
    ] = ()
    to_domain: Annotated[
        tuple[RouteDomain, ...],
        doc('Domains of the recipient; ".example.org" is a domain and all below. Empty matches all.'),
    ] = ()
    minimum_attempts: Annotated[int, doc("Only for messages that had at least this many attempts at delivery.")] = 0
    transport: Annotated[str, doc("Transport to use, from the static file.")]


class DomainConfig(Table, frozen=True, kw_only=True):
    """A domain we receive mail for."""

    disabled: Annotated[
        bool,
        doc(
            "Refuse mail to and from the domain for now, and get no certificates for it. Its accounts can still log in."
        ),
    ] = False
    description: Annotated[str, doc("Free text.")] = ""
    client_settings_domain: Annotated[
        DomainName | None,
        doc("Host name shown to mail clients instead of hostname, which makes a later move to another host easy."),
    ] = None
    localpart_catchall_separators: Annotated[
        tuple[Separator, ...],
        doc("What begins a part of the localpart that is ignored for delivery; the first makes unique senders."),
    ] = ()
    localpart_case_sensitive: Annotated[bool, doc("Upper and lower case are different addresses.")] = False
    dkim: Annotated[DKIM, doc("Signing of outgoing mail.")] = DKIM()
    dmarc: Annotated[ReportAddress | None, doc("Receiver of DMARC aggregate reports.")] = None
    mtasts: Annotated[MTASTS | None, doc("MTA-STS policy: senders should verify our certificates.")] = None
    tlsrpt: Annotated[ReportAddress | None, doc("Receiver of TLS reports.")] = None
    routes: Annotated[
        tuple[Route, ...],
        doc("Routes for mail from this domain, after those of the account, before the global."),
    ] = ()
    aliases: Annotated[Mapping[str, Alias], doc("Addresses with several receivers, by localpart.")] = {}


class OutgoingWebhook(Table, frozen=True, kw_only=True):
    """Told about what becomes of messages sent."""

    url: Annotated[WebURL, doc("URL that gets a POST for each event.")]
    authorization: Annotated[str, doc("Value of the Authorization header.")] = ""
    events: Annotated[
        tuple[HookEvent, ...],
        doc(
            "Which events: delivered, suppressed, delayed, failed, relayed, expanded, canceled, unrecognized. "
            "Default: all."
        ),
    ] = ()


class IncomingWebhook(Table, frozen=True, kw_only=True):
    """Told about messages received."""

    url: Annotated[WebURL, doc("URL that gets a POST for each message.")]
    authorization: Annotated[str, doc("Value of the Authorization header.")] = ""


class SubjectPass(Table, frozen=True, kw_only=True):
    """A token with which a refused sender may try again."""

    period: Annotated[Duration | None, doc("How long a token is valid. Default: no tokens.")] = None


class AutomaticJunkFlags(Table, frozen=True, kw_only=True):
    """Junk flags set when a message is moved to a mailbox."""

    enabled: Annotated[bool, doc("Set flags by the mailbox a message is moved to.")] = False
    junk_mailbox_regexp: Annotated[Pattern | None, doc("Lower-cased names of mailboxes whose messages are junk.")] = (
        None
    )
    neutral_mailbox_regexp: Annotated[
        Pattern | None, doc("Lower-cased names of mailboxes whose messages say nothing.")
    ] = None
    not_junk_mailbox_regexp: Annotated[
        Pattern | None,
        doc(
            "Lower-cased names of mailboxes whose messages are not junk. With two of the three, the rest is the third."
        ),
    ] = None


class JunkFilter(Table, frozen=True, kw_only=True):
    """The Bayesian filter over words of messages."""

    threshold: Annotated[float, doc("Probability from which a message is junk, above 0 and at most 1.")]
    onegrams: Annotated[bool, doc("Look at single words.")] = False
    twograms: Annotated[bool, doc("Look at pairs of words.")] = False
    threegrams: Annotated[bool, doc("Look at three words in a row.")] = False
    max_power: Annotated[float, doc("How far a single word may go towards certainty: 0.01 keeps it in 1% to 99%.")] = (
        0.0
    )
    top_words: Annotated[int, doc("How many of the most telling words count, of each side.")] = 0
    ignore_words: Annotated[float, doc("Ignore words this near to 0.5.")] = 0.0
    rare_words: Annotated[int, doc("Words seen at most this often count less.")] = 0


class Ruleset(Table, frozen=True, kw_only=True):
    """Conditions, which must all hold, and what then happens to a message."""

    smtp_mail_from_regexp: Annotated[Pattern | None, doc("Matches the SMTP sender address.")] = None
    msg_from_regexp: Annotated[Pattern | None, doc("Matches the address in From.")] = None
    verified_domain: Annotated[
        DomainName | None, doc("Matches when SPF or DKIM vouch for this domain or one below it.")
    ] = None
    headers_regexp: Annotated[
        Mapping[str, Pattern],
        doc("Patterns for names and values of header fields, both lower-cased; each needs one field that matches."),
    ] = {}
    is_forward: Annotated[
        bool, doc("Mail is forwarded to us by verified_domain: do not judge it by that server's address.")
    ] = False
    list_allow_domain: Annotated[
        DomainName | None,
        doc("Mailing list: accept when this domain is verified, whatever else speaks against it."),
    ] = None
    accept_rejects_to_mailbox: Annotated[
        MailboxName | None, doc("Accept what would be refused, into this mailbox.")
    ] = None
    mailbox: Annotated[MailboxName | None, doc("Mailbox for the message. Default: that of the destination.")] = None
    comment: Annotated[str, doc("Free text.")] = ""


class Destination(Table, frozen=True, kw_only=True):
    """What happens with mail to an address."""

    mailbox: Annotated[MailboxName | None, doc("Mailbox when no ruleset matches. Default: Inbox.")] = None
    full_name: Annotated[str, doc("Name in From for this address.")] = ""
    smtp_error: Annotated[
        ReplyText | None, doc("Refuse all mail: 421 (for now) or 550 (for good), and optionally a text.")
    ] = None
    message_auth_required_smtp_error: Annotated[
        ReplyText | None, doc("Refuse, with this text, mail whose From is not verified by SPF or DKIM.")
    ] = None
    forward: Annotated[
        tuple[AddressName, ...],
        doc("Addresses of other servers that get a copy of what is accepted here and is not junk."),
    ] = ()
    forward_only: Annotated[
        bool,
        doc("Keep no copy of what is forwarded. What is not forwarded, or cannot be delivered there, is kept."),
    ] = False
    rulesets: Annotated[tuple[Ruleset, ...], doc("Rules for delivery; the first that matches is used.")] = ()

    @property
    def default_mailbox(self) -> str:
        """The mailbox when no ruleset matches."""
        return self.mailbox or "Inbox"


class Account(Table, frozen=True, kw_only=True):
    """A user."""

    domain: Annotated[DomainName | None, doc("Usual domain, offered for new addresses.")] = None
    description: Annotated[str, doc("Free text, for the admin.")] = ""
    full_name: Annotated[str, doc("Name in From of messages written in webmail.")] = ""
    login_disabled: Annotated[ReplyText | None, doc("Refuse all logins with this text. Mail is still delivered.")] = (
        None
    )
    destinations: Annotated[
        Mapping[str, Destination],
        doc("Addresses, also the names to log in with: local@domain, or @domain for all others of the domain."),
    ] = {}
    outgoing_webhook: Annotated[OutgoingWebhook | None, doc("Told about what becomes of messages sent.")] = None
    incoming_webhook: Annotated[IncomingWebhook | None, doc("Told about messages received.")] = None
    fromid_login_addresses: Annotated[
        tuple[AddressName, ...],
        doc(
            "Messages sent after login with one of these addresses get a unique SMTP sender address. Notices that come "
            "back to it are known to be about the message while it is remembered: see keep_retired_message_period."
        ),
    ] = ()
    keep_retired_message_period: Annotated[
        Duration | None,
        doc(
            "How long messages are remembered after they left the queue. Default: not at all; notices that come later "
            "are not matched to them then, and failures in a row put no address on the suppression list."
        ),
    ] = None
    webhook_secret: Annotated[
        WebhookSecret | None,
        doc(
            "Key that requests of webhooks are signed with, as www.standardwebhooks.com has it: whsec_ and 24 to 64 "
            "octets in base64. To make one: echo whsec_$(openssl rand -base64 32). Default: they are not signed."
        ),
    ] = None
    keep_retired_webhook_period: Annotated[
        Duration | None, doc("How long webhooks are kept in the queue after their end. Default: not at all.")
    ] = None
    subject_pass: Annotated[
        SubjectPass, doc("Let senders of slightly suspicious mail try again with a token in the subject.")
    ] = SubjectPass()
    quota_message_size: Annotated[
        Quota, doc("Most bytes of messages; negative for no limit. Default: that of the static file.")
    ] = Quota(0)
    rejects_mailbox: Annotated[
        MailboxName | None, doc("Mailbox for copies of refused mail, cleaned regularly. Default: no copies.")
    ] = None
    keep_rejects: Annotated[bool, doc("Do not clean the mailbox for refused mail.")] = False
    introbox: Annotated[
        MailboxName | None,
        doc("Mailbox, instead of Inbox, for accepted mail of senders without history here."),
    ] = None
    automatic_junk_flags: Annotated[AutomaticJunkFlags, doc("Junk flags set by the mailbox a message is moved to.")] = (
        AutomaticJunkFlags()
    )
    junk_filter: Annotated[JunkFilter | None, doc("Filter by content. Without this table: none.")] = None
    max_outgoing_messages_per_day: Annotated[int, doc("Most messages, times recipients, in any 24 hours.")] = 1000
    max_first_time_recipients_per_day: Annotated[
        int, doc("Most recipients never written to before, in any 24 hours.")
    ] = 200
    strip_bcc: Annotated[
        bool, doc("Remove Bcc from messages sent; mail programs do that themselves, many scripts forget.")
    ] = False
    no_first_time_sender_delay: Annotated[bool, doc("Accept mail of unknown senders without delay.")] = False
    no_custom_password: Annotated[bool, doc("Passwords are generated; the owner cannot choose one.")] = False
    imap_capabilities_disabled: Annotated[
        tuple[str, ...],
        doc("IMAP capabilities not announced after login, in upper case, for clients that misuse them."),
    ] = ()
    routes: Annotated[tuple[Route, ...], doc("Routes for mail of this account, before all others.")] = ()


class StaticSite(Table, frozen=True, kw_only=True):
    """Files of a directory."""

    strip_prefix: Annotated[str, doc("Start of the path that is not part of the file name.")] = ""
    root: Annotated[FilePath, doc("Directory of the files, relative to the working directory of the server.")]
    list_files: Annotated[bool, doc("List directories that have no index.html.")] = False
    follow: Annotated[bool, doc("Follow symbolic links that lead out of the root.")] = False
    dotfiles: Annotated[
        bool, doc("Serve files and directories whose names begin with a dot; .well-known is served always.")
    ] = False
    continue_not_found: Annotated[
        bool, doc("Go on with the next handler when there is no such file, instead of answering 404, 403 or 405.")
    ] = False
    response_headers: Annotated[Mapping[str, str], doc("Headers added to responses.")] = {}


class Redirect(Table, frozen=True, kw_only=True):
    """Another URL."""

    base_url: Annotated[WebURL | None, doc("URL that the path is added to; its own path is empty or /.")] = None
    orig_path_regexp: Annotated[Pattern | None, doc("Matches the path that replace_path replaces.")] = None
    replace_path: Annotated[str, doc("New path; $1 is the first group of orig_path_regexp.")] = ""
    status_code: Annotated[int, doc("HTTP status, 300 to 399.")] = 308


class Forward(Table, frozen=True, kw_only=True):
    """A reverse proxy."""

    strip_path: Annotated[bool, doc("Leave out the part of the path that path_regexp matched.")] = False
    url: Annotated[WebURL, doc("URL that requests are forwarded to; the path is added.")]
    response_headers: Annotated[
        Mapping[str, str], doc("Headers added to responses, in place of those of the other server.")
    ] = {}


class Internal(Table, frozen=True, kw_only=True):
    """One of the built-in applications."""

    base_path: Annotated[URLPath, doc("Path of the application; begins and ends with a slash.")]
    service: Annotated[Literal["admin", "account", "webmail", "webapi"], doc("admin, account, webmail or webapi.")]


class WebHandler(Table, frozen=True, kw_only=True):
    """What answers requests for a domain and path."""

    log_name: Annotated[str, doc("Name in the log. Default: the place in this list.")] = ""
    domain: Annotated[DomainName, doc("Domain of the requests.")]
    path_regexp: Annotated[Pattern, doc("Matches the path of the requests; begins with ^.")]
    dont_redirect_plain_http: Annotated[bool, doc("Answer plain HTTP too, instead of redirecting to HTTPS.")] = False
    compress: Annotated[bool, doc("Compress responses when the client can take it.")] = False
    static: Annotated[StaticSite | None, doc("Serve files.")] = None
    redirect: Annotated[Redirect | None, doc("Redirect to another URL.")] = None
    forward: Annotated[Forward | None, doc("Forward to another web server.")] = None
    internal: Annotated[Internal | None, doc("Serve a built-in application.")] = None


class Domains(Table, frozen=True, kw_only=True):
    """The dynamic file."""

    monitor_dnsbls: Annotated[
        tuple[DomainName, ...],
        doc("DNS block lists in which our own addresses are looked up from time to time."),
    ] = ()
    web_domain_redirects: Annotated[
        Mapping[str, DomainName], doc("Domains whose web requests are all redirected to another domain.")
    ] = {}
    routes: Annotated[
        tuple[Route, ...],
        doc("Routes for outgoing mail, after those of account and domain. First match counts."),
    ] = ()
    domains: Annotated[Mapping[str, DomainConfig], doc("Domains, in their Unicode spelling.")]
    accounts: Annotated[Mapping[str, Account], doc("Accounts. The name is not an address and is not shown to others.")]
    web_handlers: Annotated[
        tuple[WebHandler, ...], doc("Web sites, asked in this order; the first that matches answers.")
    ] = ()
