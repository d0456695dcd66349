import pytest

from appliance.mail import status
from appliance.mail.status import Status, StatusError


@pytest.mark.parametrize("code", [(2, 0, 0), (4, 7, 1), (5, 1, 999)])
def test_round_trip(code):
    assert status.parse(str(Status(*code))) == code
    assert Status(*code).is_temporary == (code[0] == 4)


@pytest.mark.parametrize("text", ["", "5.1", "3.0.0", "5.01.1", "5.1.1000", "5.1.1 ", "5.1.1\n", "5.٣.1", "x5.1.1"])
def test_refused(text):
    with pytest.raises(StatusError):
        status.parse(text)
