"""DMARC aggregate reports to the owners of domains whose mail came here (RFC 7489 §7.2), each whole hour.

What a report tells was written down with each message (delivery/owed.py). Reports go into the queue by the transaction
that says that their evaluations are over: whatever happens to this process, a message is reported once.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec
import trio

from appliance.base.limits import EVALUATION_HOURS, REPORT
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail import compose, date, dmarcreport
from appliance.mail.address import Address
from appliance.mail.compose import TooLarge
from appliance.mail.dmarcreport import DMARCReport, PublishedPolicy, Record
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth.dmarc import check, record as records
from appliance.msgauth.results import AuthStatus
from appliance.queue import own
from appliance.reports import calendar, posting
from appliance.reports.posting import Letter
from appliance.store import evaluation as evaluations, reportsuppression
from appliance.store.report import Kind
from appliance.store.store import Store
from appliance.store.transaction import WriteTx

log = Log("dmarcreports")

queued = Counter("dmarcdb_report_queued_total", "DMARC reports of ours put into the queue, by recipient.")
errors = Counter("dmarcdb_report_error_total", "DMARC reports of ours that could not be made.")

#: For all look-ups of one report.
LOOKUP_SECONDS: Final = 120.0
_BACK: Final = timedelta(hours=EVALUATION_HOURS)
#: Domains given up by one transaction.
_TOGETHER: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """An address that reports about a domain may be sent to."""

    address: Address
    uri: str
    most_octets: int | None = None

    def takes(self, octets: int) -> bool:
        """Whether a report is not too large for it."""
        return self.most_octets is None or octets <= self.most_octets


async def run(app: Appliance) -> None:
    """Keeper task. Begins with the hour that is just over: a restart must not cost anybody his report of the day."""
    end = calendar.hour_of(app.clock.now())
    while True:
        await posting.wait_until(app.clock, calendar.dmarc_wake(end, posting.chance(app.random)))
        await send_due(app, end)
        end = calendar.next_hour(end, app.clock.now())


async def send_due(app: Appliance, end: datetime) -> None:
    """Queue the reports that are due at a whole hour. What goes wrong with one hinders no other."""
    if app.config.snapshot().static.no_outgoing_dmarc_reports:
        return
    wanted, unwanted = await trio.to_thread.run_sync(_due, app.store, end)
    for at in range(0, len(unwanted), _TOGETHER):
        await app.store.write(_give_up, unwanted[at : at + _TOGETHER], end)
    async for domain in posting.paced(app.clock, wanted, calendar.DMARC_SPREAD):
        await _try(app, domain, end)


async def send_now(app: Appliance) -> list[str]:
    """Queue all that is owed until now, though nobody waits for it yet; the domains that it is about."""
    if app.config.snapshot().static.no_outgoing_dmarc_reports:
        return []
    end = app.clock.now().replace(microsecond=0)
    wanted, _ = await trio.to_thread.run_sync(partial(_due, app.store, end, everybody=True))
    for domain in wanted:
        await _try(app, domain, end)
    return wanted


async def _try(app: Appliance, domain: str, end: datetime) -> None:
    try:
        await report(app, domain, end)
    except Exception as error:
        errors.inc()
        log.error("report failed", error, domain=domain)


def _due(store: Store, end: datetime, *, everybody: bool = False) -> tuple[list[str], list[str]]:
    """Domains that get a report now, and domains that do not: all there is of them is not worth it.

    `everybody`: whatever interval they wish.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    with store.read() as tx:
        for domain in evaluations.domains(tx):
            last = evaluations.last(tx, domain, before=_microseconds(end))
            if last is None or not (everybody or calendar.is_due(last.interval_hours, end)):
                continue
            found = evaluations.owed(tx, domain, since=_microseconds(end - _BACK), before=_microseconds(end))
            (unwanted if all(one.optional for one in found) else wanted).append(domain)
    return wanted, unwanted


def _give_up(tx: WriteTx, domains: Sequence[str], end: datetime) -> None:
    for domain in domains:
        evaluations.end(tx, domain, _microseconds(end))


