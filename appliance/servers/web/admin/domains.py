"""Domains."""

from appliance.servers.web.api import Call, Wire


class DomainListed(Wire):
    """A domain in a list."""

    domain: str
    disabled: bool


async def domains(call: Call) -> list[DomainListed]:
    """All domains, by name."""
    configured = call.app.config.snapshot().domains.domains
    return [DomainListed(domain=name, disabled=configured[name].disabled) for name in sorted(configured)]
