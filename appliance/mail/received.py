"""The Received field that we add to every message that comes in (RFC 5321 §4.4)."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from appliance.mail import date

#: Columns of a line before it is folded (RFC 5322 §2.1.1 says 78).
COLUMNS = 76


@dataclass(frozen=True, slots=True)
class Received:
    """All of the field but the recipient."""

    #: What the client called itself; our own name for a submission, whose client is nobody's business.
    helo: str
    #: None hides the client.
    remote_ip: IPv4Address | IPv6Address | None
    hostname: str
    local_ip: IPv4Address | IPv6Address
    #: `ESMTPSA` and the like (RFC 3848, RFC 6531 §4.3).
    protocol: str
    id: str
    #: TLS version and cipher; empty without TLS.
    tls: str
    requiretls: bool
    when: datetime
    #: Name of the client's address in DNS, where it is known.
    remote_name: str = ""
    #: The names in U-labels, for a message that needs SMTPUTF8; those in A-labels stand beside them then.
    helo_unicode: str = ""
    hostname_unicode: str = ""


def compose(received: Received, recipient: str = "") -> bytes:
    """The field with its line end, folded with tabs."""
    words = ["Received: from", *_named(received.helo, received.helo_unicode, received.remote_ip, received.remote_name)]
    words += ["by", *_named(received.hostname, received.hostname_unicode, received.local_ip)]
    words += ["via tcp with", received.protocol]
    if received.requiretls:
        words.append("(requiretls)")  # RFC 8689 §4.2.1
    words.append(f"id {received.id}")
    if received.tls:
        words.append(f"({received.tls})")
    if recipient:
        words.append(f"for <{recipient}>")
    words[-1] += ";"
    words.append(date.format(received.when))
    lines, line = [], words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > COLUMNS:
            lines.append(line)
            line = "\t" + word
        else:
            line += " " + word
    lines.append(line)
    return "".join(f"{line}\r\n" for line in lines).encode()


def _named(ascii: str, unicode: str, ip: IPv4Address | IPv6Address | None, name: str = "") -> list[str]:
    """A host: what it calls itself, and in a comment what else is known of it (RFC 5321 §4.4)."""
    is_unicode = unicode not in {"", ascii}
    known = [ascii] if is_unicode else []
    known += [name] if name and name != ascii else []
    known += [_literal(ip)] if ip is not None else []
    shown = unicode if is_unicode else ascii
    return [shown, f"({' '.join(known)})"] if known else [shown]


def _literal(address: IPv4Address | IPv6Address) -> str:
    """An address literal (RFC 5321 §4.1.3)."""
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
