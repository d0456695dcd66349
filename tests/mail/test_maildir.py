"""What names of files in Maildirs say."""

import pytest

from appliance.mail import maildir
from appliance.mail.maildir import Named


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("1234567890.M1P2.host:2,", Named(1234567890, "")),
        ("1234567890.M1P2.host:2,FSa", Named(1234567890, "FSa")),
        ("1234567890.M1P2.host,S=100:2,S", Named(1234567890, "S")),
        ("1234567890.M1P2.host;2,S", Named(1234567890, "S")),
        ("1234567890.M1P2.host", Named(1234567890, "")),
        ("1234567890.M1P2.host:1,x", Named(1234567890, "")),
        ("message.eml", Named(None, "")),
        ("99999999999999.x", Named(None, "")),
        ("", Named(None, "")),
    ],
)
def test_names(name, named):
    assert maildir.parse_name(name) == named


def test_flags_come_back():
    keywords = ["$Junk", "work"]
    names = ("\\Draft", "\\Flagged", "$forwarded", "\\Answered", "\\Seen", "\\Deleted", "$Junk", "work")
    letters = maildir.letters(names, keywords)
    assert letters == "DFPRSTab"
    assert set(maildir.flags(letters, keywords)) == set(names)
    assert maildir.letters(["unknown"], keywords) == ""
    assert maildir.flags("zZ", keywords) == ()


def test_keywords_come_back():
    found, bad = maildir.parse_keywords(maildir.format_keywords(["$Junk", "work"]) + b"x\n99 y\n\n25 last\n")
    assert found[:2] == ["$Junk", "work"]
    assert found[25] == "last"
    assert bad == ["x", "99 y"]
