import pytest

from appliance.mail import smtputf8


@pytest.mark.parametrize(
    ("localparts", "content_needs", "expected"),
    [
        ((), False, False),
        (("ann", "bob"), False, False),
        (("ann", "jürgen"), False, True),
        (("☕",), False, True),
        (("ann",), True, True),
    ],
)
def test_needed(localparts: tuple[str, ...], content_needs: bool, expected: bool) -> None:
    assert smtputf8.needed(localparts=localparts, content_needs=content_needs) is expected
