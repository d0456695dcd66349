"""What keys of the dynamic file must agree on, among themselves and with the static file.

That addresses are well-formed, unique and in a configured domain is checked where they are indexed (`addresses`).
"""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from appliance.base.limits import FORWARD_ADDRESSES
from appliance.config.addresses import AddressIndex
from appliance.config.domains import (
    MTASTS,
    Account,
    Destination,
    DomainConfig,
    Domains,
    JunkFilter,
    Redirect,
    Route,
    Ruleset,
    Selector,
    WebHandler,
)
from appliance.config.errors import KeyPath, Report
from appliance.config.static import Static
from appliance.config.values import GROUP, AddressName, HeaderName, Pattern, Separator, WebURL, config_domain
from appliance.mail.domain import DomainError, parse_domain

_POLICY_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_SMTP_ERROR = re.compile(r"(421|550)(?: .*)?")
_CAPABILITY = re.compile(r"[!-')+-Z^_`|]{1,64}")
#: Fields of HTTP that say where a message ends; wrong ones would make it unreadable.
_FRAMING = {"connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding", "upgrade"}
YEAR_SECONDS = 365 * 86400.0
#: Keys that are replaced stay published for a week or more, and each change needs time to come around.
LEAST_ROTATION_SECONDS = 30 * 86400
#: Fields whose signing breaks signatures or says nothing (RFC 6376 §5.4, §3.5).
_UNWISE_TO_SIGN = {"dkim-signature", "received", "return-path"}


def validate_references(static: Static, domains: Domains, report: Report) -> None:
    """Report accounts that the static file names and the dynamic one lacks; the report is the static file's."""
    receivers = [("postmaster", static.postmaster.account)]
    if static.host_tlsrpt:
        receivers.append(("host_tlsrpt", static.host_tlsrpt.account))
    for table, account in receivers:
        if account not in domains.accounts:
            report.error((table, "account"), f'there is no account "{account}" in domains.toml')


def validate_domains(static: Static, domains: Domains, index: AddressIndex, report: Report) -> None:
    """Report what is wrong with the dynamic file."""
    _Validator(static, domains, index, report).run()


