"""Takes pictures of every page, for people to look at: `make pictures`, or `python -m pages.pictures FOLDER` with tests/ on
the path. A localserve of its own has mail of all kinds in it; each page is taken wide and narrow, light and dark. Of webmail
and the inbox for tests the scenes of scenes.py are taken, in a house with real mail.
"""

import argparse
import re
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Error

from pages import scenes
from support import browsing, pagedata, realmail, served
from support.browsing import Tab

WIDTHS = {"wide": 1280, "narrow": 390}
SCHEMES = ("light", "dark")
#: Beside what the menus lead to.
DEEPER = {
    "admin": (
        *(f"domains/localhost/{tab}" for tab in "addresses dns check clients dkim mtasts settings routes".split()),
        *(f"accounts/mox/{tab}" for tab in "addresses settings login attempts routes".split()),
        "aliases/localhost/team", "reports/tls", "reports/dmarc/localhost", "reports/tls/localhost", "webhooks/retired",
        "evaluations/tls", "evaluations/suppressed", "config/static",
    ),
    "account": (
        *(f"addresses/mox@localhost{tab}" for tab in ("", "/rules", "/forwarding", "/refusals")),
        "junk/flags", "junk/rejects", "junk/introbox", "webhooks/incoming", "webhooks/signing",
    ),
}  # fmt: skip
ALIAS = '[domains.localhost.aliases.team]\naddresses = ["mox@localhost"]\nforward = ["carol@shy.example"]\n'


def fill(folder: Path) -> None:
    pagedata.fill(folder)
    with (folder / "domains.toml").open("a") as domains:
        domains.write(f"\n{ALIAS}")


def take(browser: Browser, house: served.House, folder: Path, application: str, only: str) -> int:
    count = 0
    for width, pixels in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": pixels, "height": 844}, color_scheme=scheme, locale="en-GB", has_touch=pixels < 500
            )
            tab = Tab(context.new_page(), house, application)
            tab.page.goto(tab.root)
            tab.page.get_by_label("Password").wait_for()
            tab.page.screenshot(path=folder / f"{application}-login-{width}-{scheme}.png")
            tab.log_in()
            tab.settled()
            for place in dict.fromkeys([*tab.places(), *DEEPER[application]]):
                if not re.search(only, place):
                    continue
                tab.go(place)
                name = place.replace("/", "-").replace("@", "_at_") or "overview"
                path = folder / f"{application}-{name}-{width}-{scheme}.png"
                tab.page.screenshot(path=path, full_page=True, animations="disabled")
                count += 1
                rows = tab.page.locator("tbody button[data-leads]")
                if rows.count():
                    rows.first.click()
                    tab.page.locator("dialog[open]").wait_for()
                    tab.settled()
                    tab.page.screenshot(
                        path=path.with_name(path.name.replace(name, f"{name}-details")), animations="disabled"
                    )
                    tab.page.keyboard.press("Escape")
                    tab.closed()
            if tab.complaints:
                print(f"{application}, {width}, {scheme}:", *tab.complaints, sep="\n  ")
            context.close()
    return count


class Inbox(Tab):
    """The inbox for tests, at its own port."""

    @property
    def root(self) -> str:
        return f"http://localhost:{self.house.inbox}/"


def take_scenes(browser: Browser, house: served.House, folder: Path, only: str, *, inbox: bool = False) -> int:
    known, names = (scenes.INBOX, [*scenes.INBOX]) if inbox else (scenes.SCENES, ["login", *scenes.SCENES])
    count = 0
    for width, pixels in WIDTHS.items():
        context = browser.new_context(
            viewport={"width": pixels, "height": 800 if pixels > 500 else 844}, locale="en-GB", has_touch=pixels < 500,
            is_mobile=pixels < 500, service_workers="block",
        )  # fmt: skip
        tab = (Inbox if inbox else Tab)(context.new_page(), house, "webmail")
        for name in names:
            wanted = re.search(only, name) is not None and not (width == "narrow" and name in scenes.WIDE)
            if name != "login" and not wanted:
                continue
            tab.page.goto("about:blank")
            scene = None
            if name == "login":
                tab.page.goto(tab.root)
                tab.page.get_by_label("Password").wait_for()
            else:
                scene = known[name](tab)
            try:
                if scene:
                    next(scene)
                for scheme in SCHEMES if wanted else ():
                    tab.page.emulate_media(color_scheme=scheme)
                    tab.page.screenshot(path=folder / f"webmail-{name}-{width}-{scheme}.png", animations="disabled")
                    count += 1
                if scene:
                    next(scene, None)
            except Error as error:
                print(f"webmail, {name}, {width}:", error)
                tab.page.screenshot(path=folder / f"webmail-{name}-{width}-failed.png")
            if name == "login":
                tab.enter()
                tab.logged_in()
        context.close()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moxpy", type=Path, default=Path(".venv/bin/moxpy"))
    parser.add_argument("--only", default="", help="pages in whose place this regular expression is found")
    parser.add_argument("--applications", nargs="+", default=[*DEEPER, "webmail"], choices=[*DEEPER, "webmail"])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, browsing.running() as browser:
        folder = Path(temporary) / "local"
        with served.running(options.moxpy.absolute(), folder, fill=fill) as house:
            for application in options.applications:
                if application != "webmail":
                    print(application, take(browser, house, options.folder, application, options.only), "pictures")
        if "webmail" in options.applications:
            with served.running(options.moxpy.absolute(), Path(temporary) / "mail") as house:
                realmail.put(house)
                print("webmail", take_scenes(browser, house, options.folder, options.only), "pictures")
                print("inbox", take_scenes(browser, house, options.folder, options.only, inbox=True), "pictures")


if __name__ == "__main__":
    main()
