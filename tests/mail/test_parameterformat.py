import re
from email.message import Message

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail.parameterformat import format_parameters
from appliance.mail.parameters import parse_disposition


@pytest.mark.parametrize(
    ("value", "utf8", "octets"),
    [
        pytest.param("x", False, b"; a=x", id="token"),
        pytest.param("", False, b'; a=""', id="empty"),
        pytest.param("x y", False, b'; a="x y"', id="space"),
        pytest.param('q"\\', False, b'; a="q\\"\\\\"', id="quotes"),
        pytest.param("é", False, b"; a*=utf-8''%C3%A9", id="RFC 2231"),
        pytest.param("é", True, '; a="é"'.encode(), id="RFC 6532"),
        pytest.param("x\r\ny", True, b"; a*=utf-8''x%0D%0Ay", id="line end"),
        pytest.param("x" * 60, False, b"; a*0*=utf-8''" + b"x" * 43 + b"; a*1*=" + b"x" * 17, id="long"),
        pytest.param("=?0?Q?a?=", False, b"; a*=utf-8''%3D%3F0%3FQ%3Fa%3F%3D", id="what looks like an encoded word"),
    ],
)
def test_format(value, utf8, octets):
    assert format_parameters([("a", value)], utf8=utf8) == octets


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=120).filter(lambda text: "=?" not in text))
def test_round_trip(value):
    octets = b"attachment" + format_parameters([("filename", value), ("x", "1")])
    assert octets.isascii()
    assert not re.search(rb"[\x00-\x1f]", octets)
    assert parse_disposition(octets) == ("attachment", (("filename", value), ("x", "1")))
    # The standard library reads it too, as far as it keeps white space and brackets and counts backslashes.
    message = Message()
    message["Content-Disposition"] = octets.decode()
    if value == value.strip("<> \t\r\n") and value == value.strip() and value and "\\" not in value:
        assert message.get_filename() == value
