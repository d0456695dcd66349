"""Passkeys as a browser makes and shows them, on the account and admin pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import browsing, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """One for these tests alone: a second factor that a failed test leaves would close it to others."""
    with served.running(moxpy, tmp_path_factory.mktemp("passkeys") / "local") as house:
        yield house


@browsing.only_chromium("has no authenticator")
@pytest.mark.parametrize(("application", "place"), [("admin", "access"), ("account", "secondfactor")])
def test_passkeys(tab, application, place):
    tab = tab(application, None)
    device = tab.page.context.new_cdp_session(tab.page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    tab.log_in(place)
    tab.press("Add passkey")
    tab.press("Add", tab.page.get_by_role("dialog"))
    # The first one brings recovery codes.
    tab.page.locator(".codes li").nth(9).wait_for()
    tab.press("I have them")
    tab.row("Chrome")
    # Alone.
    tab.log_out()
    tab.press("Use a passkey")
    tab.logged_in()
    tab.row("Chrome")
    # Beside the password.
    tab.log_out()
    tab.enter()
    tab.page.locator("[name=code]").wait_for()
    tab.press("Use a passkey")
    tab.logged_in()
    # Once it is taken away the password is enough.
    tab.press("Remove", tab.row("Chrome"))
    tab.press("Remove", tab.page.get_by_role("dialog"))
    tab.closed()
    tab.sees("None.")
    tab.log_out()
    tab.enter()
    tab.logged_in()