async def report(app: Appliance, domain: str, end: datetime) -> None:
    """Queue the report about a domain for a period that ends then; or give it up; or keep it for the next time."""
    config = app.config.snapshot()
    with app.store.read() as tx:
        oldest = next(evaluations.owed(tx, domain, since=_microseconds(end - _BACK)), None)
    if oldest is None:
        return
    problems: list[str] = []
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            to, is_whole = await _wanted(app, parse_domain(domain, lax=True), problems)
    except trio.TooSlowError:
        to, is_whole = [], False
    except DomainError:
        to, is_whole = [], True
    # Who does not answer twice shall not keep the report from the others.
    waited = oldest.evaluated < _microseconds(end - oldest.interval_hours * calendar.HOUR)
    if not is_whole and not (to and waited):
        log.info("report put off", domain=domain, problems=problems)
        return
    letters: list[Letter] = []
    if to:
        letters = await trio.to_thread.run_sync(partial(_letters, app, config, domain, end, to, problems))
    if not letters:
        log.info("no report", domain=domain, problems=problems)
        await app.store.write(_give_up, [domain], end)
        return
    if await app.store.write(_queue, config, domain, end, letters):
        for letter in letters:
            queued.inc(len(letter.to))
            log.info("report queued", domain=domain, subject=letter.subject, to=[one.unicode for one in letter.to])


def _queue(tx: WriteTx, config: Config, domain: str, end: datetime, letters: Sequence[Letter]) -> bool:
    """All of it, or nothing; False when it was done before."""
    if not evaluations.end(tx, domain, _microseconds(end)):
        return False
    for letter in letters:
        posting.queue(tx, config, letter)
    return True


# Who gets it.


async def _wanted(app: Appliance, domain: Domain, problems: list[str]) -> tuple[list[Wanted], bool]:
    """Who gets the reports about a domain by its record of today, and whether nobody needs to be asked again."""
    resolver = app.resolver.named("dmarcreports")
    found = await check.lookup(resolver, domain)
    if found.status is AuthStatus.TEMPERROR:
        problems.append(found.text)
        return [], False
    if found.record is None or found.domain != domain:
        problems.append(found.text or "no record")
        return [], True
    is_whole = True
    wanted: dict[str, Wanted] = {}
    for given in found.record.aggregate:
        if posting.mail_address(given) is None:
            problems.append(f"{given.uri} is no address for mail")
            continue
        # RFC 7489 §7.1: nobody shall be flooded with reports that he never asked for.
        permission = await check.may_report(resolver, domain, given)
        if permission.status is AuthStatus.TEMPERROR:
            is_whole = False
        if permission.status is not AuthStatus.PASS:
            problems.append(f"{given.uri}: {permission.problem}")
            continue
        for one in permission.aggregate or (given,):
            _add(app, wanted, one, problems)
    return list(wanted.values()), is_whole


def _add(app: Appliance, wanted: dict[str, Wanted], one: records.ReportAddress, problems: list[str]) -> None:
    address = posting.mail_address(one)
    if address is None:
        problems.append(f"{one.uri} is no address for mail")
        return
    with app.store.read() as tx:
        if reportsuppression.is_suppressed(tx, Kind.DMARC, address, app.clock.microseconds()):
            log.info("no report to a suppressed address", address=address.unicode)
            return
    wanted.setdefault(address.ascii.lower(), Wanted(address, one.uri, one.most_octets))


# What it says.


def _letters(
    app: Appliance, config: Config, domain: str, end: datetime, to: Sequence[Wanted], problems: Sequence[str]
) -> list[Letter]:
    """The report to those that take one of its size; if it is too large for all, a note that says so. In a thread."""
    host = config.static.hostname.domain
    sender = Address("postmaster", host)
    report_id = f"{end:%Y%m%d.%H}.{app.random.token_bytes(12).hex()}"
    told = compile_report(
        app.store, domain, end, organization=host.ascii, email=sender.ascii, report_id=report_id, problems=problems
    )
    if told is None:
        return []
    signing = own.signing_domain(config, host)
    # Unsigned it may still pass by SPF, and says nothing that is secret.
    write = partial(
        posting.write,
        app,
        config,
        Kind.DMARC,
        sender=sender,
        signer=None if signing is None else Address("postmaster", signing),
    )
    subject = f"Report Domain: {domain} Submitter: {host.ascii} Report-ID: <{report_id}>"
    name = f"{host.ascii}!{domain}!{int(told.begin.timestamp())}!{int(told.end.timestamp())}.xml.gz"
    packed = gzip.compress(dmarcreport.write(told), mtime=0)
    body = compose.multipart(
        "mixed",
        [compose.text(_text(told)), posting.attached(packed, "application/gzip", name)],
        boundary=posting.boundary(app.random),
    )
    size = len(body.octets)
    try:
        letter = write(to=[one.address for one in to], subject=subject, body=body)
        size = len(letter.octets)
        takers = [one.address for one in to if one.takes(size)]
        if len(takers) == len(to):
            return [letter]
        if takers:
            return [write(to=takers, subject=subject, body=body)]
    except TooLarge:
        pass
    subject = f"Report Domain: {domain} Submitter: {host.ascii} Report-ID: <{report_id}> Error: too large"
    note = _error_note(app, told, to, size)
    return [write(to=[one.address for one in to], subject=subject, body=note)]