@dataclass(slots=True)
class _Validator:
    static: Static
    domains: Domains
    index: AddressIndex
    report: Report

    def run(self) -> None:
        self.routes(self.domains.routes, ("routes",))
        self.web()
        for name, domain in self.domains.domains.items():
            self.domain(domain, ("domains", name))
        for name, account in self.domains.accounts.items():
            self.account(name, account, ("accounts", name))
        self.unique(self.domains.monitor_dnsbls, ("monitor_dnsbls",))

    def unique(self, values: Sequence[str], path: KeyPath) -> None:
        seen = set()
        for index, value in enumerate(values):
            if value in seen:
                self.report.error((*path, index), f'"{value}" is listed twice')
            seen.add(value)

    def routes(self, routes: Sequence[Route], path: KeyPath) -> None:
        for index, route in enumerate(routes):
            if route.transport not in self.static.transports:
                known = ", ".join(self.static.transports) or "none"
                self.report.error(
                    (*path, index, "transport"),
                    f'there is no transport "{route.transport}"',
                    f"in moxpy.toml: {known}",
                )
            if route.minimum_attempts < 0:
                self.report.error((*path, index, "minimum_attempts"), "must not be negative")

    def domain(self, domain: DomainConfig, path: KeyPath) -> None:
        self.routes(domain.routes, (*path, "routes"))
        self.unique(domain.localpart_catchall_separators, (*path, "localpart_catchall_separators"))
        selectors = domain.dkim.selectors
        for index, name in enumerate(domain.dkim.sign):
            if name not in selectors:
                self.report.error((*path, "dkim", "sign", index), f'there is no selector "{name}"')
        self.unique(domain.dkim.sign, (*path, "dkim", "sign"))
        if (every := domain.dkim.rotate_every) is not None and every.seconds < LEAST_ROTATION_SECONDS:
            self.report.error((*path, "dkim", "rotate_every"), "must be 30 days (30d) at least")
        for name, selector in selectors.items():
            self.selector(name, selector, (*path, "dkim", "selectors", name))
        for localpart, alias in domain.aliases.items():
            self.forward(alias.forward, (*path, "aliases", localpart, "forward"))
        if domain.mtasts:
            self.mtasts(domain.mtasts, (*path, "mtasts"))
        for kind in ("dmarc", "tlsrpt"):
            if (address := getattr(domain, kind)) is None:
                continue
            if address.account not in self.domains.accounts:
                self.report.error((*path, kind, "account"), f'there is no account "{address.account}"')
            if not address.localpart.isascii():
                self.report.error((*path, kind, "localpart"), "must be ASCII only")

    def selector(self, name: str, selector: Selector, path: KeyPath) -> None:
        try:
            if config_domain(name).unicode != name:
                self.report.error(path, "selector must be written in lower case")
        except ValueError as error:
            self.report.error(path, f"selector {error}")
        if selector.hash == "sha1":
            self.report.warn((*path, "hash"), "sha1 is obsolete and refused by many receivers")  # RFC 8301 §3.1
        signed = {header.lower() for header in selector.signed_headers}
        if "from" not in signed:
            self.report.error((*path, "headers"), "must include From")  # RFC 6376 §5.4
        for header in sorted(signed & _UNWISE_TO_SIGN):
            self.report.warn((*path, "headers"), f"should not include {header}")

    def mtasts(self, policy: MTASTS, path: KeyPath) -> None:
        if not any(listener.mtasts_https.enabled for listener in self.static.listeners.values()):
            self.report.error(path, "needs a listener with mtasts_https enabled")
        if not _POLICY_ID.fullmatch(policy.policy_id):
            self.report.error((*path, "policy_id"), "must be 1 to 32 ASCII letters and digits")  # RFC 8461 §3.1
        if not 1 <= policy.max_age.seconds <= YEAR_SECONDS:
            self.report.error((*path, "max_age"), "must be from one second to one year")  # RFC 8461 §3.2

    def account(self, name: str, account: Account, path: KeyPath) -> None:
        if fault := account_name_fault(name):
            self.report.error(path, f"account name {fault}")
        self.routes(account.routes, (*path, "routes"))
        if account.rejects_mailbox == "Inbox":
            self.report.error((*path, "rejects_mailbox"), "must not be Inbox")
        if account.introbox == "Inbox":
            self.report.error((*path, "introbox"), "must not be Inbox")
        elif account.introbox and account.introbox == account.rejects_mailbox:
            self.report.error((*path, "introbox"), "must not be the rejects mailbox")
        if account.junk_filter:
            self.junk_filter(account.junk_filter, (*path, "junk_filter"))
        for key in ("max_outgoing_messages_per_day", "max_first_time_recipients_per_day"):
            if getattr(account, key) < 0:
                self.report.error((*path, key), "must not be negative")
        for index, capability in enumerate(account.imap_capabilities_disabled):
            if not _CAPABILITY.fullmatch(capability):
                self.report.error((*path, "imap_capabilities_disabled", index), "must be a capability in upper case")
        self.fromid_addresses(name, account, (*path, "fromid_login_addresses"))
        for written, destination in account.destinations.items():
            self.destination(destination, (*path, "destinations", written))

    def junk_filter(self, junk: JunkFilter, path: KeyPath) -> None:
        if not 0 < junk.threshold <= 1:
            self.report.error((*path, "threshold"), "must be above 0 and at most 1")
        for key in ("max_power", "ignore_words"):
            if not 0 <= getattr(junk, key) <= 0.5:
                self.report.error((*path, key), "must be from 0 to 0.5")
        for key in ("top_words", "rare_words"):
            if getattr(junk, key) < 0:
                self.report.error((*path, key), "must not be negative")

    def fromid_addresses(self, name: str, account: Account, path: KeyPath) -> None:
        for index, written in enumerate(account.fromid_login_addresses):
            address, here = written.address, (*path, index)
            entry = self.index.domains.get(address.domain.ascii)
            if entry is None:
                self.report.error(here, f"domain {address.domain.unicode} is not configured")
                continue
            if not entry.config.localpart_catchall_separators:
                self.report.error(here, f"domain {entry.name} has no localpart_catchall_separators")
                continue
            key = (entry.canonical(address.localpart), address.domain.ascii)
            found = self.index.addresses.get(key) or self.index.catchalls.get(address.domain.ascii)
            if found is None or (found.account != name and not found.is_catchall):
                self.report.error(here, f"{written} is not an address of this account")

    def destination(self, destination: Destination, path: KeyPath) -> None:
        if error := destination.smtp_error:
            if not _SMTP_ERROR.fullmatch(error):
                self.report.error((*path, "smtp_error"), "must begin with 421 or 550, then a space and a text")
            for key in ("mailbox", "rulesets", "forward"):
                if getattr(destination, key):
                    self.report.error((*path, "smtp_error"), f"does not go with {key}: all mail is refused")
        self.forward(destination.forward, (*path, "forward"))
        if destination.forward_only and not destination.forward:
            self.report.error((*path, "forward_only"), "needs addresses to forward to")
        for index, ruleset in enumerate(destination.rulesets):
            self.ruleset(ruleset, (*path, "rulesets", index))

    def forward(self, addresses: Sequence[AddressName], path: KeyPath) -> None:
        """Addresses of other servers. Ours would meet the same rules again: that is what aliases are for."""
        if len(addresses) > FORWARD_ADDRESSES:
            self.report.error(path, f"must have at most {FORWARD_ADDRESSES} addresses")
        seen = set()
        for index, written in enumerate(addresses):
            address, here = written.address, (*path, index)
            entry = self.index.domains.get(address.domain.ascii)
            if address.domain.ascii in self.index.postmaster_hosts or (entry and not entry.is_reports_only):
                self.report.error(here, f"{written} is in a domain of ours", "an alias leads to addresses of ours")
            # Few servers tell upper and lower case apart, and none has two people for that.
            key = (address.localpart.lower(), address.domain)
            if key in seen:
                self.report.error(here, f"{written} is listed twice")
            seen.add(key)

    def ruleset(self, ruleset: Ruleset, path: KeyPath) -> None:
        conditions = (
            ruleset.smtp_mail_from_regexp,
            ruleset.msg_from_regexp,
            ruleset.verified_domain,
            ruleset.headers_regexp,
        )
        if not any(conditions):
            self.report.error(
                path,
                "needs at least one condition",
                "smtp_mail_from_regexp, msg_from_regexp, verified_domain or headers_regexp",
            )
        for name, value in ruleset.headers_regexp.items():
            here = (*path, "headers_regexp", name)
            try:
                Pattern(name)
            except ValueError as error:
                self.report.error(here, f"name {error}")
            if not name:
                self.report.error(here, "name must not be empty")
            if has_upper_case(name) or has_upper_case(value):
                self.report.error(here, "patterns must be in lower case, as names and values are lower-cased")
        if ruleset.is_forward:
            if not (ruleset.smtp_mail_from_regexp and ruleset.verified_domain):
                self.report.error((*path, "is_forward"), "needs smtp_mail_from_regexp and verified_domain")
            if ruleset.list_allow_domain:
                self.report.error((*path, "is_forward"), "does not go with list_allow_domain")
        if ruleset.accept_rejects_to_mailbox == "Inbox":
            self.report.error((*path, "accept_rejects_to_mailbox"), "must not be Inbox")

    def web(self) -> None:
        redirects, handlers = self.domains.web_domain_redirects, self.domains.web_handlers
        listeners = self.static.listeners.values()
        if not any(one.webserver_http.enabled or one.webserver_https.enabled for one in listeners):
            for key, value in (("web_domain_redirects", redirects), ("web_handlers", handlers)):
                if value:
                    self.report.error((key,), "needs a listener with webserver_http or webserver_https enabled")
        for source, target in redirects.items():
            path: KeyPath = ("web_domain_redirects", source)
            try:
                if config_domain(source).unicode != source:
                    self.report.error(path, f'must be written as "{config_domain(source).unicode}"')
            except ValueError as error:
                self.report.error(path, f'"{source}" {error}')
            if source == target:
                self.report.error(path, "redirects to itself")
        for index, handler in enumerate(handlers):
            self.handler(handler, ("web_handlers", index))

    def handler(self, handler: WebHandler, path: KeyPath) -> None:
        actions = [key for key in ("static", "redirect", "forward", "internal") if getattr(handler, key) is not None]
        if len(actions) != 1:
            given = ", ".join(actions) or "none"
            self.report.error(path, f"needs exactly one of static, redirect, forward, internal; has {given}")
        if not handler.path_regexp.startswith("^"):
            self.report.error((*path, "path_regexp"), "must begin with ^")
        for key in ("static", "forward"):
            if action := getattr(handler, key):
                self.response_headers(action.response_headers, (*path, key, "response_headers"))
        if handler.static and handler.static.strip_prefix and not handler.static.strip_prefix.startswith("/"):
            self.report.error((*path, "static", "strip_prefix"), "must begin with a slash")
        for key, url in (
            ("redirect", handler.redirect and handler.redirect.base_url),
            ("forward", handler.forward and handler.forward.url),
        ):
            if url and (fault := _host_fault(url)):
                self.report.error((*path, key), fault)
        if handler.redirect:
            self.redirect(handler.redirect, (*path, "redirect"))
        if handler.internal and handler.internal.base_path.was_completed:
            self.report.error((*path, "internal", "base_path"), "must end in a slash")

    def response_headers(self, headers: object, path: KeyPath) -> None:
        assert isinstance(headers, dict)
        for name, value in headers.items():
            try:
                HeaderName(name)
            except ValueError as error:
                self.report.error((*path, name), str(error))
            if name.lower() in _FRAMING:
                self.report.error((*path, name), "is for the server to set")
            if value != value.strip() or not value.isprintable() or not value.isascii():
                self.report.error((*path, name), "must be ASCII without space around it and control characters")

    def redirect(self, redirect: Redirect, path: KeyPath) -> None:
        if redirect.base_url and redirect.base_url.parts.path not in {"", "/"}:
            self.report.error((*path, "base_url"), "must have no path, or /")
        if bool(redirect.orig_path_regexp) != bool(redirect.replace_path):
            self.report.error(path, "needs both orig_path_regexp and replace_path, or neither")
        if not redirect.base_url and not redirect.orig_path_regexp:
            self.report.error(path, "needs base_url, or orig_path_regexp and replace_path")
        if redirect.orig_path_regexp:
            compiled = re.compile(redirect.orig_path_regexp)
            for match in GROUP.finditer(redirect.replace_path):
                group = match[1] if match[1] is not None else match[2]
                numbers = {str(number) for number in range(compiled.groups + 1)}
                known = group in numbers or group in compiled.groupindex
                if not known:
                    self.report.error((*path, "replace_path"), f"orig_path_regexp has no group {match.group()}")
        if not 300 <= redirect.status_code <= 399:
            self.report.error((*path, "status_code"), "must be from 300 to 399")


