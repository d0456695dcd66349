"""All checks of one message, side by side: the one door of this room for those who receive mail.

Whatever happens, the caller gets an answer: every check has a limit of time, and a bug in one counts as temperror.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final, TypeVar

import trio
from msgspec import structs

from appliance.base.limits import ADDRESSES, HEADER
from appliance.base.log import Log
from appliance.base.metrics import Histogram, panics
from appliance.dns.problems import NotAtHand
from appliance.dns.resolver import Resolver
from appliance.mail.address import Address, AddressError, mailboxes, parse_list, sole_from
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth import arc, iprev, publicsuffix
from appliance.msgauth.client import Client
from appliance.msgauth.dkim import verify as dkim
from appliance.msgauth.dkim.signature import FIELD_NAME, Header, fields_of
from appliance.msgauth.dkim.verify import INLINE_HEADER_OCTETS
from appliance.msgauth.dmarc import check as dmarc
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import (
    DMARC,
    SPF,
    ARCResult,
    AuthStatus,
    Checked,
    DKIMResult,
    Identity,
    IPRev,
    Validation,
)
from appliance.msgauth.spf import check as spf_check

#: Domains in From that are asked for a policy, when there are several.
FROM_DOMAINS: Final = 10
_SIGNATURE: Final = FIELD_NAME.lower()
#: For all their records.
POLICY_SECONDS: Final = 60.0

dmarc_results = Histogram(
    "dmarc_verify_duration_seconds",
    "Time from the start of the checks to the judgement by DMARC, by result, reject and use.",
    ("status", "reject", "use"),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received."""

    #: The header section with the empty line that ends it.
    header: bytes
    #: Octets, header included.
    size: int
    #: Octets from and to an offset; may read the disk when the message is large.
    read: Callable[[int, int], bytes]


async def check_spf(resolver: Resolver, client: Client, log: Log) -> SPF:
    """SPF of MAIL FROM alone, for whoever needs to know before there is a message. Raises nothing."""
    question = spf_check.of_path(client.remote_ip, client.reverse_path, client.helo, client.hostname)
    failed = SPF(AuthStatus.TEMPERROR, question.identity, question.domain, text="something went wrong here")
    return await _contained("spf", lambda: spf_check.check(resolver, question), failed, log)


async def check(
    resolver: Resolver,
    client: Client,
    message: Message,
    log: Log,
    *,
    chance: float,
    spf: SPF | None = None,
    now: float | None = None,
) -> Checked:
    """Everything about who sent a message. Raises nothing, and takes no more than a minute or so.

    `chance`, from 0 up to 1, draws the messages that DMARC's pct= spares; `spf` is the result of `check_spf` when it is
    known already. `now` is for signatures that expire, in seconds since 1970; None: what the system's clock says.
    """
    if not publicsuffix.is_loaded():
        await trio.to_thread.run_sync(publicsuffix.load)
    began = trio.current_time()
    if len(message.header) > INLINE_HEADER_OCTETS:
        fields, (msg_from, domains) = await trio.to_thread.run_sync(_look, message.header)
    else:
        fields, (msg_from, domains) = _look(message.header)
    run = _Run(client, message, fields, log, domains, spf, time.time() if now is None else now)
    await _all(run, resolver)
    assert run.spf is not None
    verdict = _judge(run, domains, chance, log)
    use = str(verdict.sampled).lower()
    dmarc_results.labels(verdict.status.value, str(verdict.rejects).lower(), use).observe(trio.current_time() - began)
    return Checked(
        msg_from=msg_from,
        msg_from_org_domain=organizational_domain(msg_from.domain) if msg_from is not None else None,
        iprev=run.found_iprev,
        spf=run.spf,
        helo_spf=run.helo_spf or run.spf,
        dkim=run.dkim,
        dmarc=verdict,
        msg_from_validation=_validation(msg_from, run.spf, run.dkim, verdict),
        arc=run.arc,
    )


