"""The alert rules we ship speak of metrics that exist, with labels and results that exist."""

import re
from pathlib import Path

import pytest

import appliance.serve
import appliance.servers.web.webapi.send
import appliance.tls.acme.provider  # noqa: F401  but for those of what is loaded only when it is configured.
from appliance.base import metrics

RULES = (Path(__file__).parent.parent / "appliance" / "cli" / "files" / "alerts.yml").read_text()
NAMES = sorted({name.removesuffix("_count") for name in re.findall(r"\bmoxpy_\w+", RULES)})


@pytest.mark.parametrize("name", NAMES)
def test_metric_exists(name: str):
    declared = {metrics.PREFIX + one.name: one for one in metrics._declared}
    assert name in declared
    for inside in re.findall(rf"{name}(?:_count)?\{{(\w+)", RULES):
        assert inside in declared[name].label_names


def test_every_rule_explains_itself():
    rules = RULES.split("- alert: ")[1:]
    assert len(rules) >= 5
    for rule in rules:
        for key in ("expr:", "severity:", "summary:", "description:"):
            assert key in rule, rule


def test_starttls_rule_is_a_tenth_of_an_hour():
    rule = RULES.split("- alert: MoxpyIncomingTLSFails")[1].split("- alert:")[0]
    assert "> 0.1 * sum" in rule
    assert rule.count("[1h]") == 2


@pytest.mark.parametrize("rule", RULES.split("- alert: ")[1:], ids=lambda rule: rule.split()[0])
def test_brackets_and_quotes_of_expressions_are_closed(rule: str):
    """What promtool looks at more closely (tests/interop)."""
    expression = re.sub(r'"[^"]*"', '""', rule.partition("expr:")[2].partition("labels:")[0])
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing)
    assert expression.count('"') % 2 == 0
    assert "\t" not in rule
