"""How quick webmail is, as its page sees it: the first list, opening messages, searching; of a server that runs.

    python -m pages.speed http://localhost:1080/webmail/ mox@localhost moxmoxmox

with tests/ on the path. `python -m bench` has what fills mailboxes (bench/queries.py, `short`).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from support import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Page

TIMES = 7
SEARCHES = ("zebrafinchology", "common", "from:person7", "subject:subject", "is:unread")
#: Of the marks that the page sets (performance.mark): when the last of a name was.
_LAST = "name => performance.getEntriesByName(name).at(-1)?.startTime ?? -1"


def until(page: "Page", name: str, after: float = -1) -> float:
    """When the page last did something, once that is later than `after`."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        when = float(page.evaluate(_LAST, name))
        if when > after:
            return when
        # Asking keeps the page busy, too.
        time.sleep(0.1)
    raise TimeoutError(name)


def median(name: str, run: Callable[[int], float]) -> None:
    values = [run(number) for number in range(TIMES)]
    print(f"{name:<40} {statistics.median(values):7.0f} ms   ({min(values):.0f} to {max(values):.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("address")
    parser.add_argument("password")
    args = parser.parse_args()
    with browsing.running() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(args.root)
        page.get_by_label("E-mail address").fill(args.address)
        page.get_by_label("Password").fill(args.password)
        page.get_by_label("Password").press("Enter")
        until(page, "webmail:list")

        def first_list(_: int) -> float:
            page.goto("about:blank")
            # What the page before still wanted is over.
            page.wait_for_timeout(1000)
            page.goto(args.root)
            return until(page, "webmail:list")

        def opened(number: int) -> float:
            page.locator(".rows [role=option]").nth(number).click()
            pressed = until(page, "webmail:press")
            return until(page, "webmail:message", pressed) - pressed

        def found(text: str) -> float:
            field = page.get_by_role("combobox", name="Search mail")
            field.fill(text)
            field.press("Enter")
            asked = until(page, "webmail:search")
            return until(page, "webmail:list", asked) - asked

        median("first list, from navigation", first_list)
        median("opening a message", opened)
        for text in SEARCHES:
            # Another search each time, which finds the same: what was asked before is shown already.
            median(f"search {text}", lambda number, text=text: found(f"{text} minsize:{number + 1}"))  # type: ignore[misc]


if __name__ == "__main__":
    main()
