"""The web pages in a browser without a window, Chromium usually, against a real server. How a test of pages is written:

- `tab(application, place)` opens a page as somebody who is logged in, in a profile of its own, and gives a `Tab`
  (support/browsing.py), whose verbs are those of people: `go`, `press`, `fill`, `row`, `sees`, `told`. `tab(application,
  None)` opens nothing yet; `tab.page` is Playwright's page. Options are those of Playwright's contexts (`viewport`,
  `color_scheme`). Things are found by what is read out: labels, names of buttons, headings of cards.
- Each test fails for a script that failed, for what the policy of pages forbids, and for an answer of 400 and above.
- `house` is the server (ports, name, password; support/served.py), one for all tests of a process: whoever changes it
  puts it back, or uses names of its own. A module that would disturb others has a fixture `house` of its own, which takes
  `browser` before it starts a server, so that it is skipped where there is none.
- What mail and other servers bring stands in support/pagedata.py; a new page joins the walks over all pages
  (`test_what_mail_brings_is_text`) and pictures.py.

`MOXPY_BROWSER=firefox` runs them in Firefox; what that cannot be told to do is skipped (`browsing.only_chromium`).
test_accessible.py has axe-core look at all pages: a new one, a dialog or a menu joins its walks.

All are skipped, and say why, where there is no Playwright, no browser or no built page (`make frontend`).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance.servers.web.assets import FOLDER
from support import browsing, pagedata, served
from support.browsing import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> "Iterator[Browser]":
    """One for all tests of a process; each test has a profile of its own in it."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if browsing.program() is None:
        pytest.skip(f"no {browsing.BROWSER} is installed")
    if not (FOLDER / "admin.html").is_file():
        pytest.skip("the web pages are not built: make frontend")
    with browsing.running() as browser:
        yield browser


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
