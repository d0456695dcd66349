"""Passkeys as a browser makes and shows them, on the account and admin pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.localserve import ADMIN_PASSWORD
from support import chromium, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    chromium.program()
    with served.running(moxpy, tmp_path_factory.mktemp("passkeys") / "local") as house:
        yield house


async def log_in(page: chromium.Page, application: str, house: served.House) -> None:
    await page.wait("document.activeElement.closest('.login') && document.querySelector('.login [type=password]')")
    if application == "account":
        await page.type(house.user)
    await page.js("document.querySelector('.login [type=password]').focus()")
    await page.type(house.password if application == "account" else ADMIN_PASSWORD)
    await page.press("Enter")


async def log_out(page: chromium.Page) -> None:
    await page.js("window.before = true")
    await page.click("Log out")
    await page.wait("!window.before && document.activeElement.closest('.login')")


@pytest.mark.parametrize(("application", "place"), [("admin", "access"), ("account", "secondfactor")])
async def test_passkeys(house, tmp_path, application, place):
    async with chromium.browse(tmp_path / "profile") as page:
        await page.command("WebAuthn.enable")
        await page.command(
            "WebAuthn.addVirtualAuthenticator",
            options={
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            },
        )
        await page.open(f"http://localhost:{house.http}/{application}/#/{place}")
        await log_in(page, application, house)
        await page.wait("!document.querySelector('.login')")
        await page.click("Add passkey")
        await page.click("Add", "dialog button")
        # The first one brings recovery codes.
        await page.wait("document.querySelectorAll('.codes li').length === 10")
        await page.click("I have them")
        await page.wait("document.querySelectorAll('tbody tr').length > 0")
        # Alone.
        await log_out(page)
        await page.click("Use a passkey")
        await page.wait("!document.querySelector('.login')")
        await page.sees("Chrome")
        # Beside the password.
        await log_out(page)
        await log_in(page, application, house)
        await page.wait("document.querySelector('[name=code]')")
        await page.click("Use a passkey")
        await page.wait("!document.querySelector('.login')")
        # It is shown to be taken away, and then the password is enough.
        await page.js("document.activeElement.blur()")
        await page.click("Remove", "tbody button")
        await page.click("Remove", "dialog button")
        await page.wait("document.querySelector('dialog') === null")
        await page.sees("None.")
        await log_out(page)
        await log_in(page, application, house)
        await page.wait("!document.querySelector('.login')")
        assert [one for one in page.complaints if "/api/" not in one] == []
