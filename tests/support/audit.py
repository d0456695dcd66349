"""axe-core on a page: what keeps people with a screen reader, without a mouse or with weak eyes from using it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Where npm puts it; a dependency of development only.
SCRIPT = Path(__file__).parent.parent.parent / "frontend/node_modules/axe-core/axe.min.js"
#: Levels A and AA of WCAG 2.0, 2.1 and 2.2, and what axe holds for good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: Without its wish that all stands within landmarks: menus and the lines between areas stand beside what they belong to.
RUN = """rules => axe.run(document, { runOnly: rules, rules: { region: { enabled: false } }, resultTypes: ["violations"], iframes: false })
    .then(({ violations }) => violations)"""


def violations(page: "Page") -> list[str]:
    """One for each rule and element."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(SCRIPT.read_text())
    found: list[dict[str, Any]] = page.evaluate(RUN, RULES)
    told = [f"{one['id']} ({one['impact']}): {_short(node)}" for one in found for node in one["nodes"]]
    # What a bar at the edge lies over can be scrolled to.
    return [one for one in told if not ("target-size" in one and "partially obscured" in one)]


def _short(node: dict[str, Any]) -> str:
    said = " ".join(str(node.get("failureSummary", "")).split())
    return f"{' '.join(map(str, node['target']))} {said}"[:400]
