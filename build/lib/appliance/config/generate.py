"""Configuration that the product writes itself: new accounts, new domains, and whole files with explanations.

Pure: time, names and choices come in; files and keys are made by whoever calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from appliance.config.describe import comment_lines, toml_value
from appliance.config.domains import (
    DKIM,
    MTASTS,
    Account,
    AutomaticJunkFlags,
    Canonicalization,
    Destination,
    DomainConfig,
    JunkFilter,
    ReportAddress,
    Selector,
    SubjectPass,
)
from appliance.config.errors import KeyPath, quote_key
from appliance.config.schema import ListOf, MapOf, Shape, SubTable, Table, keys_of, plain_table
from appliance.config.values import (
    AddressName,
    DomainName,
    Duration,
    FilePath,
    HostPattern,
    Localpart,
    MailboxName,
    Pattern,
    Separator,
)

JUNK_MAILBOXES = Pattern("^(junk|spam)")
NEUTRAL_MAILBOXES = Pattern("^(inbox|introbox|neutral|postmaster|dmarc|tlsrpt|rejects)")
SIGNATURE_EXPIRATION = Duration("72h")


def new_account(address: AddressName, *, full_name: str = "") -> Account:
    """An account with one address. It has no password until one is set, so mail arrives and nobody can log in."""
    return Account(
        domain=DomainName(address.address.domain.unicode),
        full_name=full_name,
        destinations={str(address): Destination()},
        rejects_mailbox=MailboxName("Rejects"),
        automatic_junk_flags=AutomaticJunkFlags(
            enabled=True, junk_mailbox_regexp=JUNK_MAILBOXES, neutral_mailbox_regexp=NEUTRAL_MAILBOXES
        ),
        junk_filter=JunkFilter(
            threshold=0.95, onegrams=True, max_power=0.01, top_words=10, ignore_words=0.1, rare_words=2
        ),
        subject_pass=SubjectPass(period=Duration("12h")),
        no_custom_password=True,
    )


@dataclass(frozen=True, slots=True)
class NewKey:
    """A DKIM key that a new domain needs: what to make, and the file to put it in."""

    selector: str
    #: `rsa2048` or `ed25519`.
    algorithm: str
    #: Relative to the config directory.
    file: str


@dataclass(frozen=True, slots=True)
class NewDomain:
    """A domain to be added, and the keys to be made before."""

    config: DomainConfig
    keys: tuple[NewKey, ...]
    #: Addresses to be added to the account, with the mailboxes their mail goes to by default.
    destinations: Mapping[str, Destination]


def stamp(now: datetime) -> str:
    """A moment as file names and policy ids have it, in UTC: `20260131T235959`."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")


def dkim_key_file(selector: str, domain: DomainName, now: datetime, algorithm: str) -> str:
    """Where the key of a selector is kept, relative to the config directory; `algorithm` as in NewKey."""
    return f"dkim/{selector}._domainkey.{domain}.{stamp(now)}.{algorithm}.privatekey.pkcs8.pem"


def new_domain(
    domain: DomainName,
    *,
    account: str,
    hostname: DomainName,
    now: datetime,
    has_mtasts_listener: bool,
    is_postmaster_account: bool,
    account_exists: bool,
) -> NewDomain:
    """A domain whose reports go to `account`: two RSA keys and an ed25519 key, of which one RSA key signs.

    Signing with relaxed canonicalization, as forwarders change white space. MTA-STS is enforced if it can be served.
    Raises ValueError for a domain so long that there is no name below it.
    """
    year = now.astimezone(UTC).year
    keys = tuple(
        NewKey(name, algorithm, dkim_key_file(name, domain, now, algorithm))
        for name, algorithm in ((f"{year}a", "rsa2048"), (f"{year}b", "rsa2048"), (f"{year}e", "ed25519"))
    )
    selectors = {
        key.selector: Selector(
            expiration=SIGNATURE_EXPIRATION,
            canonicalization=Canonicalization(header_relaxed=True, body_relaxed=True),
            private_key_file=FilePath(key.file),
        )
        for key in keys
    }
    mtasts = None
    if has_mtasts_listener:
        mtasts = MTASTS(policy_id=stamp(now), mode="enforce", max_age=Duration("24h"), mx=(HostPattern(hostname),))
    config = DomainConfig(
        client_settings_domain=DomainName(f"mail.{domain}"),
        localpart_catchall_separators=(Separator("+"),),
        dkim=DKIM(sign=(keys[0].selector,), selectors=selectors),
        dmarc=_reports("dmarcreports", account, "DMARC"),
        tlsrpt=_reports("tlsreports", account, "TLSRPT"),
        mtasts=mtasts,
    )
    destinations = {}
    if account_exists and not is_postmaster_account:
        destinations[f"postmaster@{domain}"] = Destination()
    return NewDomain(config, keys, destinations)


def _reports(localpart: str, account: str, mailbox: str) -> ReportAddress:
    return ReportAddress(localpart=Localpart(localpart), account=account, mailbox=MailboxName(mailbox))


def render(table: Table, *, suggestions: Mapping[KeyPath, Sequence[str]] | None = None) -> str:
    """A whole file as TOML: what differs from the defaults, each key under its explanation.

    `suggestions` are lines (comments, as a rule) to stand at the end of the values of the table at a path.
    """
    lines: list[str] = []
    _Renderer(lines, suggestions or {}).table(SubTable(type(table)), plain_table(table), ())
    return "\n".join(lines).strip("\n") + "\n"


@dataclass(slots=True)
class _Renderer:
    lines: list[str]
    suggestions: Mapping[KeyPath, Sequence[str]]

    def table(self, shape: Shape, values: Mapping[str, Any], path: KeyPath) -> None:
        keys = keys_of(shape.type) if isinstance(shape, SubTable) else {}
        inner = {name: keys[name].shape if keys else _item_shape(shape) for name in values}
        for name, value in values.items():
            if not _is_table(inner[name]):
                self.explain(keys[name].doc if name in keys else "")
                self.lines.append(f"{quote_key(name)} = {toml_value(value)}")
        self.lines += self.suggestions.get(path, ())
        for name, value in values.items():
            if _is_table(inner[name]):
                self.sub_table(inner[name], value, (*path, name), keys[name].doc if name in keys else "")

    def sub_table(self, shape: Shape, value: Any, path: KeyPath, doc: str) -> None:
        self.lines.append("")
        self.explain(doc)
        if isinstance(shape, ListOf):
            for index, one in enumerate(value):
                self.lines += [] if not index else [""]
                self.lines.append(f"[[{_header(path)}]]")
                self.table(shape.item, one, (*path, index))
            return
        # A table of tables needs no header of its own.
        if not (isinstance(shape, MapOf) and _is_table(shape.item) and value):
            self.lines.append(f"[{_header(path)}]")
        self.table(shape, value, path)

    def explain(self, doc: str) -> None:
        self.lines += comment_lines(doc)


def _item_shape(shape: Shape) -> Shape:
    assert isinstance(shape, MapOf)
    return shape.item


def _is_table(shape: Shape) -> bool:
    return isinstance(shape, SubTable | MapOf) or (isinstance(shape, ListOf) and isinstance(shape.item, SubTable))


def _header(path: KeyPath) -> str:
    return ".".join(quote_key(key) for key in path if isinstance(key, str))
