"""What we owe to others: what DMARC said of a message is kept until an aggregate report tells it (RFC 7489 §7.2)."""

from typing import Final

from appliance.base.limits import EVALUATIONS_KEPT
from appliance.mail.dmarcreport import DKIMAuth, PublishedPolicy, Reason, Record, SPFAuth
from appliance.msgauth.dmarc import evaluation, record as records
from appliance.store import evaluation as evaluations
from appliance.store.transaction import WriteTx

#: Intervals in which a day has a whole number of reports, at the same hours each day; the greatest first.
_INTERVALS: Final = (24, 12, 8, 6, 4, 3, 2, 1)


def interval_hours(seconds: int) -> int:
    """How often reports go to somebody who wants them so often (ri=, RFC 7489 §6.3); 0 means as often as can be."""
    hours = -(-seconds // 3600)
    return next((one for one in _INTERVALS if one <= hours), 1)


def published(domain: str, record: records.Record) -> PublishedPolicy:
    """A policy as reports spell it; `domain` is where it was found."""
    return PublishedPolicy(
        domain=domain,
        policy=record.policy.value,
        subdomain_policy=record.subdomain_policy.value if record.subdomain_policy is not None else "",
        dkim_alignment=record.dkim_alignment.value,
        spf_alignment=record.spf_alignment.value,
        percentage=record.percentage,
        failure_options=":".join(record.failure_options),
        nonexistent_policy=record.nonexistent_policy.value if record.nonexistent_policy is not None else "",
    )


def note(tx: WriteTx, found: evaluation.Evaluation, *, optional: bool) -> bool:
    """Keep what is to be reported, in the transaction that delivers or refuses the message; False when all is full.

    `optional`: not worth a report by itself. A message that is itself a report must not cause one, or two servers would
    write to each other for ever.
    """
    dkim, spf = ("pass" if one else "fail" for one in (found.dkim_aligned, found.spf_aligned))
    record = Record(
        source_ip=found.source_ip,
        count=1,
        disposition=found.disposition.value,
        dkim=dkim,
        spf=spf,
        reasons=tuple(Reason(one.value) for one in found.overrides),
        header_from=found.header_from,
        envelope_from=found.envelope_from,
        envelope_to=found.envelope_to,
        dkim_auth=tuple(DKIMAuth(one.domain, one.selector, one.result, one.human_result) for one in found.dkim),
        spf_auth=tuple(SPFAuth(one.domain, one.scope, one.result) for one in found.spf),
    )
    owed = evaluations.Evaluation(
        policy_domain=found.policy_domain,
        evaluated=tx.now,
        optional=optional,
        interval_hours=interval_hours(found.published.interval_seconds),
        addresses=tuple(address.uri for address in found.published.aggregate),
        policy=published(found.policy_domain, found.published),
        record=record,
    )
    return evaluations.note(tx, owed, most=EVALUATIONS_KEPT)
