"""JSON of requests: the rules that old clients rely on, and what nobody may do to us with it."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, strategies as st

from appliance.servers.web.webapi.decoding import BadRequest, decode
from appliance.servers.web.webapi.types import NameAddress, SendRequest, Shape


class Inner(Shape):
    name: str = ""


class Outer(Shape):
    text: str = ""
    number: int = 0
    flag: bool = False
    maybe: bool | None = None
    moment: datetime | None = None
    texts: list[str] = []
    pairs: list[tuple[str, str]] = []
    extra: dict[str, str] = {}
    inners: list[Inner] = []
    msg_id: int = 0


NOON = datetime(2026, 2, 3, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"{}", Outer(), id="nothing"),
        pytest.param(b" \t\r\n{ } ", Outer(), id="space"),
        pytest.param(b"null", Outer(), id="null alone"),
        pytest.param(b'{"Text":"a","Number":-5,"Flag":true}', Outer(text="a", number=-5, flag=True), id="plain"),
        pytest.param(b'{"tExT":"a","MSGID":7}', Outer(text="a", msg_id=7), id="keys in any case"),
        pytest.param(b'{"Text":"a","TEXT":"b"}', Outer(text="b"), id="the last one wins"),
        pytest.param(b'{"Text":"a"} trailing {', Outer(text="a"), id="what follows"),
        pytest.param(
            b'{"Text":null,"Number":null,"Flag":null,"Maybe":null,"Moment":null,"Texts":null,"Extra":null,"Inners":null}',
            Outer(),
            id="null is zero",
        ),
        pytest.param(b'{"Texts":[null,"a"],"Inners":[null,{"Name":"x"}]}', Outer(texts=["", "a"], inners=[Inner(), Inner(name="x")]), id="null within lists"),
        pytest.param(b'{"Maybe":false}', Outer(maybe=False), id="false is not unset"),
        pytest.param(b'{"Pairs":[["a","b"],["c"],[]]}', Outer(pairs=[("a", "b"), ("c", ""), ("", "")]), id="pairs"),
        pytest.param(b'{"Extra":{"Key":"v","key":"w"}}', Outer(extra={"Key": "v", "key": "w"}), id="a map minds case"),
        pytest.param(b'{"Text":"\xff\xc3\xbc"}', Outer(text="\ufffd\u00fc"), id="not UTF-8"),
        pytest.param(rb'{"Text":"\ud83d\ude00 \ud800 \u00e9\n"}', Outer(text="\U0001f600 \ufffd \u00e9\n"), id="escapes"),
        pytest.param(b'{"Number":9223372036854775807}', Outer(number=2**63 - 1), id="the largest integer"),
        pytest.param(b'{"Moment":"2026-02-03T12:00:00Z"}', Outer(moment=NOON), id="time"),
        pytest.param(b'{"Moment":"2026-02-03T12:00:00.5+02:00"}', Outer(moment=datetime(2026, 2, 3, 12, 0, 0, 500000, tzinfo=timezone(timedelta(hours=2)))), id="time with zone"),
        pytest.param(b'{"Moment":"2026-02-03T12:00:00.123456789Z"}', Outer(moment=NOON.replace(microsecond=123456)), id="nanoseconds"),
    ],
)  # fmt: skip
def test_read(octets, expected):
    assert decode(octets, Outer) == expected


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"{", id="cut"),
        pytest.param(b'{"Text"', id="cut behind a key"),
        pytest.param(b'{"Text":', id="cut behind a colon"),
        pytest.param(b'{"Text":"a', id="cut in a text"),
        pytest.param(b'{"Texts":["a"', id="cut in a list"),
        pytest.param(b'{"Text":"a",}', id="a comma too many"),
        pytest.param(b'{"Text" "a"}', id="no colon"),
        pytest.param(b'{"Text":"a" "Number":1}', id="no comma"),
        pytest.param(b'{Text:"a"}', id="key without quotes"),
        pytest.param(b'{"Text":"a\nb"}', id="control character"),
        pytest.param(rb'{"Text":"\x41"}', id="no such escape"),
        pytest.param(b'{"Other":1}', id="unknown key"),
        pytest.param(b'{"Other":null}', id="unknown key with null"),
        pytest.param(b'{"Inners":[{"Other":1}]}', id="unknown key within"),
        pytest.param(b'{"Text":1}', id="number for text"),
        pytest.param(b'{"Number":"1"}', id="text for number"),
        pytest.param(b'{"Number":1.0}', id="fraction"),
        pytest.param(b'{"Number":1e2}', id="exponent"),
        pytest.param(b'{"Number":9223372036854775808}', id="beyond 64 bits"),
        pytest.param(b'{"Number":' + b"9" * 100_000 + b"}", id="a very long number"),
        pytest.param(b'{"Number":01}', id="leading zero"),
        pytest.param(b'{"Flag":1}', id="number for bool"),
        pytest.param(b'{"Flag":tru}', id="half a word"),
        pytest.param(b'{"Pairs":[["a","b","c"]]}', id="three of two"),
        pytest.param(b'{"Pairs":["ab"]}', id="no pair"),
        pytest.param(b'{"Texts":{}}', id="object for list"),
        pytest.param(b'{"Extra":[]}', id="list for object"),
        pytest.param(b'{"Moment":"2026-02-03 12:00:00Z"}', id="time without T"),
        pytest.param(b'{"Moment":"2026-02-30T12:00:00Z"}', id="no such day"),
        pytest.param(b'{"Moment":"2026-02-03T12:00:00"}', id="time without zone"),
        pytest.param(b'{"Moment":""}', id="empty time"),
        pytest.param(b'{"Texts":' + b"[" * 100_000, id="deep lists"),
        pytest.param(b'{"Inners":[{"Name":' + b'{"Name":' * 100_000, id="deep objects"),
    ],
)
def test_refused(octets):
    with pytest.raises(BadRequest):
        decode(octets, Outer)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b'{"Texts":[' + b'"",' * 1_000_000, id="many entries"),
        pytest.param(b'{"Extra":{' + b"".join(b'"%d":"",' % n for n in range(300_000)), id="many keys"),
        pytest.param(b'{"Extra":{' + b'"a":"",' * 1_000_000, id="one key many times"),
        pytest.param(b'{"Text":"","Text":"",' * 500_000, id="one field many times"),
        pytest.param(b'{"Texts":' + b" " * 5_000_000, id="space"),
        pytest.param(b'{"\\u0041' * 1_000_000, id="escapes in keys"),
    ],
)
def test_bombs_cost_little(octets):
    began = time.process_time()
    with pytest.raises(BadRequest):
        decode(octets, Outer)
    assert time.process_time() - began < 1


def test_a_large_text_is_read_in_slices():
    text = "\u00fc\U0001f600x" * 200_000
    assert decode(json.dumps({"Text": text}, ensure_ascii=False).encode(), Outer).text == text


ADDRESS = st.builds(NameAddress, name=st.text(), address=st.text())
MOMENT = st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1))


@given(
    st.builds(
        SendRequest,
        to=st.lists(ADDRESS, max_size=3),
        references=st.lists(st.text(), max_size=3),
        date=st.none() | MOMENT,
        subject=st.text(),
        extra=st.dictionaries(st.text(), st.text(), max_size=3),
        headers=st.lists(st.tuples(st.text(), st.text()), max_size=3),
        require_tls=st.none() | st.booleans(),
    )
)
def test_what_was_written_is_read(value):
    assert decode(msgspec.json.encode(value), SendRequest) == value


@given(st.binary(max_size=200))
def test_any_octets(octets):
    try:
        decode(octets, Outer)
    except BadRequest:
        pass
