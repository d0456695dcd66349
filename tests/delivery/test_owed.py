"""What DMARC said of a message is kept for the report to its domain's owner."""

import pytest

from appliance.delivery import owed
from appliance.mail.dmarcreport import DKIMAuth, PublishedPolicy, Reason, Record, SPFAuth
from appliance.msgauth.dmarc import record
from appliance.msgauth.dmarc.evaluation import DKIMEntry, Evaluation, Override, SPFEntry
from appliance.msgauth.dmarc.record import Policy
from appliance.store import evaluation as evaluations
from support.stores import open_store

PUBLISHED = record.parse(
    "v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; pct=50; fo=1:d; ri=7200; rua=mailto:r@a.example"
)
EVALUATION = Evaluation(
    policy_domain="a.example",
    published=PUBLISHED,
    source_ip="192.0.2.1",
    disposition=Policy.NONE,
    dkim_aligned=True,
    spf_aligned=False,
    overrides=(Override.MAILING_LIST,),
    envelope_to="ours.example",
    envelope_from="list.example",
    header_from="mail.a.example",
    dkim=(DKIMEntry("a.example", "s", "pass", "text"),),
    spf=(SPFEntry("list.example", "mfrom", "pass"),),
)


def test_kept(tmp_path):
    with open_store(tmp_path) as store:
        assert store.write_sync(owed.note, EVALUATION, optional=True)
        with store.read() as tx:
            kept = list(evaluations.owed(tx, "a.example"))
        assert kept == [
            evaluations.Evaluation(
                "a.example",
                store.clock.microseconds(),
                True,
                2,
                ("mailto:r@a.example",),
                PublishedPolicy("a.example", "reject", "none", "s", "r", 50, "1:d", "quarantine"),
                Record(
                    *("192.0.2.1", 1, "none", "pass", "fail", (Reason("mailing_list"),)),
                    *("mail.a.example", "list.example", "ours.example"),
                    (DKIMAuth("a.example", "s", "pass", "text"),),
                    (SPFAuth("list.example", "mfrom", "pass"),),
                ),
            )
        ]


@pytest.mark.parametrize(
    ("seconds", "hours"),
    [
        (0, 1),
        (1, 1),
        (3600, 1),
        (3601, 2),
        (5 * 3600, 4),
        (7 * 3600, 6),
        (11 * 3600, 8),
        (86399, 24),
        (86400, 24),
        (2**32 - 1, 24),
    ],
)
def test_intervals(seconds, hours):
    assert owed.interval_hours(seconds) == hours
