"""Reports about TLS to domains and hosts that mail was sent to (RFC 8460), each day.

The queue wrote down what became of its sessions (store/tlsresult.py). First the domains that the mail was for are told,
of all that concerns them; then the hosts that took it, where they have addresses of their own. A report goes into the
queue by the transaction that says that its results are told: whatever happens to this process, they are told once.
Where reports are taken by HTTPS, it is posted before that: who gets it again after a crash knows it by its id.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
import trio

from appliance.base.limits import REPORT, TLS_RESULT_HOURS
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.dns.problems import Temporary
from appliance.mail import compose, tlsreport
from appliance.mail.address import Address
from appliance.mail.tlsreport import PolicyResult, TLSReport
from appliance.msgauth.dmarc import record as records
from appliance.net.dial import Permits
from appliance.net.http import URL, Bounds, Client, HTTPError, Request, parse_url
from appliance.net.publicaddress import is_public
from appliance.queue import own
from appliance.reports import calendar, posting, tlsrptrecord
from appliance.reports.posting import Letter
from appliance.reports.tlsrptrecord import NoRecord
from appliance.store import reportsuppression, tlsresult
from appliance.store.report import Kind
from appliance.store.store import Store
from appliance.store.tlsresult import TLSResult, Which
from appliance.store.transaction import WriteTx
from appliance.tls.context import client_context

log = Log("tlsreports")

queued = Counter("tlsrptsend_report_queued_total", "TLS reports of ours put into the queue, by recipient.")
posted = Counter("tlsrptsend_report_posted_total", "TLS reports of ours taken by web servers.")
errors = Counter("tlsrptsend_report_error_total", "TLS reports of ours that could not be made.")

LOOKUP_SECONDS: Final = 60.0
#: Addresses that one report goes to, and web servers.
_ADDRESSES: Final = 20
_URLS: Final = 5
#: What a web server may cost that is posted to; of what it answers, the code alone matters.
_BOUNDS: Final = Bounds(seconds=60, body_octets=4096, cut=True)


@dataclass(frozen=True, slots=True)
class Job:
    """A report that may be due: about a day, to a domain or a host, of these results."""

    day: int
    domain: str
    to_host: bool
    about: tuple[Which, ...]
    #: Of a day that is not over: tells its reports apart, which would pass for the same report otherwise.
    part: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """Who gets the reports of a domain or host."""

    mail: tuple[Address, ...] = ()
    web: tuple[URL, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, to be compared."""
        return tuple(sorted((*(one.ascii.lower() for one in self.mail), *map(str, self.web))))


@dataclass(frozen=True, slots=True)
class Packed:
    """A report, and the file that is sent of it."""

    value: TLSReport
    sender: Address
    octets: bytes


#: Of the file.
_TYPE: Final = "application/tlsrpt+gzip"


def client(app: Appliance, permits: Permits = is_public) -> Client:
    """What posts reports, to addresses that are permitted.

    Whose certificate is wrong gets the report all the same (RFC 8460 §3): it may be what is to be told.
    """
    return Client(app.resolver.named("tlsreports"), client_context(), lambda *_: "", "tlsreports", permits=permits)


async def run(app: Appliance) -> None:
    """Keeper task. Begins with the days before today: the machine may have been off at midnight."""
    midnight = calendar.day_of(app.clock.now())
    while True:
        await send_due(app, midnight)
        midnight += calendar.DAY
        await posting.wait_until(app.clock, calendar.tls_wake(midnight, posting.chance(app.random)))
        midnight = max(midnight, calendar.day_of(app.clock.now()))


async def send_due(app: Appliance, midnight: datetime, permits: Permits = is_public) -> None:
    """Send the reports about days that ended at a midnight or before. What goes wrong with one hinders no other."""
    jobs = await _all(app, midnight)
    web = client(app, permits)
    async for job in posting.paced(app.clock, jobs, calendar.TLS_SPREAD):
        await _try(app, job, web)


async def send_now(app: Appliance, permits: Permits = is_public) -> list[str]:
    """Send all that is to be told until now, of the day that is not over, too; the domains and hosts it is about.

    What happens in the rest of the day is another report.
    """
    now = app.clock.now()
    today = tlsresult.day_of(calendar.day_of(now))
    jobs = await _all(app, calendar.day_of(now) + calendar.DAY)
    web = client(app, permits)
    for job in jobs:
        await _try(app, replace(job, part=f".{now:%H%M%S}") if job.day == today else job, web)
    return list(dict.fromkeys(job.domain for job in jobs))


