"""PLAIN and LOGIN, which send the password: only for connections with TLS (RFC 4616)."""

from collections.abc import Generator

from appliance.protocol.sasl.exchange import (
    Answer,
    Fault,
    PasswordCredentials,
    SASLError,
    Step,
    Surroundings,
    ask,
    text,
    username,
)


def plain(_: Surroundings, initial: bytes | None) -> Generator[Step, Answer, PasswordCredentials]:
    """PLAIN: authzid NUL authcid NUL password (RFC 4616 §2). Raises SASLError."""
    response = initial if initial is not None else (yield from ask(b""))
    fields = response.split(b"\0")
    if len(fields) != 3:
        raise SASLError(Fault.MALFORMED, "PLAIN takes three fields")
    authorization, authentication, password = username(fields[0]), username(fields[1]), text(fields[2])
    if authorization and authorization != authentication:
        raise SASLError(Fault.AUTHORIZATION, "cannot act for somebody else")
    return PasswordCredentials(authentication, password)


def login(_: Surroundings, initial: bytes | None) -> Generator[Step, Answer, PasswordCredentials]:
    """LOGIN: the user's name, then the password. Raises SASLError.

    It has no standard but many clients, some of which look at the challenges: `User Name` and others will not do.
    """
    user = initial if initial is not None else (yield from ask(b"Username:"))
    password = yield from ask(b"Password:")
    return PasswordCredentials(username(user), text(password))
