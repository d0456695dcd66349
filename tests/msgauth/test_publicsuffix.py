"""Organizational domains, with the vectors that come with the list as far as its ICANN section goes."""

import threading

import pytest

from appliance.mail.domain import parse_domain
from appliance.msgauth import publicsuffix


@pytest.mark.parametrize(
    ("name", "organization"),
    [
        ("com", "com"),
        ("example.com", "example.com"),
        ("b.example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("co.uk", "co.uk"),
        ("a.b.example.co.uk", "example.co.uk"),
        # No such top-level domain.
        ("example", "example"),
        ("b.example.example", "example.example"),
        # Wildcard and exception.
        ("c.mm", "c.mm"),
        ("a.b.c.mm", "b.c.mm"),
        ("test.ck", "test.ck"),
        ("b.test.ck", "b.test.ck"),
        ("www.www.ck", "www.ck"),
        ("c.kobe.jp", "c.kobe.jp"),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("www.test.k12.ak.us", "test.k12.ak.us"),
        # Internationalised suffixes, in either spelling.
        ("www.食狮.公司.cn", "食狮.公司.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "食狮.公司.cn"),
        ("www.食狮.中国", "食狮.中国"),
        # The private section does not count.
        ("customer.github.io", "github.io"),
        ("a.blogspot.com", "blogspot.com"),
    ],
)
def test_organizational_domain(name: str, organization: str) -> None:
    assert publicsuffix.organizational_domain(parse_domain(name)) == parse_domain(organization)


@pytest.mark.parametrize(
    ("name", "public"),
    [("com", True), ("co.uk", True), ("example.co.uk", False), ("github.io", False), ("xn--55qx5d.cn", True)],
)
def test_public_suffixes(name: str, public: bool) -> None:
    assert publicsuffix.is_public_suffix(parse_domain(name)) is public
    assert publicsuffix.is_loaded()


def test_many_at_once_read_the_list_once(monkeypatch):
    made = []

    class Slow:
        def __init__(self, *, only_icann: bool) -> None:
            assert publicsuffix._reading.locked()  # So that the others wait for this one.
            made.append(only_icann)

    monkeypatch.setattr(publicsuffix, "PublicSuffixList", Slow)
    publicsuffix._read.cache_clear()
    try:
        threads = [threading.Thread(target=publicsuffix.load) for _ in range(5)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert made == [True]
        assert publicsuffix.is_loaded()
    finally:
        publicsuffix._read.cache_clear()
