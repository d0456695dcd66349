"""The admin pages in a browser: what each is there for."""

import pytest

from support.pagedata import HOSTILE

pytestmark = pytest.mark.slow

#: Pages that the menu does not lead to.
DEEPER = [
    "domains/localhost/addresses", "domains/localhost/dns", "domains/localhost/check", "domains/localhost/clients",
    "domains/localhost/dkim", "domains/localhost/mtasts", "domains/localhost/settings", "domains/localhost/routes",
    "accounts/mox", "accounts/mox/settings", "accounts/mox/login", "accounts/mox/attempts", "accounts/mox/routes",
    "reports/dmarc", "reports/tls", "reports/dmarc/localhost", "reports/tls/localhost", "webhooks/retired",
    "evaluations/tls", "config/static", "nowhere",
]  # fmt: skip


#: Those where something is shown that comes by mail, or from programs of others.
BROUGHT = {
    "", "queue", "retired", "refused", "webhooks", "webhooks/retired", "suppression", "reports", "reports/dmarc", "reports/tls",
    "reports/dmarc/localhost", "reports/tls/localhost", "evaluations", "evaluations/tls", "logins", "accounts/mox/attempts",
}  # fmt: skip


def test_what_mail_brings_is_text(tab):
    """No page takes anything for markup that came by mail, and none has anything to complain of."""
    tab = tab()
    shown = set()
    for place in [*tab.places(), *DEEPER]:
        tab.go(place)
        text = tab.page.locator("body").inner_text()
        # Whatever opens details is opened.
        rows = tab.page.locator("tbody button[data-leads]")
        for row in range(rows.count()):
            rows.nth(row).click()
            tab.page.locator("dialog[open]").wait_for()
            tab.settled()
            text += tab.page.locator("body").inner_text()
            tab.unharmed(place)
            tab.page.keyboard.press("Escape")
            tab.closed()
        tab.unharmed(place)
        if HOSTILE[:24] in text:
            shown.add(place)
    assert shown == BROUGHT


def test_domain(tab):
    tab = tab()
    tab.go("domains/localhost/settings")
    tab.fill({"Description": "For tests"})
    tab.press("Save", tab.card("General"))
    tab.saved()
    tab.go("domains/localhost/addresses")
    tab.press("Add address", tab.card("Addresses"))
    tab.fill({"Localpart": "sales"})
    tab.press("Add address")
    tab.closed()
    tab.press("Remove address", tab.row("sales@localhost"))
    tab.press("Remove address")
    tab.gone("sales@localhost")
    tab.go("domains/localhost/dkim")
    tab.open("Add key", "Add a key")
    tab.fill({"Selector": "second"})
    tab.choose("Algorithm", "ed25519")
    tab.press("Add key")
    tab.closed()
    tab.row("second").get_by_role("checkbox").check()
    tab.told("Signs from now on")
    tab.press("Remove key", tab.row("second"))
    tab.dialog("Remove the key second?").get_by_role("textbox").fill("second")
    tab.press("Remove key")
    tab.gone("second")
    tab.go("domains/localhost/mtasts")
    tab.page.get_by_label("Publish a policy").check()
    tab.choose("Mode", "testing")
    tab.press("Save")
    tab.saved()
    tab.go("domains/localhost/check")
    tab.press("Check now")
    tab.page.get_by_role("heading", name="MTA-STS", exact=True).wait_for()
    tab.go("domains/localhost/clients")
    tab.row("IMAP")
    tab.go("domains")
    tab.row("localhost").locator("[data-leads]").click()
    tab.sees("For tests")


def test_account(tab):
    tab = tab()
    tab.go("accounts")
    tab.open("Add account", "Add account")
    tab.fill({"Localpart": "henry", "Name": "henry8"})
    tab.press("Add account")
    tab.page.wait_for_url("**/#/accounts/henry8/login")
    tab.fill({"New password": "a password of his"})
    tab.press("Set password")
    tab.told("Password set")
    tab.fill({"Disable, and tell people why": "on a journey"})
    tab.press("Disable login")
    tab.press("Enable login")
    tab.told("Login enabled")
    tab.go("accounts/henry8/settings")
    tab.fill({"Quota": "5m"})
    tab.press("Save")
    tab.sees("of 5 MB")
    tab.page.get_by_role("button", name="More").click()
    tab.page.get_by_role("menuitem", name="Remove account").click()
    dialog = tab.dialog("Remove the account henry8?")
    assert dialog.get_by_role("button", name="Remove account and its mail").is_disabled()
    dialog.get_by_role("textbox").fill("henry8")
    tab.press("Remove account and its mail")
    tab.page.wait_for_url("**/#/accounts")
    tab.gone("henry8")


