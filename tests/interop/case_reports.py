"""Reports of ours as others read them: xmllint by the schema of RFC 7489, parsedmarc the whole mail of both kinds."""

import json
import os
import subprocess
import sys
import venv
from datetime import timedelta
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from appliance.base.limits import REPORT
from appliance.mail import dmarcreport, reportfile, tlsreport
from appliance.mail.dmarcreport import Reason
from appliance.mail.tlsreport import Failure, PolicyResult
from appliance.reports import calendar, dmarc, posting, tlsrpt
from appliance.store import tlsresult
from support.clock import Traveller
from support.reporting import END, evaluation, open_reporter, scanned

ROOT, WORK = Path(__file__).resolve().parents[2], Path(os.environ["WORK"])
ASKS = {
    "_dmarc.a.example": "v=DMARC1; p=reject; rua=mailto:dmarc@a.example,https://a.example/",
    "_smtp._tls.a.example": "v=TLSRPTv1; rua=mailto:tls@a.example",
}
EXPIRED = Failure("certificate-expired", "192.0.2.7", "mx.a.example", "", "198.51.100.1", 1, "", "expired")
STS = PolicyResult("sts", "a.example", ("version: STSv1", "mode: enforce"), ("mx.a.example",), 3, 1, (EXPIRED,))
READER = """
import json, parsedmarc, sys
found = [parsedmarc.parse_report_email(open(name, "rb").read(), offline=True) for name in sys.argv[1:]]
print(json.dumps(found, default=str))
"""


async def make() -> dict[str, bytes]:
    """The mails, by their kinds."""

    async def wait_until(clock, moment):
        await clock.wait_until(moment)

    def note(tx) -> None:
        tx.now = int((END.timestamp() - 3600) * 1e6)
        bounds = {"most": 10, "policies": 10, "failures": 10}
        tlsresult.note(tx, "a.example", "a.example", [STS], is_host=False, sends_report=True, **bounds)

    posting.wait_until = wait_until
    (WORK / "house").mkdir()
    async with open_reporter(WORK / "house", records=ASKS) as house:
        house.note(evaluation(), evaluation(), evaluation(ip="2001:db8::1", reasons=(Reason("mailing_list", "a<b"),)))
        house.store.write_sync(note)
        app = house.at(Traveller(END + timedelta(minutes=5), END + calendar.DAY)).app
        await dmarc.send_due(app, END)
        await tlsrpt.send_due(app, END)
        return {"dmarc" if one.is_dmarc_report else "tls": house.octets(one) for one in house.queue}


mails = trio.run(make)
for name, octets in mails.items():
    (WORK / f"{name}.eml").write_bytes(octets)

xml = reportfile.find(scanned(mails["dmarc"]), mails["dmarc"], bytes, REPORT)
(WORK / "report.xml").write_bytes(xml)
schema = ROOT / "tests/data/reports/dmarc.xsd"
subprocess.run(["xmllint", "--noout", "--schema", schema, WORK / "report.xml"], check=True)

venv.create(WORK / "venv", with_pip=True)
python = WORK / "venv/bin/python"
subprocess.run([python, "-m", "pip", "install", "-q", "parsedmarc"], check=True)
reading = [python, "-c", READER, WORK / "dmarc.eml", WORK / "tls.eml"]
first, second = json.loads(subprocess.run(reading, check=True, stdout=subprocess.PIPE).stdout)

ours = dmarcreport.read(scanned(mails["dmarc"]), mails["dmarc"], REPORT)
theirs = first["report"]
assert theirs["report_metadata"]["report_id"] == ours.report_id
assert theirs["report_metadata"]["begin_date"] == f"{ours.begin:%Y-%m-%d %H:%M:%S}"
assert theirs["report_metadata"]["errors"] == list(ours.errors)
assert (theirs["policy_published"]["domain"], theirs["policy_published"]["sp"]) == ("a.example", "reject")
assert [
    (
        one["source"]["ip_address"],
        one["count"],
        one["policy_evaluated"]["dkim"],
        one["policy_evaluated"]["spf"],
        [(why["type"], why["comment"]) for why in one["policy_evaluated"]["policy_override_reasons"]],
        one["identifiers"]["envelope_from"],
        one["auth_results"]["spf"][0]["result"],
    )
    for one in theirs["records"]
] == [
    (
        one.source_ip,
        one.count,
        one.dkim,
        one.spf,
        [(why.type, why.comment) for why in one.reasons],
        one.envelope_from,
        one.spf_auth[0].result,
    )
    for one in ours.records
]

about = tlsreport.read(scanned(mails["tls"]), mails["tls"], REPORT)
theirs = second["report"]
assert theirs["report_id"] == about.report_id
(policy,) = theirs["policies"]
assert (policy["policy_type"], policy["policy_domain"]) == ("sts", "a.example")
assert (policy["successful_session_count"], policy["failed_session_count"]) == (3, 1)
assert [(one["result_type"], one["failure_reason_code"]) for one in policy["failure_details"]] == [
    ("certificate-expired", "expired")
]
print("read alike")
