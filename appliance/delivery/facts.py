"""What the decision needs to know, put together from the checks of a message: the parts that ask nobody. Pure.

What is stored is asked for by whoever drives `decide`.
"""

from dataclasses import replace

from appliance.config.domains import Ruleset
from appliance.delivery.decide import Accept, Refuse
from appliance.delivery.reputation import Sender
from appliance.mail import header
from appliance.mail.address import Address
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth import arc
from appliance.msgauth.client import Client
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import Checked, Validation
from appliance.store.history import networks


def sender(client: Client, checked: Checked, ruleset: Ruleset | None) -> Sender:
    """Who sent a message, for its reputation.

    What was forwarded tells nothing about the host that brought it, which is neither blamed nor credited: all that it
    vouches for itself is left out, its signatures too.
    """
    msg_from, org_domain = checked.msg_from, checked.msg_from_org_domain
    dkim = checked.dkim_domains
    is_forward = ruleset is not None and ruleset.is_forward
    if ruleset is not None and is_forward and (forwarder := ruleset.verified_domain) is not None:
        name = forwarder.domain.unicode
        dkim = tuple(one for one in dkim if one != name and not one.endswith(f".{name}"))
    path, helo = client.reverse_path, client.helo
    return Sender(
        msg_from=msg_from.unicode if msg_from else "",
        msg_from_domain=msg_from.domain.unicode if msg_from else "",
        msg_from_org_domain=org_domain.unicode if org_domain else "",
        msg_from_validated=checked.msg_from_validated,
        dkim_domains=dkim,
        mail_from="" if is_forward else path.unicode,
        mail_from_domain=path.domain.unicode if isinstance(path.domain, Domain) and not is_forward else "",
        mail_from_validated=checked.mail_from_validated and not is_forward,
        ehlo_domain=helo.unicode if isinstance(helo, Domain) and not is_forward else "",
        ehlo_validated=checked.helo_validated and not is_forward,
        networks=() if is_forward else networks(client.remote_ip),
    )


def own_sender(sender: Address | None) -> Sender:
    """One of our users, whose right to his From was seen to when he submitted the message."""
    if sender is None:
        return Sender()
    return Sender(
        msg_from=sender.unicode,
        msg_from_domain=sender.domain.unicode,
        msg_from_org_domain=organizational_domain(sender.domain).unicode,
        msg_from_validated=True,
    )


def forwarded(checked: Checked, ruleset: Ruleset | None) -> tuple[Checked, tuple[str, ...]]:
    """The checks of a message that a server forwarded whom the account trusts, and a line for the reader.

    SPF cannot pass any more, and a signature may be broken: what the forwarder found when the message came to him
    (RFC 8617 §7.2.1) then counts as evidence for From. It is no evidence against it: he chose to forward it.
    """
    if ruleset is None or not ruleset.is_forward or (forwarder := ruleset.verified_domain) is None:
        return checked, ()
    name, below = forwarder.domain.ascii, f".{forwarder.domain.ascii}"
    seen = arc.believed(checked.arc, lambda domain: domain.ascii == name or domain.ascii.endswith(below))
    if seen is None or seen.results is None:
        return checked, ()
    said = [one for one in seen.results.methods if one.method == "dmarc"]
    note = f"{seen.domain.unicode} found by ARC: dmarc={said[0].result}" if said else f"sealed by {seen.domain.unicode}"
    if checked.msg_from is None or checked.msg_from_validated:
        return checked, (note,)
    for one in said:
        about = next((prop.value for prop in one.properties if (prop.type, prop.name) == ("header", "from")), "")
        try:
            is_about_it = parse_domain(about, lax=True) == checked.msg_from.domain
        except DomainError:
            continue
        if one.result == "pass" and is_about_it:
            return replace(checked, msg_from_validation=Validation.DMARC), (note,)
    return checked, (note,)


def reason_field(verdict: Accept | Refuse) -> bytes:
    """The header field that tells the reader why a message is where it is: the reason, then a line for each step."""
    return header.fold_list(b"X-Mox-Reason", [one.encode() for one in (verdict.reason, *verdict.details)])