def test_queue(tab):
    tab = tab("admin", "queue")
    tab.settled()
    tab.row("dave@slow.example").get_by_role("checkbox").check()
    tab.press("Hold")
    tab.row("dave@slow.example").get_by_text("on hold").wait_for()
    tab.row("dave@slow.example").get_by_role("checkbox").check()
    tab.press("Release")
    tab.row("dave@slow.example").get_by_text("on hold").wait_for(state="detached")
    tab.row("dave@slow.example").get_by_role("checkbox").check()
    tab.press("Postpone")
    tab.choose("In", "240")
    tab.press("Postpone")
    tab.closed()
    tab.row("dave@slow.example").get_by_role("checkbox").check()
    tab.press("Remove")
    tab.press("Remove without notice")
    tab.gone("dave@slow.example")
    tab.open("Add rule", "Hold messages back")
    tab.fill({"Domain of the recipient": "shy.example"})
    tab.press("Add rule")
    tab.closed()
    tab.row("carol@shy.example").get_by_text("on hold").wait_for()
    tab.press("Remove rule", tab.card("Hold rules"))
    tab.press("Remove rule")
    tab.told("Rule removed")
    # Filters stand in the address.
    tab.page.get_by_label("Filter by to").fill("carol@")
    tab.gone("a.very.long.localpart")
    assert "to=carol" in tab.page.url


def test_webhooks(tab):
    tab = tab("admin", "webhooks")
    tab.settled()
    tab.row("delayed").locator("[data-leads]").click()
    tab.page.get_by_role("dialog").get_by_text('"Event": "delayed"').wait_for()
    tab.press("Close")
    tab.row("failed").get_by_role("checkbox").check()
    tab.press("Cancel")
    tab.press("Cancel webhooks")
    tab.gone("failed")


def test_reports(tab):
    tab = tab("admin", "reports/dmarc/localhost")
    tab.settled()
    tab.row("2001:db8::25").get_by_text("reject").first.wait_for()
    tab.go("evaluations")
    tab.press("Remove evaluations", tab.row("slow.example"))
    tab.press("Remove evaluations")
    tab.gone("slow.example")
    tab.go("evaluations/suppressed")
    tab.press("Add address", tab.card("No DMARC reports to"))
    tab.fill({"Address": "full@shy.example", "Comment": "bounces"})
    tab.press("Add address")
    tab.closed()
    tab.press("A month more", tab.row("full@shy.example"))
    tab.press("Remove", tab.row("full@shy.example"))
    tab.gone("full@shy.example")


def test_server(tab):
    tab = tab("admin", "suppression")
    tab.settled()
    tab.press("Remove from list", tab.row("somebody@firm.example"))
    tab.press("Remove from list")
    tab.gone("somebody@firm.example")
    tab.go("dnsbl")
    tab.fill({"Zones": "bl.shy.example"})
    tab.press("Save")
    tab.saved()
    tab.go("domains")
    tab.go("dnsbl")
    assert tab.page.get_by_label("Zones").input_value() == "bl.shy.example"
    tab.go("logs")
    tab.fill({"Package": "smtpserver"})
    tab.press("Add")
    tab.row("smtpserver")
    tab.press("As all others", tab.row("smtpserver"))
    tab.gone("smtpserver")
    tab.go("certificates")
    tab.row("localhost")
    tab.go("config/static")
    tab.sees('hostname = "localhost"')
    tab.go("logins")
    tab.row("badcreds")


def test_websites(tab):
    tab = tab("admin", "websites")
    tab.settled()
    tab.open("Add handler", "Add handler")
    tab.fill({"Domain": "www.localhost", "Path": "^/(", "Folder": "/srv/www"})
    tab.press("Add handler")
    # What the server finds wrong stands at its field.
    tab.area.get_by_text("Is not a valid regular expression").wait_for()
    assert tab.page.get_by_label("Path", exact=True).get_attribute("aria-invalid") == "true"
    tab.fill({"Path": "^/docs/"})
    tab.press("Add handler")
    tab.closed()
    tab.open("Add handler", "Add handler")
    tab.fill({"Domain": "www.localhost", "Path": "^/"})
    tab.choose("Kind", "Redirect")
    tab.fill({"To": "https://elsewhere.example"})
    tab.press("Add handler")
    tab.closed()
    tab.row("https://elsewhere.example")
    tab.page.get_by_label("URL", exact=True).fill(f"https://www.localhost:{tab.house.https}/docs/x")
    tab.press("Tell")
    tab.sees("files: /srv/www")
    # The first is asked first.
    tab.press("Move up", tab.row("https://elsewhere.example"))
    tab.told("Moved")
    tab.press("Tell")
    tab.sees("redirect: 308 to https://elsewhere.example), or, if that has nothing")
    tab.open("Add redirect", "Add redirect")
    tab.fill({"From": "old.localhost", "To": "www.localhost"})
    tab.press("Add redirect")
    tab.closed()
    tab.press("Remove redirect", tab.row("old.localhost"))
    tab.press("Remove redirect")
    tab.gone("old.localhost")
    for what in ("https://elsewhere.example", "/srv/www"):
        tab.press("Remove handler", tab.row(what))
        tab.press("Remove handler")
        tab.gone(what)
