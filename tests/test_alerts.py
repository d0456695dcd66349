"""The alert rules we ship speak of metrics that exist, with labels and results that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import appliance.queue.remote
import appliance.reports.dmarc
import appliance.reports.tlsrpt
import appliance.serve
import appliance.servers.web.jmap.batch
import appliance.servers.web.webapi.send
import appliance.tls.acme.provider  # noqa: F401  but for those of what is loaded only when it is configured.
from appliance.base import metrics

RULES = (Path(__file__).parent.parent / "appliance" / "cli" / "files" / "alerts.yml").read_text()
NAMES = sorted({name.removesuffix("_count") for name in re.findall(r"\bmoxpy_\w+", RULES)})


@pytest.mark.parametrize("name", NAMES)
def test_metric_exists(name: str):
    declared = {metrics.PREFIX + one.name: one for one in metrics._declared}
    assert name in declared
    for inside in re.findall(rf"{name}(?:_count)?\{{([^}}]*)\}}", RULES):
        for label in re.findall(r"(\w+)[=!]", inside):
            assert label in declared[name].label_names


def test_every_rule_explains_itself():
    rules = RULES.split("- alert: ")[1:]
    assert len(rules) >= 25
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


@pytest.mark.parametrize("what", [
    "panic", "autotls_cert_request_errors", "dnsbl_ips_success == 0", "dnsbl_ips_success < 0", "attempt!~",
    "smtpserver_errors", 'code=~"5', "queue_hold[2h]", "smtpserver_submission", "smtpserver_delivery_total{result=~",
    "webapi_submission", "webmail_submission", "webmail_errors", "webrpc_errors", "jmap_calls", "webapi_errors", "logging_level_error", "14 * 24 * 3600",
    "queue_oldest_seconds > 8 * 3600", "0.1 * moxpy_disk_bytes", "2 * 24 * 3600", "config_reload_success", "[6h]",
    "tlsrptdb_session", "dmarcdb_policy_evaluated", "authentication_ratelimited", "starttls_errors",
])  # fmt: skip
def test_what_is_watched(what: str):
    assert what in RULES


def test_prometheus_takes_them(tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool")
    path = tmp_path / "alerts.yml"
    path.write_text(RULES)
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
