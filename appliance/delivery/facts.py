"""What the decision needs to know, put together from the checks of a message. So far the parts that ask nobody.

What is stored is asked for by whoever drives `decide`.
"""

from appliance.config.domains import Ruleset
from appliance.delivery.decide import Accept, Refuse
from appliance.delivery.reputation import Sender
from appliance.mail import header
from appliance.mail.domain import Domain
from appliance.msgauth.client import Client
from appliance.msgauth.results import Checked
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
    known = Sender(
        msg_from=msg_from.unicode if msg_from else "",
        msg_from_domain=msg_from.domain.unicode if msg_from else "",
        msg_from_org_domain=org_domain.unicode if org_domain else "",
        msg_from_validated=checked.msg_from_validated,
        dkim_domains=dkim,
    )
    if is_forward:
        return known
    path = client.reverse_path
    return Sender(
        msg_from=known.msg_from,
        msg_from_domain=known.msg_from_domain,
        msg_from_org_domain=known.msg_from_org_domain,
        msg_from_validated=known.msg_from_validated,
        dkim_domains=dkim,
        mail_from=path.unicode,
        mail_from_domain=path.domain.unicode if isinstance(path.domain, Domain) else "",
        mail_from_validated=checked.mail_from_validated,
        ehlo_domain=client.helo.unicode if isinstance(client.helo, Domain) else "",
        ehlo_validated=checked.helo_validated,
        networks=networks(client.remote_ip),
    )


def reason_field(verdict: Accept | Refuse) -> bytes:
    """The header field that tells the reader why a message is where it is: the reason, then a line for each step."""
    return header.fold_text(b"X-Mox-Reason", "; ".join([verdict.reason, *verdict.details]).encode())
