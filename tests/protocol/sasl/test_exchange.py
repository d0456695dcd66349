import pytest

from appliance.protocol.sasl.exchange import Challenge, Fault, Login, PasswordCredentials, Plain, SASLError

JANE = PasswordCredentials("jane@a.example", "secret")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(b"\0jane@a.example\0secret", JANE, id="no authorization id"),
        pytest.param(b"jane@a.example\0jane@a.example\0secret", JANE, id="the same"),
        pytest.param("\0j\u00e9@a.example\0s\u00e9".encode(), PasswordCredentials("j\u00e9@a.example", "s\u00e9"), id="UTF-8"),
        pytest.param(b"\0\0", PasswordCredentials("", ""), id="empty, to be refused as wrong"),
        pytest.param(b"joe@a.example\0jane@a.example\0secret", Fault.AUTHORIZATION, id="another authorization id"),
        pytest.param(b"", Fault.MALFORMED, id="nothing"),
        pytest.param(b"jane@a.example\0secret", Fault.MALFORMED, id="two fields"),
        pytest.param(b"\0jane@a.example\0sec\0ret", Fault.MALFORMED, id="four fields"),
        pytest.param(b"\0\xff\0secret", Fault.MALFORMED, id="not UTF-8"),
    ],
)  # fmt: skip
def test_plain(response: bytes, expected: PasswordCredentials | Fault) -> None:
    if isinstance(expected, Fault):
        with pytest.raises(SASLError) as caught:
            Plain().step(response)
        assert caught.value.fault is expected
        assert "secret" not in str(caught.value)
    else:
        assert Plain().step(response) == expected


def test_plain_without_initial_response() -> None:
    exchange = Plain()
    assert exchange.step(None) == Challenge(b"")
    assert exchange.step(b"\0jane@a.example\0secret") == JANE


@pytest.mark.parametrize(
    "initial", [pytest.param(True, id="initial response"), pytest.param(False, id="asked for the name")]
)
def test_login(initial: bool) -> None:
    """Clients look at the challenges, so these are exactly what they are (S-58)."""
    exchange = Login()
    if not initial:
        assert exchange.step(None) == Challenge(b"Username:")
    assert exchange.step(b"jane@a.example") == Challenge(b"Password:")
    assert exchange.step(b"secret") == JANE


@pytest.mark.parametrize("response", [b"\xff", b"a\xc3"])
def test_login_takes_utf8_only(response: bytes) -> None:
    with pytest.raises(SASLError) as caught:
        Login().step(response)
    assert caught.value.fault is Fault.MALFORMED


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(JANE)
    assert "jane@a.example" in repr(JANE)