async def _all(run: "_Run", resolver: Resolver) -> None:
    """Every check: those whose answers are at hand one after the other, what must wait side by side."""
    asking = [run.iprev, run.mail_from, run.helo, run.policies]
    hashing = [run.signatures] if run.fields.named(_SIGNATURE) else []
    if any(run.fields.named(name) for name in arc.FIELDS):
        hashing.append(run.chain)
    waiting: list[Callable[[Resolver], Awaitable[None]]] = []
    at_hand = resolver.at_hand()
    for check in [*asking, *hashing]:
        # Hashing may take long; meanwhile the others ask.
        if at_hand is None or (check in hashing and (waiting or run.is_large)):
            waiting.append(check)
            continue
        try:
            await check(at_hand)
        except NotAtHand:
            waiting.append(check)
    if waiting:
        async with trio.open_nursery() as nursery:
            for one in waiting:
                nursery.start_soon(one, resolver)


def _look(head: bytes) -> tuple[Header, tuple[Address | None, tuple[Domain, ...]]]:
    fields = fields_of(head, HEADER)
    return fields, _senders([fields.value(index) for index in fields.named(b"from")])


def senders(head: bytes) -> tuple[Address | None, tuple[Domain, ...]]:
    """From's one address, None unless there is exactly one; and the domains that From names, each once."""
    return _look(head)[1]


def _senders(values: Sequence[bytes]) -> tuple[Address | None, tuple[Domain, ...]]:
    try:
        sender = sole_from(values)
    except AddressError:
        pass
    else:
        return sender, (sender.domain,)
    found: dict[Domain, None] = {}
    for value in values:
        for mailbox in mailboxes(parse_list(value, ADDRESSES)):
            try:
                found[parse_domain(mailbox.domain, lax=True)] = None
            except DomainError:
                continue
            if len(found) == FROM_DOMAINS:
                break
    return None, tuple(found)[:FROM_DOMAINS]


T = TypeVar("T")


async def _contained(name: str, check: Callable[[], Awaitable[T]], failed: T, log: Log) -> T:
    """What a check finds; `failed` when it has a bug. Raises NotAtHand."""
    try:
        return await check()
    except NotAtHand:
        raise
    except Exception as error:
        panics.labels(name).inc()
        log.error("unhandled exception in a check of the sender", error, check=name)
        return failed


class _Run:
    """The checks of one message while they run; each leaves its result in a field."""

    def __init__(
        self,
        client: Client,
        message: Message,
        fields: Header,
        log: Log,
        domains: tuple[Domain, ...],
        spf: SPF | None,
        now: float,
    ) -> None:
        self._client = client
        self._message = message
        self.fields = fields
        self._log = log
        self._domains = domains
        self._now = now
        self.spf = spf
        #: None when it is the one above: MAIL FROM was null.
        self.helo_spf: SPF | None = None
        self.found_iprev = IPRev(AuthStatus.TEMPERROR)
        self.dkim: tuple[DKIMResult, ...] = ()
        self.arc = ARCResult(AuthStatus.NONE)
        self.found: list[dmarc.Found] = []

    @property
    def is_large(self) -> bool:
        """Whether its signatures are looked at in a thread."""
        head = len(self._message.header)
        return head > INLINE_HEADER_OCTETS or self._message.size - head > dkim.INLINE_BODY_OCTETS

    async def iprev(self, resolver: Resolver) -> None:
        failed = IPRev(AuthStatus.TEMPERROR, text="something went wrong here")
        resolver, ip = resolver.named("iprev"), self._client.remote_ip
        self.found_iprev = await _contained("iprev", lambda: iprev.check(resolver, ip), failed, self._log)

    async def mail_from(self, resolver: Resolver) -> None:
        if self.spf is None:
            self.spf = await check_spf(resolver.named("spf"), self._client, self._log)

    async def helo(self, resolver: Resolver) -> None:
        """RFC 7208 §2.3 recommends to check it as well."""
        client = self._client
        if client.reverse_path.is_null:
            return
        question = spf_check.of_helo(client.remote_ip, client.helo, client.hostname)
        failed = SPF(AuthStatus.TEMPERROR, Identity.HELO, question.domain, text="something went wrong here")
        asked = resolver.named("spf")
        self.helo_spf = await _contained("spf", lambda: spf_check.check(asked, question), failed, self._log)

    async def signatures(self, resolver: Resolver) -> None:
        message, asked = self._message, resolver.named("dkim")
        failed: tuple[DKIMResult, ...] = (DKIMResult(AuthStatus.TEMPERROR, None, text="something went wrong here"),)
        terms = dkim.Terms(now=self._now, services=(_MAIL, _TLS_REPORTS))
        found = await _contained(
            "dkim",
            lambda: dkim.verify(asked, message.header, message.read, message.size, terms, fields=self.fields),
            failed,
            self._log,
        )
        self.dkim = tuple(map(_as_mail, found))

    async def chain(self, resolver: Resolver) -> None:
        message, asked = self._message, resolver.named("arc")
        failed = ARCResult(AuthStatus.FAIL, text="something went wrong here")
        self.arc = await _contained(
            "arc",
            lambda: arc.verify(asked, message.header, message.read, message.size, now=self._now, fields=self.fields),
            failed,
            self._log,
        )

    async def policies(self, resolver: Resolver) -> None:
        """The DMARC records of all domains in From."""
        asked = resolver.named("dmarc")

        async def lookup_all() -> list[dmarc.Found]:
            found: list[dmarc.Found] = []
            with asked.within(POLICY_SECONDS):
                for domain in self._domains:
                    found.append(await dmarc.lookup(asked, domain))  # noqa: PERF401  what came in time is kept
            return found

        self.found = await _contained("dmarc", lookup_all, [], self._log)


