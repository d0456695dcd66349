"""Which mechanisms there are, and which of them a client is told of (RFC 4422 §3.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.protocol.sasl.cram import cram_md5
from appliance.protocol.sasl.exchange import Exchange, Surroundings
from appliance.protocol.sasl.external import external
from appliance.protocol.sasl.plain import login, plain
from appliance.protocol.sasl.scram import scram


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism and what it asks of the connection."""

    #: Begins an exchange; takes the initial response, None when there is none.
    start: Callable[[Surroundings, bytes | None], Exchange]
    #: Cannot be without TLS.
    needs_tls: bool = False
    #: Sends the password: without TLS only where the operator allows it.
    sends_password: bool = False
    #: Needs the client's certificate.
    needs_certificate: bool = False


#: By name, the one we would rather see first. Each PLUS form stands before its bare form.
MECHANISMS: Final[dict[str, Mechanism]] = {
    "EXTERNAL": Mechanism(external, needs_tls=True, needs_certificate=True),
    "SCRAM-SHA-256-PLUS": Mechanism(scram("sha256", plus=True), needs_tls=True),
    "SCRAM-SHA-256": Mechanism(scram("sha256", plus=False)),
    "SCRAM-SHA-1-PLUS": Mechanism(scram("sha1", plus=True), needs_tls=True),
    "SCRAM-SHA-1": Mechanism(scram("sha1", plus=False)),
    "CRAM-MD5": Mechanism(cram_md5),
    "PLAIN": Mechanism(plain, sends_password=True),
    "LOGIN": Mechanism(login, sends_password=True),
}


def announced(*, passwords: bool, certificate: bool) -> list[str]:
    """What a client is told it may use, best first.

    `passwords`: they may be sent, because of TLS or by the operator's leave. The PLUS forms are told without TLS too,
    so that a client can notice when somebody cuts TLS or them out (RFC 5802 §6). `certificate`: one was accepted.
    """
    return [
        name
        for name, one in MECHANISMS.items()
        if (passwords or not one.sends_password) and (certificate or not one.needs_certificate)
    ]
