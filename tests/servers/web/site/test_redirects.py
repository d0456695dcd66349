"""Where redirects lead: a table."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base import limits
from appliance.config.domains import Redirect
from appliance.config.values import Pattern, WebURL
from appliance.servers.web.dispatch import clean_path
from appliance.servers.web.site.redirects import NoMatch, location, replaced


def where(url: str, base="", pattern="", replace="", scheme="http", host="site.example") -> str | None:
    raw, _, query = url.partition("?")
    redirect = Redirect(
        base_url=WebURL(base) if base else None,
        orig_path_regexp=Pattern(pattern) if pattern else None,
        replace_path=replace,
    )
    scope = {
        "scheme": scheme,
        "path": clean_path(unquote(raw)),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", host.encode())],
        "state": {"host": host.partition(":")[0]},
    }
    return location(redirect, scope)


@pytest.mark.parametrize(
    ("url", "base", "pattern", "replace", "found"),
    [
        ("/a?b=1", "https://www.example", "", "", "https://www.example/a?b=1"),
        ("/a%2Fb", "https://www.example/", "", "", "https://www.example/a%2Fb"),
        ("/a?b", "https://www.example:8443/?x=1#top", "", "", "https://www.example:8443/a?x=1&b#top"),
        ("/", "https://bücher.example", "", "", "https://xn--bcher-kva.example/"),
        ("/", "http://[::1]:80/", "", "", "http://[::1]/"),
        ("/old/x/y", "", "^/old/(.*)", "/new/$1", "/new/x/y"),
        ("/old/x?q", "https://www.example", "^/old/(.*)", "/new/$1", "https://www.example/new/x?q"),
        ("/old/é x", "", "^/old/(.*)", "/new/$1", "/new/%C3%A9%20x"),
        ("/a-b", "", "^/(?P<first>.)-(.)$", "/${2}x$first", "/bxa"),
        # Only what matches is replaced, all of it.
        ("/a/b/a", "", "a", "c", "/c/b/c"),
        ("/x", "", "^/(y)?x", "/z$1", "/z"),
        # Never to another host, whatever a client writes.
        ("/old//evil.example", "", "^/old(.*)", "/$1", "/evil.example"),
        ("/oldevil.example", "", "^/old(.*)", "//$1", "/evil.example"),
        ("/old/x", "", "^/old/x", "evil.example", "/evil.example"),
        ("/old/x", "", "^/old/(.*)", "../../$1", "/x"),
        # Where the client is already: to the next handler.
        ("/a", "http://site.example", "", "", None),
        ("/a", "http://site.example:80/", "", "", None),
        ("/a", "https://site.example", "", "", "https://site.example/a"),
        ("/a", "http://site.example:81", "", "", "http://site.example:81/a"),
        ("/new/x", "", "^/(old|new)/(.*)", "/new/$2", None),
    ],
)
def test_location(url, base, pattern, replace, found):
    assert where(url, base, pattern, replace) == found


@pytest.mark.parametrize(
    ("url", "pattern", "replace"),
    [
        ("/other", "^/old/(.*)", "/new/$1"),
        # A path made to take long, and one that becomes too long.
        ("/" + "a" * 15000 + "!", "^/" + "(a*)" * 20 + "$", "/$1"),
        ("/" + "a" * 3000, "a", "0123456789"),
    ],
)
def test_no_match(url, pattern, replace):
    with pytest.raises(NoMatch):
        where(url, "", pattern, replace)


def test_the_bound_is_far_from_what_is_usual():
    path = "/blog/2024/05/a-rather-long-title-of-an-article-that-somebody-wrote"
    assert where(path, "", r"^/blog/(\d+)/(\d+)/(.*)$", "/$1-$2-$3") is not None
    assert 100 * len(path) * 4 < limits.FIND_STEPS


@settings(max_examples=300, deadline=None)
@given(
    st.text("/.ae%", max_size=12).map(lambda text: "/" + text),
    st.sampled_from(["^/(.*)", "^/a(.*)$", "(a+)", "/+(.)?", "(.)(.)?"]),
    st.sampled_from(["$1", "/$1", "//$1", "$1/../$1", "evil.example/$1", "", "/."]),
)
def test_a_path_stays_at_its_host(path, pattern, template):
    """RFC 3986 §4.2: two slashes would lead to another."""
    try:
        found = replaced(pattern, template, clean_path(path))
    except NoMatch:
        return
    assert found.startswith("/")
    assert not found.startswith("//")
    assert clean_path(found) == found