def _host_fault(url: WebURL) -> str:
    """Why nobody can be asked for a URL; empty if somebody can."""
    host = url.parts.hostname or ""
    if url.parts.username is not None:
        return "must have no user name or password in its URL"
    with suppress(ValueError):
        ip_address(host)
        return ""
    try:
        parse_domain(host, lax=True)
    except DomainError as error:
        return f"has no valid host in its URL: {error}"
    return ""


_ESCAPED_CLASS = re.compile(r"\\[A-Z]|\(\?P<")


def has_upper_case(pattern: str) -> bool:
    """Whether a pattern asks for upper-case letters; classes such as \\S do not count."""
    bare = _ESCAPED_CLASS.sub("", pattern)
    return bare != bare.lower()


def account_name_fault(name: str) -> str:
    """Why this cannot be the name of an account, which is also a directory name; empty when it can."""
    if not name:
        return "must not be empty"
    if unicodedata.normalize("NFC", name) != name:
        return f'must be in Unicode normal form NFC: "{unicodedata.normalize("NFC", name)}"'
    if name.startswith(".") or set(name) & {"/", "\0"}:
        return "must not begin with a dot or contain a slash"
    if len(name.encode()) > 200 or not name.isprintable():
        return "must be at most 200 octets without control characters"
    return ""


