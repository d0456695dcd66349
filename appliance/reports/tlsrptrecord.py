"""Where a domain or host wants its reports about TLS: its record in the DNS (RFC 8460 §3)."""

import time
from dataclasses import dataclass
from typing import Final

from appliance.base.metrics import Histogram
from appliance.dns.problems import InvalidName, NotFound
from appliance.dns.resolver import Resolver
from appliance.mail import tlsreport
from appliance.mail.tlsreport import TLSRPTRecordError

durations = Histogram(
    "tlsrpt_lookup_duration_seconds",
    "Time to look up where a domain wants its reports about TLS, by result.",
    ("result",),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30),
)

NOT_FOUND: Final = "notfound"
MULTIPLE: Final = "multiple"
MALFORMED: Final = "malformed"


class NoRecord(Exception):
    """There is none that counts; the text says why, of its name."""

    def __init__(self, result: str, text: str) -> None:
        super().__init__(text)
        #: As the metric names it.
        self.result = result


@dataclass(frozen=True, slots=True)
class Found:
    """A record, as it stands and as it is meant."""

    text: str
    addresses: tuple[str, ...]


async def look_up(resolver: Resolver, domain: str) -> Found:
    """The record of a domain or host in A-labels. Raises NoRecord, Temporary."""
    began, result = time.perf_counter(), "temporary"
    try:
        found = await _look_up(resolver, f"_smtp._tls.{domain}")
        result = "ok"
    except NoRecord as problem:
        result = problem.result
        raise
    finally:
        durations.labels(result).observe(time.perf_counter() - began)
    return found


async def _look_up(resolver: Resolver, name: str) -> Found:
    try:
        texts = [text for text in (await resolver.txt(name)).records if tlsreport.is_record(text)]
    except (NotFound, InvalidName):
        texts = []
    if not texts:
        raise NoRecord(NOT_FOUND, f"{name} has no records about TLS reports")
    if len(texts) > 1:  # RFC 8460 §3
        raise NoRecord(MULTIPLE, f"{name} has {len(texts)} records about TLS reports: only one may be")
    try:
        return Found(texts[0], tlsreport.parse_record(texts[0]).addresses)
    except TLSRPTRecordError as error:
        raise NoRecord(MALFORMED, f"{name} {error}") from error
