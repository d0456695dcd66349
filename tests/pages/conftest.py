"""A browser, and a real server with mail of all kinds in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance.servers.web.assets import FOLDER
from support import pagedata, served
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="package")
def browser() -> "Iterator[Browser]":
    """One for all tests of a process; each test has a profile of its own in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    if not (FOLDER / "admin.html").is_file():
        pytest.skip("the web pages are not built: make frontend")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def house(browser: "Browser", moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """With mail as others may send it: whatever they can write ends in HOSTILE."""
    folder = tmp_path_factory.mktemp("pages") / "local"
    with served.running(moxpy, folder, fill=lambda folder: pagedata.fill(folder, pagedata.HOSTILE)) as house:
        yield house


@pytest.fixture
def tab(browser: "Browser", house: served.House) -> Iterator[Callable[..., Tab]]:
    """Opens an application in a profile of its own, and closes it; nothing may have gone wrong in it by then."""
    contexts, tabs = [], []

    def open_tab(application: str = "admin", place: str | None = "", **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options})
        contexts.append(context)
        tab = Tab(context.new_page(), house, application)
        tabs.append(tab)
        if place is not None:
            tab.log_in(place)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    assert [complaint for one in tabs for complaint in one.complaints] == []
