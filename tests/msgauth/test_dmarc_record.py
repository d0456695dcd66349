"""DMARC records as people publish them, and as they should not."""

import pytest
from hypothesis import given, strategies as st

from appliance.msgauth.dmarc.record import (
    Alignment,
    DMARCRecordError,
    Policy,
    Record,
    ReportAddress,
    is_record,
    parse,
)

A, B = ReportAddress("mailto:a@b.example"), ReportAddress("mailto:c@d.example", 10 << 20)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        pytest.param("v=DMARC1; p=none", Record(Policy.NONE), id="least"),
        pytest.param("v=DMARC1;p=reject;", Record(Policy.REJECT), id="no spaces, last semicolon"),
        pytest.param("v = DMARC1 ; p = Quarantine ; ", Record(Policy.QUARANTINE), id="spaces and case"),
        pytest.param("v=DMARC1; sp=none; p=reject", Record(Policy.REJECT, Policy.NONE), id="p is not second"),
        pytest.param(
            "v=DMARC1; p=reject; np=reject",
            Record(Policy.REJECT, nonexistent_policy=Policy.REJECT),
            id="np",
        ),
        pytest.param(
            "v=DMARC1; p=none; rua=mailto:a@b.example, mailto:c@d.example!10m",
            Record(Policy.NONE, aggregate=(A, B)),
            id="addresses with and without size",
        ),
        pytest.param("v=DMARC1; p=none; ruf=mailto:a@b.example", Record(Policy.NONE, failure=(A,)), id="ruf"),
        pytest.param(
            "v=DMARC1; p=none; adkim=s; aspf=s; pct=10; ri=3600; fo=1:d:s; rf=afrf",
            Record(
                Policy.NONE,
                dkim_alignment=Alignment.STRICT,
                spf_alignment=Alignment.STRICT,
                percentage=10,
                interval_seconds=3600,
                failure_options=("1", "d", "s"),
            ),
            id="everything else",
        ),
        pytest.param("v=DMARC1; p=none; t=y; psd=n; x_new=1", Record(Policy.NONE), id="unknown tags"),
        # RFC 7489 §6.6.3: reports are wanted, so there is a record, and its policy is none.
        pytest.param("v=DMARC1; rua=mailto:a@b.example", Record(Policy.NONE, aggregate=(A,)), id="no p, but rua"),
        pytest.param(
            "v=DMARC1; p=oops; rua=mailto:a@b.example", Record(Policy.NONE, aggregate=(A,)), id="bad p, but rua"
        ),
        pytest.param(
            "v=DMARC1; p=reject; sp=oops; rua=mailto:a@b.example",
            Record(Policy.NONE, aggregate=(A,)),
            id="bad sp, but rua",
        ),
    ],
)
def test_parse(text: str, record: Record) -> None:
    assert is_record(text)
    assert parse(text) == record
    assert parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1",
        "v=DMARC1; rua=",
        "v=DMARC1; p=oops",
        "v=DMARC1; p=none; sp=oops",
        "v=DMARC1; p=none; p=none",
        "v=DMARC1; p=none; pct=101",
        "v=DMARC1; p=none; pct=-1",
        "v=DMARC1; p=none; pct=ten",
        "v=DMARC1; p=none; ri=99999999999",
        "v=DMARC1; p=none; adkim=x",
        "v=DMARC1; p=none; fo=2",
        "v=DMARC1; p=none; rua=a@b.example",
        "v=DMARC1; p=none; rua=mailto:a@b.example!ten",
        "v=DMARC1; p=none; oops",
        "v=DMARC1; p=none; =x",
        "v=DMARC1; p=none; " + "x=y" * 5000,
    ],
)
def test_malformed(text: str) -> None:
    assert is_record(text)
    with pytest.raises(DMARCRecordError):
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "v=spf1 -all", "v=DMARC11; p=none", "v=dmarc1; p=none", "p=none; v=DMARC1", " v=DMARC1; p=none"]
)
def test_not_meant_for_dmarc(text: str) -> None:
    assert not is_record(text)
    with pytest.raises(DMARCRecordError):
        parse(text)


def test_address_of_a_uri() -> None:
    assert ReportAddress("mailto:a%2Cb@c.example?subject=x").mail == "a,b@c.example"
    assert ReportAddress("https://c.example/report").mail is None


def test_policy_for_subdomains() -> None:
    record = parse("v=DMARC1; p=reject; sp=none")
    assert (record.policy_for(subdomain=False), record.policy_for(subdomain=True)) == (Policy.REJECT, Policy.NONE)
    assert parse("v=DMARC1; p=reject").policy_for(subdomain=True) is Policy.REJECT


@given(
    st.lists(
        st.sampled_from(
            ["p", "=", "none", ";", " ", "rua", "mailto:", "a@b.example", "!10k", ",", "pct", "100", "fo", "1:d", "é"]
        ),
        max_size=20,
    )
)
def test_any_record(pieces: list[str]) -> None:
    text = "v=DMARC1;" + "".join(pieces)
    try:
        parsed = parse(text)
    except DMARCRecordError:
        return
    assert parsed.policy in set(Policy)
    assert 0 <= parsed.percentage <= 100
