"""What an aggregate report tells the owner of a domain about one message (RFC 7489 §7.2, Appendix C).

Whether it is kept, and for how long, belongs to those who report.
"""

import enum
from dataclasses import dataclass
from typing import Final

from appliance.mail.address import Address
from appliance.msgauth.client import Client
from appliance.msgauth.dmarc.record import Policy, Record
from appliance.msgauth.results import SPF, AuthStatus, Checked, Identity


class Override(enum.StrEnum):
    """Why a policy was not followed (PolicyOverrideType)."""

    FORWARDED = "forwarded"
    SAMPLED_OUT = "sampled_out"
    TRUSTED_FORWARDER = "trusted_forwarder"
    MAILING_LIST = "mailing_list"
    LOCAL_POLICY = "local_policy"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DKIMEntry:
    """A signature (DKIMAuthResultType)."""

    domain: str
    selector: str
    result: str
    human_result: str


@dataclass(frozen=True, slots=True)
class SPFEntry:
    """An identity (SPFAuthResultType)."""

    domain: str
    #: mfrom or helo.
    scope: str
    result: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One message. Domains in A-labels."""

    policy_domain: str
    published: Record
    source_ip: str
    #: What was done: none, quarantine or reject.
    disposition: Policy
    dkim_aligned: bool
    spf_aligned: bool
    overrides: tuple[Override, ...]
    envelope_to: str
    envelope_from: str
    header_from: str
    dkim: tuple[DKIMEntry, ...]
    spf: tuple[SPFEntry, ...]


_SCOPES: Final = {Identity.MAILFROM: "mfrom", Identity.HELO: "helo"}


def evaluation(
    client: Client, checked: Checked, recipient: Address, disposition: Policy, overrides: tuple[Override, ...] = ()
) -> Evaluation | None:
    """What there is to report; None when no record asks for it, or nobody knows what the record says."""
    dmarc, sender = checked.dmarc, checked.msg_from
    if dmarc.record is None or dmarc.policy_domain is None or sender is None or not dmarc.record.aggregate:
        return None
    mail_from = client.reverse_path.address
    return Evaluation(
        policy_domain=dmarc.policy_domain.ascii,
        published=dmarc.record,
        source_ip=str(client.remote_ip),
        disposition=disposition,
        dkim_aligned=dmarc.dkim_aligned,
        spf_aligned=dmarc.spf_aligned,
        overrides=overrides,
        envelope_to=recipient.domain.ascii,
        envelope_from=mail_from.domain.ascii if mail_from is not None else "",
        header_from=sender.domain.ascii,
        dkim=tuple(
            DKIMEntry(one.domain.ascii, one.selector, one.status.value, one.text)
            for one in checked.dkim
            if one.domain is not None
        ),
        spf=(_spf_entry(checked.spf),),
    )


def _spf_entry(spf: SPF) -> SPFEntry:
    # The schema has no policy, and a domain must stand there.
    domain = "" if spf.domain is None else spf.domain.ascii
    status = AuthStatus.NONE if spf.status is AuthStatus.POLICY else spf.status
    return SPFEntry(domain, _SCOPES[spf.identity], status.value)
