"""Web sites in the admin pages: saved as a whole, and who would answer."""

import pytest

from support import webhouse

LISTENER = """
[listeners.web]
ips = ["127.0.0.1"]
[listeners.web.webserver_http]
enabled = true
port = 8080
"""
COMMON = {"LogName": "", "Domain": "www.example.org", "DontRedirectPlainHTTP": True, "Compress": False}
NONE = {"Static": None, "Redirect": None, "Forward": None, "Internal": None}
FILES = {"StripPrefix": "", "Root": "/srv/www", "ListFiles": False, "Follow": False, "Dotfiles": False}
DOCS = {
    **COMMON, **NONE, "PathRegexp": "^/docs/", "Static": {**FILES, "ContinueNotFound": True, "ResponseHeaders": {"X-A": "b"}},
}  # fmt: skip
PROXY = {
    **COMMON, **NONE, "PathRegexp": "^/", "Forward": {"StripPath": False, "URL": "http://127.0.0.1:1/", "ResponseHeaders": {}},
}  # fmt: skip
MAIL = {**COMMON, **NONE, "PathRegexp": "^/mail/", "Internal": {"BasePath": "/mail/", "Service": "webmail"}}
TLS_ONLY = {**PROXY, "Domain": "tls.example.org", "DontRedirectPlainHTTP": False}


@pytest.fixture
async def admin(tmp_path):
    async with webhouse.open_house(tmp_path, listeners=LISTENER) as house:
        yield await house.logged_in("admin")


async def shown(admin):
    return (await admin.call("WebserverConfig")).result["Config"]


def sites(*handlers, **redirects):
    return {"WebDomainRedirects": redirects, "WebHandlers": list(handlers)}


async def test_saved(admin, tmp_path):
    assert (await admin.call("WebserverConfig")).result == {"Config": sites(), "Enabled": True}
    wanted = sites(DOCS, MAIL, PROXY)
    wanted["WebDomainRedirects"] = {"old.example.org": "www.example.org"}
    assert (await admin.call("WebserverConfigSave", sites(), wanted)).result is None
    assert await shown(admin) == wanted
    # Moved and removed; what else the file says stays.
    assert (await admin.call("WebserverConfigSave", wanted, sites(PROXY, DOCS))).result is None
    assert await shown(admin) == sites(PROXY, DOCS)
    assert "# Alice's." in (tmp_path / "domains.toml").read_text()


async def test_what_was_changed_meanwhile_stays(admin):
    assert (await admin.call("WebserverConfigSave", sites(), sites(DOCS))).result is None
    answer = await admin.call("WebserverConfigSave", sites(), sites(PROXY))
    assert (answer.code, "changed meanwhile" in answer.message) == ("user:error", True)
    assert await shown(admin) == sites(DOCS)


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ({**DOCS, "PathRegexp": "docs"}, "web_handlers[0].path_regexp: must begin with ^"),
        ({**DOCS, "PathRegexp": "^("}, "New.WebHandlers[0].PathRegexp: "),
        ({**DOCS, "Static": None}, "web_handlers[0]: needs exactly one"),
        ({**PROXY, "Forward": {**PROXY["Forward"], "URL": "x"}}, "New.WebHandlers[0].Forward.URL: "),
        ({**DOCS, "Other": 1}, "Other"),
    ],
)
async def test_mistakes(admin, handler, text):
    answer = await admin.call("WebserverConfigSave", sites(), sites(handler))
    assert answer.code == "user:error"
    assert text in answer.message
    assert await shown(admin) == sites()


@pytest.mark.parametrize(
    ("url", "handlers", "otherwise", "location"),
    [
        ("http://www.example.org:8080/docs/x", [0, 2], "(notfound)", ""),
        ("http://www.example.org:8080/", [2], "(notfound)", ""),
        ("http://www.example.org:8080/mail/x", [], "webmail", ""),
        ("http://other.example.org:8080/", [], "(notfound)", ""),
        ("http://old.example.org:8080/a%20b?c=d", [], "(redirect)", "https://www.example.org/a%20b?c=d"),
        ("http://tls.example.org:8080/x", [], "(redirect)", "https://tls.example.org/x"),
    ],
)
async def test_who_answers(admin, url, handlers, otherwise, location):
    wanted = sites(DOCS, MAIL, PROXY, TLS_ONLY)
    wanted["WebDomainRedirects"] = {"old.example.org": "www.example.org"}
    assert (await admin.call("WebserverConfigSave", sites(), wanted)).result is None
    answer = (await admin.call("WebserverAsk", url)).result
    assert answer == {"Handlers": handlers, "Otherwise": otherwise, "Location": location}


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://www.example.org/", "https://www.example.org/", "http://www.example.org:99999/"]
)
async def test_nobody_could_be_asked(admin, url):
    assert (await admin.call("WebserverAsk", url)).code == "user:error"