async def _all(app: Appliance, midnight: datetime) -> list[Job]:
    """What may be due; nothing where none may be sent."""
    config = app.config.snapshot()
    if config.static.no_outgoing_tls_reports:
        return []
    jobs = await trio.to_thread.run_sync(_jobs, app.store, midnight)
    if jobs and own.signing_domain(config, config.static.hostname.domain) is None:
        # RFC 8460 §3: they must be signed.
        log.error("no reports about TLS: no domain of this host's name or above it signs with DKIM")
        return []
    return jobs


async def _try(app: Appliance, job: Job, web: Client) -> None:
    try:
        await report(app, job, web)
    except Exception as error:
        errors.inc()
        log.error("report failed", error, domain=job.domain)


def _jobs(store: Store, midnight: datetime) -> list[Job]:
    """All reports that may be due, the oldest day first, domains before hosts. What is too old is left to retention."""
    oldest = tlsresult.day_of(midnight - timedelta(hours=TLS_RESULT_HOURS))
    domains: dict[tuple[int, str], list[Which]] = {}
    hosts: dict[tuple[int, str], list[Which]] = {}
    with store.read() as tx:
        for which in tlsresult.before(tx, tlsresult.day_of(midnight)):
            if which.day < oldest:
                continue
            domains.setdefault((which.day, which.recipient_domain), []).append(which)
            if which.is_host:
                hosts.setdefault((which.day, which.policy_domain), []).append(which)
    return [
        Job(day, domain, to_host, tuple(about))
        for to_host, group in ((False, domains), (True, hosts))
        for (day, domain), about in group.items()
    ]


async def report(app: Appliance, job: Job, web: Client) -> None:
    """Queue and post a report; or say that nobody is to be told; or keep it for the next day."""
    config = app.config.snapshot()
    with app.store.read() as tx:
        found = [(which, tlsresult.get(tx, which)) for which in job.about]
    # Hosts wait until the domain was told: its report may be theirs too.
    left = {which: one for which, one in found if one is not None and one.is_told == job.to_host}
    if not left:
        return
    everything = config.static.outgoing_tls_reports_for_all_success
    worth = any(one.sends_report for one in left.values()) and (
        everything or any(result.failed_sessions for one in left.values() for result in one.results)
    )
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            to = await _targets(app, job.domain) if worth else Targets()
    except (Temporary, trio.TooSlowError) as problem:
        log.info("report put off", problem, domain=job.domain)
        return
    told = [one for one in left.values() if not (job.to_host and one.addresses == to.names)]
    packed = letter = None
    if to.names and told:
        packed = await trio.to_thread.run_sync(_packed, config, job, told)
    if packed is not None and to.mail:
        letter = await trio.to_thread.run_sync(partial(_letter, app, config, job, packed, to.mail))
    is_posted = packed is not None and await _post(web, job, packed, to.web)
    if packed is not None and not is_posted and not to.mail:
        # RFC 8460 §5.5: tried again, and given up when the results are too old.
        log.info("report put off, as no web server took it", domain=job.domain)
        return
    names = to.names if is_posted or letter is not None else ()
    if await app.store.write(_settle, config, job, left, names, letter) and letter is not None:
        queued.inc(len(to.mail))
        log.info("report queued", domain=job.domain, to=[one.unicode for one in to.mail])


async def _post(web: Client, job: Job, packed: Packed, urls: Sequence[URL]) -> bool:
    """Post a report to each; whether any took it (RFC 8460 §5.4)."""
    taken = 0
    for url in urls:
        request = Request(url, "POST", (("Content-Type", _TYPE),), packed.octets)
        try:
            response = await web.send(request, _BOUNDS)
        except HTTPError as problem:
            log.info("report not posted", problem, domain=job.domain, url=str(url))
            continue
        is_taken = 200 <= response.status < 300
        taken += is_taken
        words = "report posted" if is_taken else "report not taken"
        log.info(words, domain=job.domain, url=str(url), code=response.status)
    posted.inc(taken)
    return taken > 0


def _settle(
    tx: WriteTx,
    config: Config,
    job: Job,
    left: dict[Which, TLSResult],
    names: tuple[str, ...],
    letter: Letter | None,
) -> bool:
    """Queue the report and say that its results are told, or nothing; False when somebody else did it meanwhile."""
    if any(tlsresult.get(tx, which) != one for which, one in left.items()):
        return False
    for which in left:
        if job.to_host:
            tlsresult.remove(tx, which)
        else:
            tlsresult.told(tx, which, names)
    if letter is not None:
        posting.queue(tx, config, letter)
    return True


