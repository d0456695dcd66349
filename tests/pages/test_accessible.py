"""What axe-core has against the pages: WCAG 2.2 A and AA, in light and dark, wide and narrow."""

import re
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pages.pictures import DEEPER, fill
from pages.test_inbox import AtOwnPort
from pages.test_webmail import PNG, message, put
from support import audit, served
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light", "reduced_motion": "reduce"},
    "dark": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "dark",
        "reduced_motion": "reduce",
        "has_touch": True,
    },
}


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """One of its own, with mail under way and refused, reports, and so on."""
    if not audit.SCRIPT.is_file():
        pytest.skip("axe-core is not installed: npm ci in frontend/")
    with served.running(moxpy, tmp_path_factory.mktemp("accessible") / "local", fill=fill) as house:
        put(house, letters())
        yield house


def letters() -> list[EmailMessage]:
    rich = message(
        "A letter with everything",
        text="See https://example.org/plan, please.\n\n> quoted\n",
        List_Id="<news.example.org>",
    )
    rich.add_alternative(
        '<p>See <b>the plan</b></p><img src="https://elsewhere.example/pixel.png" alt="">', subtype="html"
    )
    rich.add_attachment(PNG, maintype="image", subtype="png", filename="plan.png")
    rich.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="figures.csv")
    first = message("A thread", message_id="<a1@mail.example>")
    second = message(
        "Re: A thread",
        "Bob <bob@example.org>",
        "There",
        message_id="<a2@mail.example>",
        In_Reply_To="<a1@mail.example>",
    )
    return [message("An older one"), first, second, rich]


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    return LOOKS[request.param]


class Found(dict[str, list[str]]):
    """What is wrong, by the place where it was seen first."""

    def at(self, tab: Tab, place: str) -> None:
        known = {one for all in self.values() for one in all}
        if new := [one for one in audit.violations(tab.page) if one not in known]:
            self[f"{tab.application} {place}"] = new


@pytest.mark.parametrize("application", DEEPER)
def test_pages_of_cards(tab: Callable[..., Tab], look: dict[str, Any], application: str) -> None:
    found = Found()
    one = tab(application, None, **look)
    one.visit()
    one.page.get_by_label("Password").wait_for()
    found.at(one, "login")
    one.enter()
    one.logged_in()
    one.settled()
    for place in dict.fromkeys([*one.places(), *DEEPER[application]]):
        one.go(place)
        found.at(one, place)
        rows = one.page.locator("tbody button[data-leads]")
        if rows.count():
            rows.first.click()
            one.page.locator("dialog[open]").wait_for()
            one.settled()
            found.at(one, f"{place}, details")
            one.page.keyboard.press("Escape")
            one.closed()
    assert found == {}


def test_webmail(tab: Callable[..., Tab], look: dict[str, Any]) -> None:
    found = Found()
    one = tab("webmail", None, **look)
    page = one.page
    narrow = look["viewport"]["width"] < 1000
    page.goto(f"{one.root}#Inbox")
    one.enter()
    one.logged_in()
    rows = page.locator(".rows [role=option]")
    rows.first.wait_for()
    found.at(one, "list")
    if narrow:
        one.press("Mailboxes")
        found.at(one, "mailboxes")
        page.keyboard.press("Escape")
    rows.filter(has_text="A letter with everything").click()
    reader = page.get_by_role("region", name="Message", exact=True)
    reader.get_by_role("heading", name="A letter with everything").wait_for()
    reader.get_by_role("button", name="Text", exact=True).click()
    reader.get_by_role("link", name="https://example.org/plan").wait_for()
    found.at(one, "message")
    reader.get_by_role("button", name="HTML", exact=True).click()
    page.frame_locator("iframe.document").get_by_text("the plan").wait_for()
    found.at(one, "message in HTML")
    reader.get_by_role("button", name="More about this message").first.click()
    page.get_by_role("menuitem", name="Internals").wait_for()
    found.at(one, "menu")
    page.get_by_role("menuitem", name="Internals").click()
    one.dialog("Internals").get_by_text("text/plain").first.wait_for()
    found.at(one, "internals")
    page.keyboard.press("Escape")
    one.closed()
    reader.get_by_role("button", name="View plan.png").press("Enter")
    page.get_by_role("dialog", name="Attachment plan.png").get_by_role("img", name="plan.png").wait_for()
    found.at(one, "attachment")
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '#Inbox'")
    rows.filter(has_text="A thread").click()
    reader.get_by_text("There", exact=True).wait_for()
    found.at(one, "thread")
    page.evaluate("location.hash = '#Inbox'")
    page.locator("#messages").focus()
    page.keyboard.press("Control+a")
    page.get_by_text(re.compile(r"^All \d+ chosen")).wait_for()
    found.at(one, "chosen")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("mb:A")
    page.get_by_role("option", name="Archive").wait_for()
    found.at(one, "suggestions")
    page.get_by_role("combobox", name="Search mail").fill("thread")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Search", exact=True).wait_for()
    rows.first.wait_for()
    found.at(one, "search")
    page.locator("#messages").focus()
    page.keyboard.press("Shift+?")
    one.dialog("Keys")
    found.at(one, "keys")
    page.keyboard.press("Escape")
    one.closed()
    page.keyboard.press("Control+k")
    page.keyboard.type("a")
    found.at(one, "palette")
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '#Trash'")
    page.get_by_text("The trash is empty").wait_for()
    found.at(one, "nothing")
    page.locator("#messages").focus()
    page.keyboard.press("c")
    window = page.locator("section.compose")
    window.wait_for()
    recipient = window.get_by_role("combobox", name="To")
    recipient.fill("bob@c.example")
    recipient.press("Enter")
    window.get_by_role("textbox", name="Message", exact=True).wait_for()
    found.at(one, "compose")
    window.get_by_role("button", name="Close", exact=True).click()
    one.dialog("Keep this message?")
    found.at(one, "closing")
    one.press("Remove draft")
    window.wait_for(state="detached")
    page.keyboard.press("Control+k")
    page.keyboard.type("Settings")
    page.keyboard.press("Enter")
    settings = one.dialog("Settings")
    for name in settings.get_by_role("tab").all_inner_texts():
        settings.get_by_role("tab", name=name).click()
        settings.locator("[aria-busy=true]").first.wait_for(state="detached")
        found.at(one, f"settings, {name}")
    assert found == {}


def test_inbox_of_tests(browser: "Browser", house: served.House, look: dict[str, Any]) -> None:
    found = Found()
    context = browser.new_context(locale="en-GB", **look)
    one = AtOwnPort(context.new_page(), house, "webmail")
    one.page.goto(one.root)
    one.page.locator(".rows [role=option]").first.wait_for()
    found.at(one, "inbox")
    context.close()
    assert found == {}
