"""Policies of MTA-STS (RFC 8461 §3.2): how other servers shall reach our domains."""

from appliance.config.addresses import DomainEntry
from appliance.config.static import Static
from appliance.servers.web.respond import Response


def answer(static: Static, entry: DomainEntry) -> Response:
    """The policy of a domain that has one. Nobody on the way shall keep it: its id in DNS says when it changes."""
    policy = entry.config.mtasts
    assert policy is not None
    hosts = [("*." if one.is_wildcard else "") + one.domain.ascii for one in policy.mx]
    lines = [
        "version: STSv1",
        f"mode: {policy.mode}",
        *(f"mx: {host}" for host in hosts or [static.hostname.domain.ascii]),
        f"max_age: {int(policy.max_age.seconds)}",
    ]
    # RFC 8461 §3.2 asks for text/plain, and takes line ends of either kind.
    return Response(200, "".join(f"{line}\n" for line in lines).encode(), "text/plain", {"cache-control": "no-store"})