def validate_reports_change(before: Domains, after: Domains, report: Report) -> None:
    """What a change through the interfaces may not introduce, though old files may have it.

    A report localpart with a separator of its domain, be it that the address or the separator is new.
    """
    for name, domain in after.domains.items():
        for kind in ("dmarc", "tlsrpt"):
            address = getattr(domain, kind)
            if address is None:
                continue
            target_name = str(address.domain or name)
            old_domain, old_target = before.domains.get(name), before.domains.get(target_name)
            target = after.domains.get(target_name)
            known: tuple[Separator, ...] = ()
            if old_domain and old_target:
                old = getattr(old_domain, kind)
                if old and old.localpart == address.localpart and old.domain == address.domain:
                    known = old_target.localpart_catchall_separators
            for separator in target.localpart_catchall_separators if target else ():
                if separator in address.localpart and separator not in known:
                    report.error(
                        ("domains", name, kind, "localpart"),
                        f'must not contain the separator "{separator}" of domain {target_name}',
                    )


def validate_monitor_change(static: Static, before: Domains, after: Domains, report: Report) -> None:
    """New entries of `monitor_dnsbls` through the admin interface are not already asked by the public listener."""
    public = static.listeners.get("public")
    for index, zone in enumerate(after.monitor_dnsbls):
        if public and zone in public.smtp.dnsbls and zone not in before.monitor_dnsbls:
            report.error(("monitor_dnsbls", index), f"{zone} is monitored already, as a dnsbl of listener public")