def compile_report(
    store: Store,
    domain: str,
    end: datetime,
    *,
    organization: str,
    email: str,
    report_id: str,
    problems: Sequence[str] = (),
) -> DMARCReport | None:
    """The report for a period that ends then; None when there is nothing to tell. May take a second: in a thread.

    Messages with the same outcome are one row. It is no larger than what we read ourselves.
    """
    counts: dict[Record, int] = {}
    oldest = last = None
    left_out = 0
    with store.read() as tx:
        for one in evaluations.owed(tx, domain, since=_microseconds(end - _BACK), before=_microseconds(end)):
            oldest, last = oldest or one, one
            if one.record in counts or len(counts) < REPORT.rows:
                counts[one.record] = counts.get(one.record, 0) + 1
            else:
                left_out += 1
    if oldest is None or last is None:
        return None
    rows = [msgspec.structs.replace(record, count=count) for record, count in counts.items()]
    rows.sort(key=lambda row: -row.count)

    def told() -> DMARCReport:
        cut = [f"{left_out} messages are not told of: there are too many different ones"] if left_out else []
        return DMARCReport(
            organization=organization,
            email=email,
            report_id=report_id,
            begin=calendar.begin(end, last.interval_hours, datetime.fromtimestamp(oldest.evaluated / 1e6, UTC)),
            end=end - timedelta(seconds=1),
            policy=_published(last.policy),
            records=tuple(rows),
            errors=(*problems, *cut),
            version="1.0",
        )

    while len(dmarcreport.write(made := told())) > REPORT.file_octets:
        left_out += sum(row.count for row in rows[len(rows) // 2 :])
        rows = rows[: len(rows) // 2]
    return made


def _published(policy: PublishedPolicy) -> PublishedPolicy:
    """The policy as the schema has it (RFC 7489 appendix C): sp= must be there, np= is unknown."""
    return msgspec.structs.replace(
        policy, subdomain_policy=policy.subdomain_policy or policy.policy, nonexistent_policy=""
    )


def _text(told: DMARCReport) -> str:
    messages = sum(row.count for row in told.records)
    return (
        f"This is a DMARC aggregate report (RFC 7489) by the mail server {told.organization}.\n"
        "\n"
        f"It tells of {messages} messages with {told.policy.domain} or a domain below it in From,\n"
        f"which came from {told.begin:%Y-%m-%d %H:%M:%S} to {told.end:%Y-%m-%d %H:%M:%S} UTC.\n"
        "\n"
        "The attached file is meant for programs. You get it because the DMARC record of the\n"
        "domain has this address in rua=.\n"
    )


def _error_note(app: Appliance, told: DMARCReport, to: Sequence[Wanted], size: int) -> compose.Entity:
    """RFC 7489 §7.2.2."""
    fields = [
        ("Report-Date", date.format(app.clock.now())),
        ("Report-Domain", told.policy.domain),
        ("Report-ID", told.report_id),
        ("Report-Size", str(size)),
        ("Submitter", told.organization),
        ("Submitting-URI", ",".join(one.uri for one in to)),
    ]
    parts = [
        compose.text("".join(f"{name}: {value}\n" for name, value in fields)),
        compose.text(
            f"The DMARC aggregate report about {told.policy.domain} was not sent: it is larger than\n"
            "each of these addresses takes, or than this server sends. It is not tried again.\n"
        ),
    ]
    return compose.multipart("mixed", parts, boundary=posting.boundary(app.random))


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
