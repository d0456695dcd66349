"""CRAM-MD5: the password stays at home, but what we keep of it is as good as it for this mechanism (RFC 2195)."""

import hmac
from collections.abc import Generator

from appliance.protocol.sasl import derive
from appliance.protocol.sasl.exchange import (
    Answer,
    CramSecrets,
    CramWanted,
    Fault,
    Proven,
    SASLError,
    Step,
    Surroundings,
    ask,
    username,
)


def cram_md5(surroundings: Surroundings, initial: bytes | None) -> Generator[Step, Answer, Proven]:
    """The client's name and, in hexadecimal, HMAC-MD5 of our challenge with its password. Raises SASLError."""
    if initial is not None:
        raise SASLError(Fault.MALFORMED, "CRAM-MD5 has no initial response")  # RFC 4954 §4, RFC 4959 §3
    challenge = surroundings.challenge.encode("ascii")
    response = yield from ask(challenge)
    name, space, digest = response.rpartition(b" ")
    if not space or len(digest) != 32:
        raise SASLError(Fault.MALFORMED, "CRAM-MD5 takes a name and a digest")
    user = username(name)
    secrets = yield CramWanted(user)
    assert isinstance(secrets, CramSecrets)
    matching = -1
    for at, (inner, outer) in enumerate(secrets.states):
        expected = derive.cram_md5_digest(inner, outer, challenge).hex().encode()
        if hmac.compare_digest(expected, digest.lower()):
            matching = at
    if matching < 0:
        raise SASLError(Fault.WRONG, "wrong user name or password")
    return Proven(user, matching)
