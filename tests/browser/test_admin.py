"""The admin pages in a browser, against a real server."""

import smtplib
import ssl
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


def faults(page: chromium.Page) -> list[str]:
    """What the policy of the pages forbids, and scripts that failed; not what the server refused."""
    return [one for one in page.complaints if "/api/" not in one and "/events" not in one]


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
        assert faults(page) == []


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
        assert faults(page) == []


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


async def test_a_domain_comes_and_goes(house, tmp_path):
    async with chromium.browse(tmp_path / "profile") as page:
        await log_in(page, house, "#/domains")
        await page.click("Add domain")
        await page.fill("Domain", "new.example")
        await page.fill("Account", "mox")
        await page.js("document.querySelector('dialog[open] form').requestSubmit()")
        await page.wait("location.hash === '#/domains/new.example/dns'")
        await page.sees("_dmarc.new.example")
        await page.click("Addresses")
        await page.click("Add alias")
        await page.fill("Localpart", "all")
        await page.fill("Members", "mox@localhost")
        await page.press("Escape")
        await page.wait("!document.querySelector('dialog[open]')")
        await page.click("More")
        await page.click("Remove domain")
        await page.wait("document.querySelector('dialog[open] button[type=submit]').disabled")
        await page.wait("document.activeElement.tagName === 'INPUT'")
        await page.type("new.example")
        await page.press("Enter")
        await page.wait("location.hash === '#/domains'")
        await page.wait("document.querySelectorAll('tbody tr').length === 1")
        assert faults(page) == []


async def test_messages_are_chosen_and_held(house, tmp_path):
    with smtplib.SMTP_SSL("localhost", house.submissions, context=ssl._create_unverified_context()) as client:
        client.login(house.user, house.password)
        for name in ("queueatemperror", "queuebtemperror", "queuectemperror"):
            client.sendmail(
                house.user, [f"{name}@example.org"], f"From: <{house.user}>\r\nSubject: {name}\r\n\r\nhi\r\n"
            )
    async with chromium.browse(tmp_path / "profile") as page:
        await log_in(page, house, "#/queue")
        await page.wait("document.querySelectorAll('tbody tr.leads').length === 3")
        await page.js("document.querySelectorAll('tbody input')[0].click()")
        await page.js(
            "document.querySelectorAll('tbody input')[2].dispatchEvent(new MouseEvent('click', {bubbles: true, shiftKey: true}))"
        )
        await page.sees("3 chosen")
        await page.click("Hold")
        await page.sees("3 messages put on hold")
        await page.wait("document.querySelectorAll('tbody tr.leads .badge.warn').length === 3")
        await page.js("document.querySelector('[aria-label=\"Filter by to\"]').focus()")
        await page.type("queueb")
        await page.wait("document.querySelectorAll('tbody tr.leads').length === 1")
        await page.click(await page.js("document.querySelector('tbody tr.leads [data-leads]').textContent"))
        await page.wait("document.querySelector('dialog[open]').innerText.includes('queuebtemperror@example.org')")
        # Escape closes, and the focus is where it was.
        await page.press("Escape")
        await page.wait("document.activeElement.matches('tbody [data-leads]')")
