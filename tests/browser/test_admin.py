"""The admin pages in a browser, against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.localserve import ADMIN_PASSWORD
from support import chromium, served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    chromium.program()
    with served.running(moxpy, tmp_path_factory.mktemp("browser") / "local") as house:
        yield house


async def log_in(page: chromium.Page, house: served.House, place: str = "") -> None:
    await page.open(f"http://localhost:{house.http}/admin/{place}")
    await page.wait("document.activeElement.type === 'password'")
    await page.type(ADMIN_PASSWORD)
    await page.press("Enter")
    await page.wait("!document.querySelector('.login')")


async def test_login_and_out(house, tmp_path):
    async with chromium.browse(tmp_path / "profile") as page:
        await page.open(f"http://localhost:{house.http}/admin/#/domains")
        await page.wait("document.activeElement.type === 'password'")
        await page.type("not it")
        await page.press("Enter")
        await page.sees("Wrong user name or password")
        await page.wait("document.querySelector('.login button[aria-busy=false]')")
        await page.js("document.querySelector('.login input').focus()")
        await page.type(ADMIN_PASSWORD)
        await page.press("Enter")
        # The page that was asked for, after the login, by the call that waited for it.
        await page.sees("What we receive mail for.")
        await page.wait("[...document.querySelectorAll('tbody a')].some(one => one.textContent === 'localhost')")
        await page.command("Page.reload")
        await page.wait("[...document.querySelectorAll('tbody a')].some(one => one.textContent === 'localhost')")
        await page.click("Log out")
        await page.wait("document.activeElement.type === 'password'")
        assert await page.js("localStorage.getItem('moxpy.webadmin.csrf')") is None
        # Nothing that the policy of the pages forbids, no script that failed.
        assert [one for one in page.complaints if "/api/" not in one] == []


@pytest.mark.parametrize("width", [320, 1280])
async def test_no_page_is_wider_than_its_window(house, tmp_path, width):
    async with chromium.browse(tmp_path / "profile") as page:
        await page.resize(width)
        await log_in(page, house)
        places = await page.js("[...document.querySelectorAll('.sidebar nav a')].map(one => one.getAttribute('href'))")
        assert len(places) > 10
        for place in [*places, "#/domains/localhost/dns", "#/domains/localhost/settings", "#/accounts/mox"]:
            await page.js(f"location.hash = {place!r}")
            await page.wait("document.querySelector('h1') && !document.querySelector('.skeleton')")
            assert await page.js("document.documentElement.scrollWidth") <= width, place
        assert [one for one in page.complaints if "/api/" not in one] == []


async def test_keyboard_alone(house, tmp_path):
    async with chromium.browse(tmp_path / "profile") as page:
        await log_in(page, house, "#/config")
        # The first thing that Tab reaches leads past the menu.
        await page.js("document.activeElement.blur()")
        await page.press("Tab")
        assert await page.js("document.activeElement.textContent") == "Skip to the content"
        await page.press("Enter")
        assert await page.js("document.activeElement.id") == "main"
        await page.js("document.querySelector('.sidebar footer button').click()")
        await page.wait("document.activeElement.getAttribute('role') === 'combobox'")
        await page.type("domains")
        await page.press("Enter")
        await page.wait("location.hash === '#/domains'")
        # Whoever uses a screen reader is at the heading of the new page.
        await page.wait("document.activeElement.tagName === 'H1'")
