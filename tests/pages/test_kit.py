"""What all pages have in common: the login, narrow windows, the keyboard, tables whose rows are chosen."""

import smtplib
import ssl

import pytest

pytestmark = pytest.mark.slow

#: Beside what the menus lead to.
DEEPER = {
    "admin": ("domains/localhost/dns", "domains/localhost/settings", "accounts/mox"),
    "account": ("addresses/mox@localhost/rules",),
}


def test_login_and_out(tab):
    tab = tab("admin", None)
    tab.visit("domains")
    tab.focused("[type=password]")
    tab.enter(password="not it")
    tab.sees("Wrong user name or password")
    tab.enter()
    # The page that was asked for, after the login, by the call that waited for it.
    tab.sees("What we receive mail for.")
    tab.row("localhost")
    tab.page.reload()
    tab.row("localhost")
    tab.log_out()
    tab.focused("[type=password]")
    assert tab.page.evaluate("localStorage.getItem('moxpy.webadmin.csrf')") is None


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("application", list(DEEPER))
def test_no_page_is_wider_than_its_window(tab, application, width):
    tab = tab(application, viewport={"width": width, "height": 800})
    places = tab.places()
    assert len(places) > 10
    for place in [*places, *DEEPER[application]]:
        tab.go(place)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, place


def test_keyboard_alone(tab):
    tab = tab("admin", "config")
    tab.settled()
    keyboard = tab.page.keyboard
    # The first thing that Tab reaches leads past the menu.
    tab.page.evaluate("document.activeElement.blur()")
    keyboard.press("Tab")
    assert tab.focused("a").inner_text() == "Skip to the content"
    keyboard.press("Enter")
    tab.focused("#main")
    keyboard.press("Control+k")
    tab.focused("[role=combobox]")
    keyboard.type("domains")
    keyboard.press("Enter")
    tab.page.wait_for_url("**/#/domains")
    # Whoever uses a screen reader is at the heading of the new page.
    tab.focused("h1")


def test_what_cannot_be_undone_wants_the_name(tab):
    tab = tab("admin", "domains")
    tab.open("Add domain", "Add domain")
    tab.fill({"Domain": "gone.example", "Account": "mox"})
    tab.press("Add domain")
    tab.page.wait_for_url("**/#/domains/gone.example/dns")
    tab.press("More")
    tab.page.get_by_role("menuitem", name="Remove domain").click()
    tab.focused("dialog input")
    assert tab.area.locator("button[type=submit]").is_disabled()
    tab.page.keyboard.type("gone.example")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/#/domains")
    tab.gone("gone.example")


def test_rows_are_chosen(house, tab):
    names = ("queueatemperror", "queuebtemperror", "queuectemperror")
    with smtplib.SMTP_SSL("localhost", house.submissions, context=ssl._create_unverified_context()) as client:
        client.login(house.user, house.password)
        for name in names:
            message = f"From: <{house.user}>\r\nSubject: {name}\r\n\r\nhi\r\n"
            client.sendmail(house.user, [f"{name}@rows.example"], message)
    tab = tab("admin", "queue?to=rows.example")
    rows = tab.page.locator("tbody tr.leads")
    rows.nth(2).wait_for()
    boxes = tab.page.locator("tbody input[type=checkbox]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    tab.sees("3 chosen")
    tab.press("Hold")
    tab.told("3 messages put on hold")
    tab.page.locator("tbody tr.leads .badge.warn").nth(2).wait_for()
    tab.page.get_by_label("Filter by to").fill("queueb")
    tab.gone("queueatemperror")
    assert rows.count() == 1
    rows.locator("[data-leads]").click()
    assert "queuebtemperror@rows.example" in tab.dialog("queuebtemperror").inner_text()
    # Escape closes, and the focus is where it was.
    tab.page.keyboard.press("Escape")
    tab.focused("tbody [data-leads]")
