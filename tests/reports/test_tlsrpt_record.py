"""Where a domain wants its reports about TLS, and how looking it up is counted."""

import pytest

from appliance.dns.answers import Type
from appliance.dns.problems import Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.reports import tlsrptrecord
from appliance.reports.tlsrptrecord import NoRecord

NAME = "_smtp._tls.a.example"
RECORD = "v=TLSRPTv1; rua=mailto:tls@a.example,https://a.example/tls"
RESULTS = ("ok", "notfound", "multiple", "malformed", "temporary")


def resolver(*texts, failing=()):
    return Resolver(Table({NAME: {Type.TXT: list(texts)}} if texts else {}, failing=failing))


def counted():
    return {result: sum(tlsrptrecord.durations.labels(result).counts) for result in RESULTS}


@pytest.mark.parametrize("texts", [[RECORD], ["v=spf1 -all", RECORD]])
async def test_found(texts):
    before = counted()
    found = await tlsrptrecord.look_up(resolver(*texts), "a.example")
    assert (found.text, found.addresses) == (RECORD, ("mailto:tls@a.example", "https://a.example/tls"))
    assert counted() == {**before, "ok": before["ok"] + 1}


@pytest.mark.parametrize(("texts", "result", "said"), [
    ([], "notfound", f"{NAME} has no records about TLS reports"),
    (["v=spf1 -all"], "notfound", f"{NAME} has no records about TLS reports"),
    ([RECORD, RECORD + ";"], "multiple", f"{NAME} has 2 records about TLS reports: only one may be"),
    (["v=TLSRPTv1; rua=ftp://x"], "malformed", f"{NAME} has no address of mailto or https in rua="),
])  # fmt: skip
async def test_none_that_counts(texts, result, said):
    before = counted()
    with pytest.raises(NoRecord) as caught:
        await tlsrptrecord.look_up(resolver(*texts), "a.example")
    assert (caught.value.result, str(caught.value)) == (result, said)
    assert counted() == {**before, result: before[result] + 1}


async def test_nobody_knows():
    before = counted()
    with pytest.raises(Temporary):
        await tlsrptrecord.look_up(resolver(RECORD, failing=[(NAME, Type.TXT)]), "a.example")
    assert counted() == {**before, "temporary": before["temporary"] + 1}


async def test_no_name():
    with pytest.raises(NoRecord):
        await tlsrptrecord.look_up(resolver(), "a..example")
