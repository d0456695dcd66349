"""A browser, and one tab of it on an application of a running server, as somebody who is logged in."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from appliance.localserve import ADDRESS, ADMIN_PASSWORD, PASSWORD
from support.served import House

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response

#: Milliseconds that a page may take until something is to be seen.
PATIENCE = 60_000
#: Names of the programs of each browser.
PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "firefox": ("firefox-esr", "firefox"),
}
#: Which of them is used. Firefox is the usual one, as it is installed, driven by WebDriver BiDi: a Playwright that is newer
#: than it may ask for what it does not know (with Firefox 153, Playwright 1.60 works).
BROWSER = os.environ.get("MOXPY_BROWSER", "chromium")


def only_chromium(reason: str) -> pytest.MarkDecorator:
    """For a test that Firefox cannot be told to do; `reason`: what is missing."""
    return pytest.mark.skipif(BROWSER == "firefox", reason=f"with Firefox, Playwright {reason}")


def program() -> str | None:
    """The browser that is installed."""
    return next((path for name in PROGRAMS[BROWSER] if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running(*, dark: bool = False) -> "Iterator[Browser]":
    """A browser without a window, until left. There must be a `program`. Firefox is told here whether it is `dark`: it
    knows no such option of a context."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        if BROWSER == "firefox":
            # With a mouse, which it does not believe in without a window: fine, and able to hover.
            mouse = {"ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6}
            preferences = {"ui.systemUsesDarkTheme": int(dark), **mouse}
            browser = driver.firefox.launch(
                channel="moz-firefox", executable_path=program(), firefox_user_prefs=preferences
            )
        else:
            arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = driver.chromium.launch(executable_path=program(), args=arguments)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page, and what went wrong in it."""

    page: "Page"
    house: House
    application: str
    #: Errors of scripts, refusals by the policy of the page, dialogs that a script opened, answers that are no answers.
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", self._console)
        self.page.on("response", self._response)

    def _console(self, message: "ConsoleMessage") -> None:
        # What the server answers is looked at below: whoever is not logged in yet is told so.
        if message.type == "error" and "the server responded with a status" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _response(self, response: "Response") -> None:
        if response.status >= 400 and not response.url.endswith("/events"):
            self.complaints.append(f"{response.status} {response.url}")

    @property
    def root(self) -> str:
        return f"http://localhost:{self.house.http}/{self.application}/"

    def comes_true(self, expression: str) -> None:
        """Wait until JavaScript says so. (What Playwright has for it needs `eval`, which our policy forbids.)"""
        for _ in range(PATIENCE // 50):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"it did not come true: {expression}")

    def visit(self, place: str = "") -> None:
        """A page of the application, loaded anew."""
        self.page.goto(f"{self.root}#/{place}")

    def log_in(self, place: str = "", address: str = ADDRESS, password: str = "") -> None:
        """By the form that is shown over the page `place`."""
        self.visit(place)
        self.enter(address, password)
        self.logged_in()

    def enter(self, address: str = ADDRESS, password: str = "") -> None:
        """Fill in the form of the login and send it; whoever has a second factor is asked for it next."""
        if self.application != "admin":
            self.page.get_by_label("E-mail address").fill(address)
        usual = ADMIN_PASSWORD if self.application == "admin" else PASSWORD
        self.page.get_by_label("Password").fill(password or usual)
        self.page.get_by_label("Password").press("Enter")

    def logged_in(self) -> None:
        """Until the login is not shown any more."""
        self.page.locator(".login").wait_for(state="detached")

    def log_out(self) -> None:
        """Returns when the login is shown again."""
        self.press("Log out")
        self.page.locator(".login").wait_for()

    def go(self, place: str) -> None:
        """To a page of the application; returns when it shows what it loads."""
        self.page.evaluate("place => { location.hash = place }", f"#/{place}")
        self.settled()

    def settled(self) -> None:
        """Until there is a heading and nothing is loading."""
        self.page.locator("h1").first.wait_for()
        self.page.locator(".skeleton, [aria-busy=true]").first.wait_for(state="detached")

    @property
    def area(self) -> "Locator":
        """What can be used now: the dialog that is open, or the page."""
        dialog = self.page.locator("dialog[open]")
        return dialog.last if dialog.count() else self.page.locator("body")

    def press(self, name: str, within: "Locator | None" = None) -> None:
        """A button by its whole name: of the dialog, if one is open."""
        (within or self.area).get_by_role("button", name=name, exact=True).first.click()

    def open(self, name: str, title: str) -> "Locator":
        """Press what opens a dialog; the dialog."""
        self.press(name)
        return self.dialog(title)

    def dialog(self, title: str) -> "Locator":
        """The dialog with a title, once it is there."""
        dialog = self.page.get_by_role("dialog", name=title)
        dialog.wait_for()
        return dialog

    def closed(self) -> None:
        """Until no dialog is open."""
        self.page.locator("dialog[open]").first.wait_for(state="detached")

    def card(self, title: str) -> "Locator":
        """A part of the page by its heading."""
        return self.page.locator(".card").filter(has=self.page.get_by_role("heading", name=title, exact=True)).first

    def row(self, text: str) -> "Locator":
        """A row of a table, once it is there."""
        row = self.page.locator("tbody tr").filter(has_text=text).first
        row.wait_for()
        return row

    def refreshed(self, text: str) -> "Locator":
        """A row that is there once the page is refreshed often enough: the server writes it down in its own time."""
        row = self.page.locator("tbody tr").filter(has_text=text).first
        for _ in range(50):
            if row.is_visible():
                break
            self.press("Refresh")
            self.settled()
            self.page.wait_for_timeout(100)
        return row

    def gone(self, text: str) -> None:
        """Until no table has it any more."""
        self.page.locator("tbody tr").filter(has_text=text).first.wait_for(state="detached")

    def fill(self, values: dict[str, str]) -> None:
        """Fields by their labels."""
        for label, value in values.items():
            self.area.get_by_label(label, exact=True).fill(value)

    def choose(self, label: str, value: str) -> None:
        """One of a few."""
        self.area.get_by_label(label, exact=True).select_option(value)

    def focused(self, selector: str) -> "Locator":
        """What has the focus, once that is such an element."""
        element = self.page.locator(f"{selector}:focus")
        element.wait_for()
        return element

    def sees(self, text: str) -> None:
        """Until the text is shown."""
        self.page.get_by_text(text).first.wait_for()

    def unharmed(self, place: str) -> None:
        """Nothing of pagedata.HOSTILE was taken for markup."""
        assert self.page.locator("#pwned, body img[src=x], body script").count() == 0, place
        assert self.page.title() != "pwned", place

    def told(self, text: str) -> None:
        """Until the page says that something is done."""
        self.page.locator(".toast").filter(has_text=text).first.wait_for()

    def saved(self) -> None:
        """Until a form has nothing more to save."""
        self.told("Saved")
        self.page.locator(".savebar").first.wait_for(state="detached")

    def places(self) -> list[str]:
        """What the menu leads to."""
        found: list[Any] = self.page.locator(".sidebar nav a").evaluate_all("all => all.map(one => one.hash.slice(2))")
        return [str(one) for one in found]