#: What keys may be used for (RFC 6376 §3.6.1, RFC 8460 §3).
_MAIL: Final = "email"
_TLS_REPORTS: Final = "tlsrpt"


def _as_mail(found: DKIMResult) -> DKIMResult:
    """A signature whose key is for reports about TLS only says nothing about other mail."""
    if {"*", _MAIL} & set(found.services):
        return found
    passes = found.status is AuthStatus.PASS
    return structs.replace(found, status=AuthStatus.PERMERROR, text="key is not for mail", is_for_reports=passes)


def _judge(run: _Run, domains: tuple[Domain, ...], chance: float, log: Log) -> DMARC:
    if not domains:
        return DMARC(AuthStatus.NONE, text="no domain in From")
    assert run.spf is not None
    unknown = dmarc.Found(AuthStatus.TEMPERROR, text="the record could not be looked up")
    try:
        verdicts = [
            dmarc.evaluate(domain, found, run.spf, run.dkim, chance=chance)
            for domain, found in zip(domains, chain(run.found, repeat(unknown)), strict=False)
        ]
    except Exception as error:
        panics.labels("dmarc").inc()
        log.error("unhandled exception in a check of the sender", error, check="dmarc")
        return DMARC(AuthStatus.TEMPERROR, text="something went wrong here")
    return dmarc.strictest(verdicts)


def _validation(msg_from: Address | None, spf: SPF, dkim: tuple[DKIMResult, ...], verdict: DMARC) -> Validation:
    """How far From is vouched for, best first."""
    if msg_from is None:
        return Validation.NONE
    vouched = {one.domain for one in dkim if one.status is AuthStatus.PASS}
    if spf.status is AuthStatus.PASS:
        vouched.add(spf.domain)
    domains = {domain for domain in vouched if domain is not None}
    if msg_from.domain in domains:
        return Validation.STRICT
    if verdict.status is AuthStatus.PASS:
        return Validation.DMARC
    organization = organizational_domain(msg_from.domain)
    if verdict.status is AuthStatus.NONE and any(organizational_domain(domain) == organization for domain in domains):
        return Validation.RELAXED
    return _FAILED.get(verdict.status, Validation.NONE)


_FAILED: Final = {
    AuthStatus.FAIL: Validation.FAIL,
    AuthStatus.TEMPERROR: Validation.TEMPERROR,
    AuthStatus.PERMERROR: Validation.PERMERROR,
}
