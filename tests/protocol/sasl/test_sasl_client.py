"""The client's halves of SASL: examples of the RFCs, our own server's halves, and servers that lie."""

import base64
import hashlib

import pytest

from appliance.protocol.sasl import client, derive
from appliance.protocol.sasl.client import Channel, Derivation, ExchangeError, Login, Response
from appliance.protocol.sasl.exchange import Challenge, CramSecrets, CramWanted, ScramSecrets, ScramWanted, Surroundings
from appliance.protocol.sasl.mechanisms import MECHANISMS

USER = Login("user", "pencil")
BINDING = ("tls-exporter", b"x" * 32)


def answer(exchange, challenges):
    """What the client says to the challenges; True at the end when it believes the login."""
    said = []
    value = None
    challenges = [*challenges]
    while True:
        try:
            step = exchange.send(value)
        except StopIteration:
            return [*said, True]
        if isinstance(step, Derivation):
            value = hashlib.pbkdf2_hmac(step.algorithm, step.password, step.salt, step.iterations)
            continue
        said.append(step.octets)
        if not challenges:
            return said
        value = challenges.pop(0)


# RFC 5802 §5 and RFC 7677 §3; None: the server says that it was right.
EXAMPLES = [
    pytest.param(
        "sha1",
        "fyko+d2lbbFgONRv9qkxdawL",
        [b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096", b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", None],
        [b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", b"", True],
        id="RFC 5802",
    ),
    pytest.param(
        "sha256",
        "rOprNGfwEbeRWgbNEkqO",
        [b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", None],
        [b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"", True],
        id="RFC 7677",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "nonce", "challenges", "said"), EXAMPLES)
def test_scram_examples(algorithm, nonce, challenges, said):
    assert answer(client.scram(algorithm, USER, nonce, flag="n", binding=b""), challenges) == said


FIRST = EXAMPLES[1].values[2][0]


@pytest.mark.parametrize("challenges", [
    pytest.param([None], id="success at once"),
    pytest.param([b""], id="empty"),
    pytest.param([b"r=other,s=QQ==,i=4096"], id="another nonce"),
    pytest.param([FIRST.replace(b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", b"")], id="our nonce alone"),
    pytest.param([b"m=x," + FIRST], id="unknown extension"),
    pytest.param([FIRST.replace(b"4096", b"4095")], id="few iterations"),
    pytest.param([FIRST.replace(b"4096", b"2000000000")], id="many iterations"),
    pytest.param([FIRST.replace(b"4096", b"9" * 5000)], id="a number without end"),
    pytest.param([FIRST.replace(b"s=W22Z", b"s=!")], id="salt"),
    pytest.param([FIRST.replace(b"W22ZaJ0SNY7soEsUEjb6gQ==", b"")], id="no salt"),
    pytest.param([FIRST, None], id="success without proof"),
    pytest.param([FIRST, b"e=invalid-proof"], id="refused"),
    pytest.param([FIRST, b"v=AAAA"], id="wrong proof"),
    pytest.param([FIRST, b"\xff"], id="no text"),
    pytest.param([FIRST, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", b""], id="goes on"),
])  # fmt: skip
def test_servers_that_lie(challenges):
    exchange = client.scram("sha256", USER, "rOprNGfwEbeRWgbNEkqO", flag="n", binding=b"")
    with pytest.raises(ExchangeError):
        answer(exchange, challenges)


@pytest.mark.parametrize(("said", "told"), [
    (b"e=invalid-proof", "user name or password is wrong (invalid-proof)"),
    (b"e=other-error,x=y", "the server says 'other-error'"),
])  # fmt: skip
def test_what_a_server_says_against_us(said, told):
    exchange = client.scram("sha256", USER, "rOprNGfwEbeRWgbNEkqO", flag="n", binding=b"")
    with pytest.raises(ExchangeError) as caught:
        answer(exchange, [FIRST, said])
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "exchange", [client.plain(USER), client.external(), client.log_in(USER), client.cram_md5(USER)]
)
def test_others_want_an_end(exchange):
    with pytest.raises(ExchangeError):
        answer(exchange, [b"<x>"] * 4)


def serve(
    mechanism: str, exchange: client.Exchange, *, password: str = "pencil", binding: bytes | None = None
) -> object:
    """The exchange with our own server's half; its outcome. Raises SASLError."""
    salt = b"salt" * 3
    algorithm = "sha256" if "256" in mechanism else "sha1"
    around = Surroundings(
        "server" * 4, "<1.2@x>", lambda name: binding if name == "tls-exporter" else None, binding is not None
    )

    def next_octets(value):
        step = exchange.send(value)
        if isinstance(step, Derivation):
            step = exchange.send(hashlib.pbkdf2_hmac(step.algorithm, step.password, step.salt, step.iterations))
        assert isinstance(step, Response)
        return step.octets

    server = MECHANISMS[mechanism].start(around, next_octets(None))
    value = None
    while True:
        try:
            step = server.send(value)
        except StopIteration as end:
            with pytest.raises(StopIteration):
                exchange.send(None)
            return end.value
        match step:
            case Challenge(octets):
                value = next_octets(octets)
            case ScramWanted():
                value = ScramSecrets(salt, 4096, (derive.scram(algorithm, password.encode(), salt, 4096),))
            case CramWanted():
                value = CramSecrets((derive.cram_md5(password.encode()),))


@pytest.mark.parametrize("mechanism", [name for name in MECHANISMS if name != "EXTERNAL"])
@pytest.mark.parametrize("user", ["user", "a=b,c@x.example"])
def test_with_our_own_server(mechanism, user):
    binding = BINDING if mechanism.endswith("-PLUS") else None
    channel = Channel(tls=True, binding=binding)
    exchange = client.start(mechanism, Login(user, "pencil"), channel, [mechanism], "client" * 4)
    outcome = serve(mechanism, exchange, binding=BINDING[1] if binding else None)
    assert outcome.authentication == user


def test_external_with_our_own_server():
    exchange = client.start("EXTERNAL", USER, Channel(tls=True, certificate=True), [], "n")
    assert serve("EXTERNAL", exchange).authorization == ""


@pytest.mark.parametrize(("offered", "channel", "header"), [
    (["SCRAM-SHA-256"], Channel(tls=False), b"n,,"),
    (["SCRAM-SHA-256"], Channel(tls=True, binding=BINDING), b"y,,"),
    (["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], Channel(tls=True, binding=BINDING), b"n,,"),
])  # fmt: skip
def test_what_the_server_is_told_about_binding(offered, channel, header):
    step = next(client.start("SCRAM-SHA-256", USER, channel, offered, "nonce" * 4))
    assert step.octets.startswith(header + b"n=user,r=")


ALL = client.MECHANISMS
SAFE, BOUND = Channel(tls=True), Channel(tls=True, binding=BINDING, certificate=True)


@pytest.mark.parametrize(("offered", "wanted", "channel", "insecure", "chosen"), [
    (ALL, ALL, BOUND, False, "EXTERNAL"),
    (ALL, ALL, SAFE, False, "SCRAM-SHA-256"),
    (["LOGIN", "PLAIN"], ALL, SAFE, False, "PLAIN"),
    (["LOGIN", "PLAIN"], ALL, Channel(tls=False), False, None),
    (["LOGIN", "PLAIN"], ALL, Channel(tls=False), True, "PLAIN"),
    (ALL, ["CRAM-MD5", "PLAIN"], Channel(tls=False), False, "CRAM-MD5"),
    (ALL, ["SCRAM-SHA-1-PLUS"], BOUND, False, "SCRAM-SHA-1-PLUS"),
    (ALL, ["SCRAM-SHA-1-PLUS"], SAFE, False, None),
    (["X-NEW"], ["X-NEW"], BOUND, True, None),
    ([], ALL, BOUND, True, None),
])  # fmt: skip
def test_choice(offered, wanted, channel, insecure, chosen):
    assert client.choose(offered, wanted, channel, insecure_passwords=insecure) == chosen


def test_passwords_beyond_ascii():
    """RFC 4013 §3."""
    prepared = {"I\u00adX": b"IX", "user": b"user", "\u00aa": b"a", "\u2168": b"IX", "a\u00a0b\u3000c": b"a b c"}
    for written, expected in prepared.items():
        assert next(client.plain(Login("u", written))).octets == b"\0u\0" + expected


def test_nothing_secret_is_shown():
    exchange = client.scram("sha256", USER, "rOprNGfwEbeRWgbNEkqO", flag="n", binding=b"")
    next(exchange)
    assert "pencil" not in repr(exchange.send(FIRST)) + repr(USER)
    assert base64.b64encode(b"pencil").decode() not in repr(USER)