async def _targets(app: Appliance, domain: str) -> Targets:
    """Who gets the reports of a domain or host by its record; nobody when there is none. Raises Temporary."""
    try:
        record = await tlsrptrecord.look_up(app.resolver.named("tlsreports"), domain)
    except NoRecord as problem:
        if problem.result == tlsrptrecord.MALFORMED:
            log.info("no report", domain=domain, problem=str(problem))
        return Targets()
    found: dict[str, Address] = {}
    urls: dict[str, URL] = {}
    for uri in record.addresses:
        if uri.lower().startswith("https:"):
            try:
                url = parse_url(uri)
            except ValueError as error:
                log.info("no report to a URL", domain=domain, problem=str(error))
                continue
            urls.setdefault(str(url), url)
            continue
        address = posting.mail_address(records.ReportAddress(uri))
        if address is None:
            continue
        with app.store.read() as tx:
            if reportsuppression.is_suppressed(tx, Kind.TLS, address, app.clock.microseconds()):
                log.info("no report to a suppressed address", address=address.unicode)
                continue
        found.setdefault(address.ascii.lower(), address)
    return Targets(tuple(found.values())[:_ADDRESSES], tuple(urls.values())[:_URLS])


# What it says.


def _packed(config: Config, job: Job, told: Sequence[TLSResult]) -> Packed | None:
    """The report; None when no domain of ours can answer for it. In a thread."""
    host = own.signing_domain(config, config.static.hostname.domain)
    if host is None:
        return None
    sender = Address("postmaster", host)
    value = compile_report(job.day, job.domain, sender, told, part=job.part)
    return Packed(value, sender, gzip.compress(tlsreport.write(value), mtime=0))


def _letter(app: Appliance, config: Config, job: Job, packed: Packed, to: Sequence[Address]) -> Letter | None:
    """The report as mail; None when it is too large. In a thread."""
    value, sender = packed.value, packed.sender
    host = value.organization
    begin, end = (int(moment.timestamp()) for moment in (value.begin, value.end))
    name = f"{host}!{job.domain}!{begin}!{end}.json.gz"
    body = compose.multipart(
        "report",
        [
            compose.text(_text(value, job)),
            posting.attached(packed.octets, _TYPE, name),
        ],
        boundary=posting.boundary(app.random),
        parameters=(("report-type", "tlsrpt"),),
    )
    try:
        return posting.write(
            app,
            config,
            Kind.TLS,
            sender=sender,
            signer=sender,
            to=to,
            # RFC 8460 §5.3.
            subject=f"Report Domain: {job.domain} Submitter: {host} Report-ID: <{value.report_id}>",
            body=body,
            more=[
                ("TLS-Report-Domain", job.domain),
                ("TLS-Report-Submitter", host),
                # What is told may be the very reason why TLS would fail.
                ("TLS-Required", "No"),
            ],
            requiretls=False,
        )
    except compose.TooLarge as problem:
        errors.inc()
        log.error("report too large", problem, domain=job.domain)
        return None


def compile_report(day: int, domain: str, sender: Address, told: Sequence[TLSResult], *, part: str = "") -> TLSReport:
    """The report about a day, to a domain or host. It has no more rows than what we read ourselves."""
    results = (result for one in told for result in one.results)
    policies: list[PolicyResult] = []
    room = REPORT.rows
    for result in tlsreport.merge(results, policies=REPORT.rows, failures=REPORT.rows):
        policies.append(msgspec.structs.replace(result, failures=result.failures[:room]))
        room -= min(room, len(result.failures))
    begin = tlsresult.begin_of(day)
    return TLSReport(
        organization=sender.domain.ascii,
        contact=sender.ascii,
        report_id=f"{begin:%Y%m%d}{part}.{domain}@{sender.domain.ascii}",
        begin=begin,
        end=begin + timedelta(days=1, seconds=-1),
        policies=tuple(policies),
    )


def _text(value: TLSReport, job: Job) -> str:
    good = sum(one.successful_sessions for one in value.policies)
    failed = sum(one.failed_sessions for one in value.policies)
    what = "this host" if job.to_host else "hosts of this domain"
    return (
        f"This is a report about TLS (RFC 8460) by the mail server {value.organization}.\n"
        "\n"
        f"On {value.begin:%Y-%m-%d} UTC it had {good} sessions with {what}, {job.domain},\n"
        f"that were as they should be, and {failed} that were not.\n"
        "\n"
        "The attached file is meant for programs. You get it because the TLSRPT record of\n"
        "the domain has this address in rua=.\n"
    )
