"""What was found out, as header fields for the message: Authentication-Results and Received-SPF.

RFC 8601, RFC 7208 §9.1. Only facts of ours and names that were checked stand in them; explanations of strangers do not.
"""

from collections.abc import Iterator
from typing import Final

from appliance.mail import authres, receivedspf
from appliance.mail.authres import AuthResults, Method, Property
from appliance.mail.domain import Domain
from appliance.mail.receivedspf import ReceivedSPF
from appliance.msgauth.client import Client
from appliance.msgauth.results import SPF, AuthStatus, Checked, DKIMResult, Identity

#: Names of sealers that are told, the last ones of a longer chain.
_SEALERS: Final = 5


def authentication_results(client: Client, checked: Checked, *, override: str = "", utf8: bool = False) -> bytes:
    """The field with its line end.

    `override` says why a failed DMARC policy was not followed: mailing_list, forwarded or sampled_out.
    """
    return authres.compose(results(client, checked, override=override, utf8=utf8), utf8=utf8)


def results(client: Client, checked: Checked, *, override: str = "", utf8: bool = False) -> AuthResults:
    """The same as a value."""
    methods = [_iprev(client, checked)]
    methods += [_dkim(one, utf8=utf8) for one in checked.dkim] or [Method("dkim", "none")]
    methods += _spf(client, checked, utf8=utf8)
    methods.append(_dmarc(checked, override, utf8=utf8))
    methods += _arc(client, checked)
    return AuthResults(client.hostname, tuple(methods))


def received_spf(client: Client, checked: Checked, *, utf8: bool = False) -> bytes:
    """The field about the identity that counts, with its line end."""
    spf = checked.spf
    return receivedspf.compose(
        ReceivedSPF(
            result=spf.status.value,
            comment=_spf_comment(client, spf, utf8=utf8),
            client_ip=client.remote_ip,
            envelope_from=client.reverse_path.unicode if utf8 else client.reverse_path.ascii,
            helo=_helo(client, utf8=utf8),
            problem=spf.text if spf.status in {AuthStatus.TEMPERROR, AuthStatus.PERMERROR} else "",
            mechanism=spf.mechanism,
            receiver=client.hostname,
            identity=spf.identity.value,
        ),
        utf8=utf8,
    )


def _spelled(domain: Domain, *, utf8: bool) -> str:
    return domain.unicode if utf8 else domain.ascii


def _helo(client: Client, *, utf8: bool) -> str:
    helo = client.helo
    return _spelled(helo, utf8=utf8) if isinstance(helo, Domain) else str(helo or "")


def _dnssec(authentic: bool) -> str:
    return "with dnssec" if authentic else "without dnssec"


def _iprev(client: Client, checked: Checked) -> Method:
    found = checked.iprev
    address = Property("policy", "iprev", str(client.remote_ip), found.name)
    return Method("iprev", found.status.value, _dnssec(found.authentic), found.text, (address,))


def _dkim(found: DKIMResult, *, utf8: bool) -> Method:
    properties = []
    if found.domain is not None:
        properties.append(Property("header", "d", _spelled(found.domain, utf8=utf8)))
    named = (("s", found.selector), ("a", found.algorithm), ("b", found.header_b), ("i", found.identity))
    properties += [Property("header", name, value) for name, value in named if value]
    remark = f"{found.key_bits} bit rsa, " if found.key_bits else ""
    return Method("dkim", found.status.value, remark + _dnssec(found.authentic), found.text, tuple(properties))


def _arc(client: Client, checked: Checked) -> Iterator[Method]:
    """RFC 8617 §10.2: the chain, where there is one."""
    found = checked.arc
    if found.status is AuthStatus.NONE:
        return
    properties = [Property("smtp", "remote-ip", str(client.remote_ip))]
    if found.status is AuthStatus.PASS:
        properties.append(Property("header", "oldest-pass", str(found.oldest_pass)))
    sealers = ", ".join(one.domain.ascii for one in found.sets[-_SEALERS:])
    yield Method("arc", found.status.value, f"sealed by {sealers}" if sealers else "", found.text, tuple(properties))


def _spf(client: Client, checked: Checked, *, utf8: bool) -> Iterator[Method]:
    """MAIL FROM, and what the client called itself where that says something of its own."""
    yield _spf_method(client, checked.spf, utf8=utf8)
    other = checked.helo_spf
    if other is not checked.spf and other.identity is not checked.spf.identity and other.status is not AuthStatus.NONE:
        yield _spf_method(client, other, utf8=utf8)


def _spf_method(client: Client, found: SPF, *, utf8: bool) -> Method:
    if found.identity is Identity.HELO:
        name, value = "helo", _helo(client, utf8=utf8)
    else:
        name, value = "mailfrom", client.reverse_path.unicode if utf8 else client.reverse_path.ascii
    properties = (Property("smtp", name, value),) if value else ()
    return Method("spf", found.status.value, _dnssec(found.authentic), found.text, properties)


def _spf_comment(client: Client, found: SPF, *, utf8: bool) -> str:
    """What the result means, for people."""
    ip, domain = client.remote_ip, "" if found.domain is None else _spelled(found.domain, utf8=utf8)
    match found.status:
        case AuthStatus.PASS:
            return f"{domain} permits {ip}"
        case AuthStatus.FAIL | AuthStatus.SOFTFAIL:
            return f"{domain} does not permit {ip}"
        case AuthStatus.NEUTRAL:
            return f"{domain} says nothing about {ip}"
        case AuthStatus.NONE:
            return f"{domain} has no SPF record" if domain else "no domain to ask"
        case _:
            return f"{domain} could not be asked"


def _dmarc(checked: Checked, override: str, *, utf8: bool) -> Method:
    found = checked.dmarc
    properties: tuple[Property, ...] = ()
    if checked.msg_from is not None:
        properties = (Property("header", "from", _spelled(checked.msg_from.domain, utf8=utf8)),)
    remark = _dnssec(found.authentic) + (f", override {override}" if override else "")
    return Method("dmarc", found.status.value, remark, found.text, properties)
