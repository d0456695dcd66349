"""Exchanges, played to their end: responses in, challenges and outcome out."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from appliance.protocol.sasl import derive
from appliance.protocol.sasl.exchange import (
    Challenge,
    CramSecrets,
    ExternalClaim,
    Fault,
    PasswordCredentials,
    Proven,
    SASLError,
    ScramSecrets,
    Surroundings,
)
from appliance.protocol.sasl.mechanisms import MECHANISMS, announced

JANE = PasswordCredentials("jane@a.example", "secret")
CRAM_CHALLENGE = "<1896.697170952@postoffice.reston.mci.net>"
BINDING = b"what TLS says"


def surroundings(nonce: str = "servernonce", *, offered: bool = True) -> Surroundings:
    bindings = {"tls-exporter": BINDING, "tls-server-end-point": b"digest"}
    return Surroundings(nonce, CRAM_CHALLENGE, bindings.get, offered)


def play(
    mechanism: str,
    responses: Sequence[bytes | SASLError | None],
    secrets: Any = None,
    around: Surroundings | None = None,
) -> tuple[list[bytes], Any]:
    """Challenges sent and the outcome: what was returned or the fault. The first response is the initial one."""
    first, *rest = responses
    left = list(rest)
    challenges: list[bytes] = []
    assert not isinstance(first, SASLError)
    exchange = MECHANISMS[mechanism].start(around or surroundings(), first)
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Challenge):
                challenges.append(step.octets)
                answer = left.pop(0)
                step = exchange.throw(answer) if isinstance(answer, SASLError) else exchange.send(answer)
            else:
                step = exchange.send(secrets)
    except StopIteration as end:
        assert not left
        return challenges, end.value
    except SASLError as error:
        assert not left
        return challenges, error.fault


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(b"\0jane@a.example\0secret", JANE, id="no authorization id"),
        pytest.param(b"jane@a.example\0jane@a.example\0secret", JANE, id="the same"),
        pytest.param("\0j\u00e9@a.example\0s\u00e9".encode(), PasswordCredentials("j\u00e9@a.example", "s\u00e9"), id="UTF-8"),
        pytest.param("\0je\u0301@a.example\0x".encode(), PasswordCredentials("j\u00e9@a.example", "x"), id="NFD"),
        pytest.param("j\u00e9@a.example\0je\u0301@a.example\0x".encode(), PasswordCredentials("j\u00e9@a.example", "x"), id="the same in NFD"),
        pytest.param(b"\0\0", PasswordCredentials("", ""), id="empty, to be refused as wrong"),
        pytest.param(b"joe@a.example\0jane@a.example\0secret", Fault.AUTHORIZATION, id="another authorization id"),
        pytest.param(b"", Fault.MALFORMED, id="nothing"),
        pytest.param(b"jane@a.example\0secret", Fault.MALFORMED, id="two fields"),
        pytest.param(b"\0jane@a.example\0sec\0ret", Fault.MALFORMED, id="four fields"),
        pytest.param(b"\0\xff\0secret", Fault.MALFORMED, id="not UTF-8"),
    ],
)  # fmt: skip
def test_plain(response: bytes, expected: PasswordCredentials | Fault) -> None:
    assert play("PLAIN", [response]) == ([], expected)
    assert play("PLAIN", [None, response]) == ([b""], expected)


@pytest.mark.parametrize(
    "initial", [pytest.param(True, id="initial response"), pytest.param(False, id="asked for the name")]
)
def test_login(initial: bool) -> None:
    """Clients look at the challenges, so these are exactly what they are."""
    asked = [] if initial else [b"Username:"]
    responses = [b"jane@a.example", b"secret"]
    assert play("LOGIN", responses if initial else [None, *responses]) == ([*asked, b"Password:"], JANE)


@pytest.mark.parametrize("response", [b"\xff", b"a\xc3"])
def test_login_takes_utf8_only(response: bytes) -> None:
    assert play("LOGIN", [response, b"secret"])[1] is Fault.MALFORMED


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(JANE)
    assert "jane@a.example" in repr(JANE)


@pytest.mark.parametrize("mechanism", sorted(set(MECHANISMS) - {"CRAM-MD5"}))
def test_giving_up(mechanism: str) -> None:
    assert play(mechanism, [None, SASLError(Fault.ABORTED, "")])[1] is Fault.ABORTED


CRAM = CramSecrets((derive.cram_md5(b"another"), derive.cram_md5(b"tanstaaftanstaaf")))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(b"tim b913a602c7eda7a495b4e6e7334d3890", Proven("tim", 1), id="RFC 2195 §2"),
        pytest.param(b"tim B913A602C7EDA7A495B4E6E7334D3890", Proven("tim", 1), id="in capitals"),
        pytest.param(b"tim b b913a602c7eda7a495b4e6e7334d3890", Proven("tim b", 1), id="a name with a space"),
        pytest.param(b"tim b913a602c7eda7a495b4e6e7334d3891", Fault.WRONG, id="wrong digest"),
        pytest.param(b"tim \xff913a602c7eda7a495b4e6e7334d3890", Fault.WRONG, id="no digest of ours"),
        pytest.param(b"tim b913", Fault.MALFORMED, id="short digest"),
        pytest.param(b"b913a602c7eda7a495b4e6e7334d3890", Fault.MALFORMED, id="no name"),
        pytest.param(b"\xff b913a602c7eda7a495b4e6e7334d3890", Fault.MALFORMED, id="not UTF-8"),
        pytest.param(b"", Fault.MALFORMED, id="nothing"),
    ],
)
def test_cram_md5(response: bytes, expected: Proven | Fault) -> None:
    assert play("CRAM-MD5", [None, response], CRAM) == ([CRAM_CHALLENGE.encode()], expected)


def test_cram_md5_has_no_initial_response() -> None:
    assert play("CRAM-MD5", [b"tim b913a602c7eda7a495b4e6e7334d3890"], CRAM) == ([], Fault.MALFORMED)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(b"", ExternalClaim(""), id="as the certificate says"),
        pytest.param("je\u0301@a.example".encode(), ExternalClaim("j\u00e9@a.example"), id="an address"),
        pytest.param(b"\xff", Fault.MALFORMED, id="not UTF-8"),
    ],
)
def test_external(response: bytes, expected: ExternalClaim | Fault) -> None:
    assert play("EXTERNAL", [response]) == ([], expected)
    assert play("EXTERNAL", [None, response]) == ([b""], expected)


# SCRAM


def scram_secrets(algorithm: str, salt: bytes, iterations: int, *passwords: bytes) -> ScramSecrets:
    return ScramSecrets(salt, iterations, tuple(derive.scram(algorithm, one, salt, iterations) for one in passwords))


@pytest.mark.parametrize(
    ("mechanism", "algorithm", "salt", "server_nonce", "first", "server_first", "final", "server_final"),
    [
        pytest.param(
            "SCRAM-SHA-1", "sha1", "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
            b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC 5802 §5",
        ),
        pytest.param(
            "SCRAM-SHA-256", "sha256", "W22ZaJ0SNY7soEsUEjb6gQ==", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC 7677 §3",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 1])
def test_scram_examples(mechanism, algorithm, salt, server_nonce, first, server_first, final, server_final, at) -> None:
    """The examples of the RFCs, with the password alone and among others."""
    passwords = [b"other"] * at + [b"pencil"]
    secrets = scram_secrets(algorithm, base64.b64decode(salt), 4096, *passwords)
    around = surroundings(server_nonce)
    outcome = [server_first, server_final], Proven("user", at)
    assert play(mechanism, [first, final, b""], secrets, around) == outcome
    assert play(mechanism, [None, first, final, b""], secrets, around) == ([b"", *outcome[0]], outcome[1])


SECRETS = scram_secrets("sha256", b"salt", 4, b"other", b"secret")


def final_message(
    first: bytes,
    *,
    password: bytes = b"secret",
    binding: bytes = b"",
    header: bytes | None = None,
    extra: bytes = b"",
    nonce: bytes = b"clientnonceservernonce",
) -> bytes:
    """What a client with a password says at the end."""
    gs2 = b",".join(first.split(b",")[:2]) + b","
    bare = first[len(gs2) :]
    channel = base64.b64encode((gs2 if header is None else header) + binding)
    without_proof = b"c=%b,r=%b%b" % (channel, nonce, extra)
    server_first = b"r=clientnonceservernonce,s=%b,i=4" % base64.b64encode(b"salt")
    salted = hashlib.pbkdf2_hmac("sha256", password, b"salt", 4)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), b",".join((bare, server_first, without_proof)), "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    return without_proof + b",p=" + base64.b64encode(proof)


BARE = b"n=jane,r=clientnonce"
EXPORTER = b"p=tls-exporter,,"
PROVEN = Proven("jane", 1)


@pytest.mark.parametrize(
    ("mechanism", "first", "options", "expected"),
    [
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {}, PROVEN, id="no binding"),
        pytest.param("SCRAM-SHA-256", b"n,a=jane," + BARE, {}, PROVEN, id="the same authorization id"),
        pytest.param("SCRAM-SHA-256", b"n,a=," + BARE, {}, PROVEN, id="empty authorization id"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE + b",x=new", {}, PROVEN, id="unknown attribute"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"extra": b",x=new"}, PROVEN, id="unknown attribute at the end"),
        pytest.param("SCRAM-SHA-256-PLUS", EXPORTER + BARE, {"binding": BINDING}, PROVEN, id="bound"),
        pytest.param("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,," + BARE, {"binding": b"digest"}, PROVEN, id="bound to the certificate"),
        pytest.param("SCRAM-SHA-256", EXPORTER + BARE, {"binding": BINDING}, PROVEN, id="bound under the bare name"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"password": b"wrong"}, (b"e=invalid-proof", Fault.WRONG), id="wrong password"),
        pytest.param("SCRAM-SHA-256-PLUS", EXPORTER + BARE, {"binding": b"another"}, (b"e=channel-bindings-dont-match", Fault.BINDING), id="another channel"),
        pytest.param("SCRAM-SHA-256-PLUS", EXPORTER + BARE, {}, (b"e=channel-bindings-dont-match", Fault.BINDING), id="binding left out"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"header": b"y,,"}, (b"e=channel-bindings-dont-match", Fault.BINDING), id="flag changed on the way"),
        pytest.param("SCRAM-SHA-256-PLUS", EXPORTER + BARE, {"binding": b"another", "password": b"wrong"}, (b"e=invalid-proof", Fault.WRONG), id="a stranger cannot make us warn of another channel"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"nonce": b"clientnonceanother"}, (b"e=other-error", Fault.FINAL_MESSAGE), id="another nonce"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"extra": b",m=must"}, (b"e=extensions-not-supported", Fault.FINAL_MESSAGE), id="mandatory extension at the end"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE, {"extra": b",what"}, (b"e=other-error", Fault.FINAL_MESSAGE), id="no attribute"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("gives_up", [False, True])
def test_scram(mechanism: str, first: bytes, options: dict[str, bytes], expected: Any, gives_up: bool) -> None:
    final = final_message(first, **options)
    server_first = b"r=clientnonceservernonce,s=c2FsdA==,i=4"
    if isinstance(expected, Proven):
        challenges, outcome = play(mechanism, [first, final, b""], SECRETS)
        assert challenges[0] == server_first
        assert challenges[1].startswith(b"v=")
        assert outcome == expected
        return
    # The client may answer the error with an empty line or give up: it is the same failure.
    last = SASLError(Fault.ABORTED, "") if gives_up else b""
    assert play(mechanism, [first, final, last], SECRETS) == ([server_first, expected[0]], expected[1])


@pytest.mark.parametrize(
    ("final", "reason", "fault"),
    [
        pytest.param(b"", b"other-error", Fault.FINAL_MESSAGE, id="nothing"),
        pytest.param(b"c=biws", b"other-error", Fault.FINAL_MESSAGE, id="binding alone"),
        pytest.param(b"c=biws,p=AAAA", b"other-error", Fault.FINAL_MESSAGE, id="no nonce"),
        pytest.param(b"c=biws,r=clientnonceservernonce", b"other-error", Fault.FINAL_MESSAGE, id="no proof"),
        pytest.param(b"c=!,r=clientnonceservernonce,p=AAAA", b"invalid-encoding", Fault.FINAL_MESSAGE, id="binding not base64"),
        pytest.param(b"c=biws,r=clientnonceservernonce,p=!", b"invalid-encoding", Fault.FINAL_MESSAGE, id="proof not base64"),
        pytest.param(b"c=biws,r=clientnonceservernonce,p=AAAA", b"invalid-proof", Fault.WRONG, id="short proof"),
        pytest.param(b"c=biws,r=clientnonceservernonce,p=", b"invalid-proof", Fault.WRONG, id="empty proof"),
        pytest.param(b"\xff\0", b"other-error", Fault.FINAL_MESSAGE, id="no text"),
    ],
)  # fmt: skip
def test_scram_final_message(final: bytes, reason: bytes, fault: Fault) -> None:
    challenges, outcome = play("SCRAM-SHA-256", [b"n,," + BARE, final, b""], SECRETS)
    assert (challenges[-1], outcome) == (b"e=" + reason, fault)


@pytest.mark.parametrize(
    ("mechanism", "first", "fault"),
    [
        pytest.param("SCRAM-SHA-256", b"", Fault.FIRST_MESSAGE, id="nothing"),
        pytest.param("SCRAM-SHA-256", b"n,", Fault.FIRST_MESSAGE, id="one comma"),
        pytest.param("SCRAM-SHA-256", b"n,,n=jane", Fault.FIRST_MESSAGE, id="no nonce"),
        pytest.param("SCRAM-SHA-256", b"n,,r=clientnonce,n=jane", Fault.FIRST_MESSAGE, id="out of order"),
        pytest.param("SCRAM-SHA-256", b"x,," + BARE, Fault.FIRST_MESSAGE, id="unknown flag"),
        pytest.param("SCRAM-SHA-256", b"n,b=jane," + BARE, Fault.FIRST_MESSAGE, id="no authorization id"),
        pytest.param("SCRAM-SHA-256", b"n,a=joe," + BARE, Fault.AUTHORIZATION, id="another authorization id"),
        pytest.param("SCRAM-SHA-256", b"n,,m=must," + BARE, Fault.FIRST_MESSAGE, id="mandatory extension"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE + b",m=must", Fault.FIRST_MESSAGE, id="mandatory extension later"),
        pytest.param("SCRAM-SHA-256", b"n,," + BARE + b",what", Fault.FIRST_MESSAGE, id="no attribute"),
        pytest.param("SCRAM-SHA-256", b"n,,n=jane,r=clientn", Fault.FIRST_MESSAGE, id="nonce of 7"),
        pytest.param("SCRAM-SHA-256", b"n,,n=jane,r=" + b"x" * 257, Fault.FIRST_MESSAGE, id="endless nonce"),
        pytest.param("SCRAM-SHA-256", b"n,,n=jane,r=client nonce", Fault.FIRST_MESSAGE, id="nonce not printable"),
        pytest.param("SCRAM-SHA-256", b"n,,n=,r=clientnonce", Fault.FIRST_MESSAGE, id="no name"),
        pytest.param("SCRAM-SHA-256", b"n,,n=a=b,r=clientnonce", Fault.FIRST_MESSAGE, id="bare equals sign"),
        pytest.param("SCRAM-SHA-256", b"n,,n=a=2c,r=clientnonce", Fault.FIRST_MESSAGE, id="escape in small letters"),
        pytest.param("SCRAM-SHA-256", b"n,,n=\xff,r=clientnonce", Fault.FIRST_MESSAGE, id="not UTF-8"),
        pytest.param("SCRAM-SHA-256", "n,,n=e\u0301,r=clientnonce".encode(), Fault.FIRST_MESSAGE, id="not NFC"),
        pytest.param("SCRAM-SHA-256", b"y,," + BARE, Fault.FIRST_MESSAGE, id="downgrade"),
        pytest.param("SCRAM-SHA-256-PLUS", b"n,," + BARE, Fault.FIRST_MESSAGE, id="PLUS without binding"),
        pytest.param("SCRAM-SHA-256-PLUS", b"y,," + BARE, Fault.FIRST_MESSAGE, id="PLUS without binding, y"),
        pytest.param("SCRAM-SHA-256-PLUS", b"p=tls-unique,," + BARE, Fault.FIRST_MESSAGE, id="binding this TLS cannot have"),
        pytest.param("SCRAM-SHA-256-PLUS", b"p=tls-nothing,," + BARE, Fault.FIRST_MESSAGE, id="unknown binding"),
        pytest.param("SCRAM-SHA-256-PLUS", b"p=,," + BARE, Fault.FIRST_MESSAGE, id="no binding"),
    ],
)  # fmt: skip
def test_scram_first_message(mechanism: str, first: bytes, fault: Fault) -> None:
    assert play(mechanism, [first], SECRETS) == ([], fault)


def test_scram_y_without_offer_is_no_downgrade() -> None:
    first = b"y,," + BARE
    outcome = play("SCRAM-SHA-256", [first, final_message(first), b""], SECRETS, surroundings(offered=False))[1]
    assert outcome == PROVEN


def test_scram_escapes_in_names() -> None:
    first = b"n,,n=a=2Cb=3Dc,r=clientnonce"
    assert play("SCRAM-SHA-256", [first, final_message(first), b""], SECRETS)[1] == Proven("a,b=c", 1)


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        pytest.param(b"more", Fault.MALFORMED, id="something after the end"),
        pytest.param(SASLError(Fault.ABORTED, ""), Fault.ABORTED, id="the client does not believe us"),
    ],
)
def test_scram_is_over_when_the_client_agrees(last: Any, fault: Fault) -> None:
    first = b"n,," + BARE
    assert play("SCRAM-SHA-256", [first, final_message(first), last], SECRETS)[1] is fault


@settings(max_examples=200, deadline=None)
@given(
    mechanism=st.sampled_from(sorted(MECHANISMS)),
    responses=st.lists(st.one_of(st.binary(max_size=60), st.just(b"n,,n=jane,r=clientnonce")), min_size=4, max_size=4),
)
def test_any_octets_end_in_an_outcome_or_a_fault(mechanism: str, responses: list[bytes]) -> None:
    secrets: Any = CRAM if mechanism == "CRAM-MD5" else SECRETS
    exchange = MECHANISMS[mechanism].start(surroundings(), None)
    outcome: Any = None
    try:
        step = next(exchange)
        while True:
            step = exchange.send(responses.pop(0) if isinstance(step, Challenge) else secrets)
    except StopIteration as end:
        outcome = end.value
    except SASLError as error:
        outcome = error.fault
    assert isinstance(outcome, PasswordCredentials | ExternalClaim | Fault)


@pytest.mark.parametrize(
    ("passwords", "certificate", "expected"),
    [
        pytest.param(True, False, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN", id="TLS"),
        pytest.param(True, True, "EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN", id="certificate"),
        pytest.param(False, False, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5", id="no TLS"),
    ],
)  # fmt: skip
def test_announced(passwords: bool, certificate: bool, expected: str) -> None:
    assert announced(passwords=passwords, certificate=certificate) == expected.split()
