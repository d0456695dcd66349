"""Takes pictures of every page, for people to look at: `make pictures`, or `python -m pages.pictures FOLDER` with tests/ on
the path. A localserve of its own has mail of all kinds in it; each page is taken wide and narrow, light and dark.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from support import browsing, pagedata, served
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
                if only not in place:
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="pictures", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moxpy", type=Path, default=Path(".venv/bin/moxpy"))
    parser.add_argument("--only", default="", help="pages whose place has this in it")
    parser.add_argument("--applications", nargs="+", default=list(DEEPER), choices=list(DEEPER))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, browsing.running() as browser:
        folder = Path(temporary) / "local"
        with served.running(options.moxpy.absolute(), folder, fill=fill) as house:
            for application in options.applications:
                print(application, take(browser, house, options.folder, application, options.only), "pictures")


if __name__ == "__main__":
    main()
