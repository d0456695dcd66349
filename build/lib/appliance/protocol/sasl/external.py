"""EXTERNAL: the TLS certificate of the client has said already who it is (RFC 4422 §A)."""

from collections.abc import Generator

from appliance.protocol.sasl.exchange import Answer, ExternalClaim, Step, Surroundings, ask, username


def external(_: Surroundings, initial: bytes | None) -> Generator[Step, Answer, ExternalClaim]:
    """An address to act as; empty for that of the certificate (RFC 4422 §A.1). Raises SASLError."""
    return ExternalClaim(username(initial if initial is not None else (yield from ask(b""))))
