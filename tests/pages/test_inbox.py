"""The inbox of a server for tests, at its own port: no login, for whom something was caught, clearing, hints, releasing."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import served
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """One of its own, since all is cleared."""
    with served.running(moxpy, tmp_path_factory.mktemp("inbox") / "local") as house:
        yield house


def catch(house: served.House, to: str, subject: str) -> None:
    letter = EmailMessage()
    letter["From"] = "shop@example.com"
    letter["To"] = to
    letter["Subject"] = subject
    letter.set_content("<p style='display: flex'>Hello</p><a href=''>Go</a>", subtype="html")
    with smtplib.SMTP(house.host, house.smtp) as smtp:
        smtp.sendmail("shop@example.com", [to], letter.as_bytes(policy=SMTP))


class AtOwnPort(Tab):
    @property
    def root(self) -> str:
        return f"http://localhost:{self.house.inbox}/"


@pytest.mark.parametrize("size", [(1280, 800), (390, 800)])
def test_inbox(browser, house, size):
    catch(house, "ann@shop.example", "Welcome, Ann")
    catch(house, "bob@shop.example", "Your order")
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB")
    tab = AtOwnPort(context.new_page(), house, "webmail")
    page = tab.page
    page.goto(tab.root)
    # Nobody is asked to log in.
    page.get_by_text("Welcome, Ann").first.wait_for()
    assert page.locator(".login").count() == 0
    if size[0] < 1000:
        tab.press("Mailboxes")
    caught = page.get_by_role("region", name="Caught for")
    caught.get_by_role("link", name="ann@shop.example").click()
    if size[0] < 1000:
        page.keyboard.press("Escape")
    page.get_by_text("Your order").first.wait_for(state="detached")
    page.get_by_text("Welcome, Ann").first.click()
    # What mail programs will make of it.
    tab.press("More about this message")
    page.get_by_role("menuitem", name="Check the HTML").click()
    dialog = tab.dialog("What mail programs make of it")
    dialog.get_by_text("links that lead nowhere").wait_for()
    dialog.get_by_text("display: flex").wait_for()
    dialog.get_by_role("button", name="Close").last.click()
    tab.press("More about this message")
    page.get_by_role("menuitem", name="Release to a real mailbox").click()
    tab.dialog("Release to a real mailbox").get_by_text("release.toml").first.wait_for()
    tab.press("Cancel")
    # All of it goes.
    if size[0] < 1000:
        page.goto(tab.root)
        page.reload()
        page.get_by_text("Your order").first.wait_for()
        tab.press("Mailboxes")
    tab.press("Clear all", caught)
    tab.press("Clear all", tab.dialog("Clear everything?"))
    page.get_by_text("messages removed").first.wait_for()
    caught.get_by_text("Nothing yet").wait_for(state="attached")
    context.close()
    assert tab.complaints == []


def test_other_doors_ask_for_a_login(tab):
    one = tab("webmail", None)
    one.page.goto(one.root)
    one.page.locator(".login").wait_for()
