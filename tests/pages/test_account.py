"""The account pages in a browser: what each is there for."""

import http.server
import smtplib
import threading

import pytest

from support import browsing
from support.pagedata import HOSTILE

pytestmark = pytest.mark.slow

DEEPER = [
    "addresses/mox@localhost", "addresses/mox@localhost/rules", "addresses/mox@localhost/forwarding",
    "addresses/mox@localhost/refusals", "junk/flags", "junk/rejects", "junk/introbox", "webhooks/incoming", "webhooks/signing", "nowhere",
]  # fmt: skip
#: Those where something is shown that programs of others bring.
BROUGHT = {"", "logins", "refused", "suppression"}


def test_what_others_bring_is_text(tab):
    tab = tab("account")
    shown = set()
    for place in [*tab.places(), *DEEPER]:
        tab.go(place)
        rows = tab.page.locator("tbody button[data-leads]")
        for row in range(rows.count()):
            rows.nth(row).click()
            tab.page.locator("dialog[open]").wait_for()
            tab.unharmed(place)
            tab.page.keyboard.press("Escape")
            tab.closed()
        tab.unharmed(place)
        if HOSTILE[:24] in tab.page.locator("body").inner_text():
            shown.add(place)
    assert shown == BROUGHT


def test_name_and_looks(tab):
    tab = tab("account", "profile")
    tab.fill({"Full name": "Moxie"})
    tab.press("Save")
    tab.saved()
    tab.press("Dark")
    assert tab.page.locator("html").get_attribute("data-theme") == "dark"
    tab.page.reload()
    tab.settled()
    assert tab.page.get_by_label("Full name").input_value() == "Moxie"
    assert tab.page.locator("html").get_attribute("data-theme") == "dark"


def test_app_password(house, tab):
    tab = tab("account", "apppasswords")
    tab.open("New app password", "New app password")
    tab.fill({"For": "Thunderbird"})
    tab.press("Make password")
    password = tab.page.get_by_role("dialog").locator("code").filter(has_text="-").or_(
        tab.page.get_by_role("dialog").locator(".copyable code")
    ).first.inner_text()  # fmt: skip
    with smtplib.SMTP("localhost", house.submission, timeout=60) as client:
        client.login(house.user, password.replace(" ", ""))
    tab.page.keyboard.press("Escape")
    tab.closed()
    tab.press("Remove app password", tab.row("Thunderbird"))
    tab.page.get_by_role("dialog").get_by_role("button").last.click()
    tab.gone("Thunderbird")
    with (
        smtplib.SMTP("localhost", house.submission, timeout=60) as client,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        client.login(house.user, password.replace(" ", ""))


def test_suppression(tab):
    tab = tab("account", "suppression")
    tab.open("Add address", "Add address")
    tab.fill({"Address": "full@shy.example", "Reason": "asked for it"})
    tab.press("Add")
    tab.closed()
    tab.press("Remove from list", tab.row("full@shy.example"))
    tab.page.get_by_role("dialog").get_by_role("button").last.click()
    tab.gone("full@shy.example")


def test_forwarding(tab):
    tab = tab("account", "addresses/mox@localhost/forwarding")
    tab.fill({"Forward to": "me@elsewhere.example"})
    tab.press("Save")
    tab.saved()
    tab.fill({"Forward to": ""})
    tab.press("Save")
    tab.saved()


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(500)
        self.end_headers()
        self.wfile.write(HOSTILE.encode())

    def log_message(self, *_: object) -> None: ...


def test_webhook_is_tried(tab):
    """What the program behind it answers is shown, as text."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        tab = tab("account", "webhooks")
        tab.fill({"URL": f"http://127.0.0.1:{server.server_port}/hook"})
        tab.press("Test")
        tab.page.get_by_role("dialog").wait_for()
        tab.press("Post")
        tab.page.get_by_role("dialog").get_by_text(HOSTILE[:24]).first.wait_for()
        tab.page.get_by_role("dialog").get_by_text("500").first.wait_for()
        tab.unharmed("webhooks")
    finally:
        server.shutdown()
        server.server_close()


@browsing.only_chromium("loses what is downloaded")
def test_export(house, tab):
    with smtplib.SMTP("localhost", house.smtp, timeout=60) as client:
        client.sendmail("a@shy.example", [house.user], "From: <a@shy.example>\r\nSubject: Taken along\r\n\r\nhi\r\n")
    tab = tab("account", "data")
    tab.choose("Format", "mbox")
    with tab.page.expect_download() as download:
        tab.press("Download")
    assert download.value.path().stat().st_size > 200


def test_programs(tab):
    tab = tab("account", "imap")
    tab.page.get_by_label("CONDSTORE").check()
    tab.press("Save")
    tab.saved()
    tab.go("clients")
    tab.sees("TLS from the start")
    tab.go("tokens")
    tab.open("Add token", "Add a token")
    tab.page.keyboard.press("Escape")
    tab.closed()
    tab.go("keys")
    tab.sees("openssl req")
    tab.go("junk")
    tab.fill({"Junk from": "0.97"})
    tab.press("Save")
    tab.saved()
    tab.go("sessions")
    tab.sees("this one")
