"""Leaving a list by one click: what its mail offers is posted by the server (RFC 8058).

The address stands in a stranger's mail. So it is asked only for messages whose signature is over both fields, as the
RFC demands, only by https, only at addresses of the public Internet, and nothing of the answer is shown but its status.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail import header
from appliance.msgauth.dkim import signature, tags
from appliance.net.http import Bounds, Client, Fault, HTTPError, Request, parse_url
from appliance.operations.actor import Actor, Right
from appliance.operations.messages import find
from appliance.store import bodies, message as messages
from appliance.store.records import Origin
from appliance.store.tables import MessageID
from appliance.tls.context import client_context
from appliance.tls.verify import by_authorities

log = Log("unsubscribe")

BODY: Final = b"List-Unsubscribe=One-Click"
_FIELDS: Final = (b"list-unsubscribe", b"list-unsubscribe-post")
_URI: Final = re.compile(r"<\s*(https:[^<>\s]{1,2000})\s*>", re.IGNORECASE)
_BOUNDS: Final = Bounds(seconds=30, body_octets=512, cut=True)
_SIGNATURES: Final = 20
#: What people are told of a request that had no answer.
_SAID: Final = {
    Fault.NO_HOST: "there is no such server",
    Fault.DNS: "its server could not be looked up",
    Fault.CONNECTION: "its server could not be reached",
    Fault.FORBIDDEN: "its address is none of the public Internet",
    Fault.TIMEOUT: "its server did not answer in time",
    Fault.TLS: "its server could not be spoken to over TLS",
    Fault.CERTIFICATE: "its server has no certificate that can be trusted",
    Fault.PROTOCOL: "its server does not answer as the web does",
    Fault.TOO_LARGE: "its server answers with too much",
}


class NotOffered(Problem):
    """The message offers no way to leave by one click that can be trusted."""

    kind = Kind.UNSUPPORTED


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it."""

    #: Of the response; 0 when there was none.
    status: int
    #: Why there was none.
    error: str = ""


def client(app: Appliance) -> Client:
    """What lists are asked with: at addresses that the house allows for webhooks, which users choose, too."""

    def judge(chain: Sequence[bytes], name: str) -> str:
        return by_authorities(chain, name, app.roots, app.clock.now()).result

    permits = app.policy.takes_webhooks
    return Client(app.resolver.named("unsubscribe"), client_context(), judge, "unsubscribe", permits=permits)


def offer(octets: bytes, origin: Origin) -> str | None:
    """The URL by which a message lets its reader leave; None where it does not, or where nothing vouches for that.

    `octets`: its header as received.
    """
    fields = header.fields(octets, limits=limits.HEADER)
    links = header.get_all(octets, fields, b"List-Unsubscribe")
    posts = header.get_all(octets, fields, b"List-Unsubscribe-Post")
    if len(links) != 1 or len(posts) != 1 or posts[0].replace(b" ", b"").lower() != BODY.lower():
        return None
    found = _URI.search(links[0].decode("ascii", "replace"))
    if found is None or not _is_signed(header.get_all(octets, fields, b"DKIM-Signature"), origin):
        return None
    return found[1]


def _is_signed(values: Sequence[bytes], origin: Origin) -> bool:
    """Whether a signature of a domain that was verified when the message came is over both fields (RFC 8058 §4)."""
    verified = {*origin.dkim_domains, *origin.orig_dkim_domains}
    for value in values[:_SIGNATURES]:
        try:
            one = signature.parse(tags.parse(value))
        except tags.TagError:
            continue
        if one.domain.unicode in verified and set(_FIELDS) <= set(one.signed):
            return True
    return False


async def post(app: Appliance, actor: Actor, client: Client, id: MessageID) -> Asked:
    """Ask the list of a message to let its reader go. Raises NoSuchMessage, NotOffered."""
    actor.require(Right.CHANGE_MAIL)
    with app.store.read() as tx:
        _, place = find(tx, actor, id)
        facts = messages.facts(tx, actor.account, id)
        octets = bodies.read(tx, place.body, 0, min(facts.root.body, limits.HEADER.octets))
    text = offer(octets, facts.origin)
    if text is None:
        raise NotOffered("the message offers no way to leave by one click that can be trusted")
    try:
        url = parse_url(text)
    except ValueError as error:
        raise NotOffered(f"its address cannot be used: {error}") from error
    fields = (("Content-Type", "application/x-www-form-urlencoded"),)
    try:
        # RFC 8058 §3.2: nothing that tells who asks. A redirect is no answer.
        response = await client.send(Request(url, "POST", fields, BODY), _BOUNDS)
    except HTTPError as error:
        said = _SAID[error.fault]
        log.info("list not left", account=actor.name, host=url.host, why=said)
        return Asked(0, said)
    log.info("list asked to let go", account=actor.name, host=url.host, status=response.status)
    return Asked(response.status)
