import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import header
from appliance.mail.header import HeaderLimits

LIMITS = HeaderLimits(fields=100, octets=100_000)


def read(octets, limits=LIMITS):
    return [(f.name, octets[f.value : f.end]) for f in header.fields(octets, limits=limits)]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"A: b\r\nC:d\r\n\r\nE: f\r\n", [(b"A", b" b\r\n"), (b"C", b"d\r\n")], id="plain"),
        pytest.param(b"A: b\n\nC: d\n", [(b"A", b" b\n")], id="bare LF"),
        pytest.param(b"A: b\r\n c\r\n\td\r\nE:\r\n", [(b"A", b" b\r\n c\r\n\td\r\n"), (b"E", b"\r\n")], id="folded"),
        pytest.param(b"A: b\r\n \r\n c\r\n", [(b"A", b" b\r\n \r\n c\r\n")], id="obsolete blank continuation"),
        pytest.param(b"From a@b.example Mon 1 10:00\r\nA: b\r\n", [(b"A", b" b\r\n")], id="mbox line"),
        pytest.param(b"nonsense\r\n more\r\nA: b\r\n", [(b"A", b" b\r\n")], id="no colon, folded"),
        pytest.param(b" folded\r\nA: b\r\n", [(b"A", b" b\r\n")], id="folded at the start"),
        pytest.param(b"A \t: b\r\n", [(b"A", b" b\r\n")], id="space before colon"),
        pytest.param(b"A: b\rC: d\r\n", [(b"A", b" b\rC: d\r\n")], id="lone CR is content"),
        pytest.param(b": b\r\nA: b", [(b"A", b" b")], id="no name; no line end"),
        pytest.param(b"\r\nA: b\r\n", [], id="empty header"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_fields(octets, expected):
    assert read(octets) == expected
    assert header.fields(memoryview(octets), limits=LIMITS) == header.fields(octets, limits=LIMITS)


def test_fields_within():
    octets = b"xxA: b\r\nC: d\r\nE: f\r\n"
    assert [f.name for f in header.fields(octets, 2, 14, limits=LIMITS)] == [b"A", b"C"]


def test_limits():
    octets = b"A: b\r\n" * 10
    assert len(read(octets, HeaderLimits(fields=3, octets=1000))) == 3
    assert len(read(octets, HeaderLimits(fields=100, octets=12))) == 2


@pytest.mark.parametrize(
    ("octets", "end"),
    [
        pytest.param(b"A: b\r\n\r\nbody\r\n\r\n", 8, id="CRLF"),
        pytest.param(b"A: b\n\nbody", 6, id="LF"),
        pytest.param(b"A: b\r\n\nbody", 7, id="mixed"),
        pytest.param(b"\r\nbody", 2, id="empty header"),
        pytest.param(b"A: b\r\n", 6, id="no empty line"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
def test_header_end(octets, end):
    assert header.header_end(octets) == end


def test_get():
    octets = b"To: a\r\n b\r\nto:c\r\nTo :  d \r\n\r\nTo: e\r\n"
    found = header.fields(octets, limits=LIMITS)
    assert header.get(octets, found, b"TO") == b"a b"
    assert header.get_all(octets, found, b"to") == [b"a b", b"c", b"d"]
    assert header.get(octets, found, b"Cc") is None


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        pytest.param(b"a b", [b"X: a b"], id="short"),
        pytest.param(b"a  b", [b"X: a b"], id="one space"),
        pytest.param(b'"a  b"', [b'X: "a  b"'], id="quoted spaces stay"),
        pytest.param(b"a\r\nEvil: b", [b"X: a Evil: b"], id="no line end gets through"),
        pytest.param(b"a " * 50, [b"X:" + b" a" * 37, b"\t" + b" ".join([b"a"] * 13)], id="tab"),
        pytest.param(b"a" * 100 + b" b", [b"X: " + b"a" * 100, b"\tb"], id="long word stays whole"),
    ],
)
def test_fold(value, lines):
    assert header.fold(b"X", value) == b"\r\n".join(lines) + b"\r\n"


@given(
    st.lists(st.integers(1, 90).map(lambda length: b"a" * length), max_size=60).map(b" ".join)
    | st.text('ab "\\\n\t', max_size=200).map(str.encode),
    st.sampled_from([b"X", b"Authentication-Results", b"N" * 80]),
)
def test_fold_is_the_same_word_by_word(value, name):
    units = header._UNIT.findall(header._CONTROL.sub(b" ", value))
    assert header.fold(name, value) == header._fold(name, units, b"\r\n\t")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"word", b"x" * 30, b"\r", b"\n", b"\t", b'"', b"\xc3\xa9"]), max_size=60))
def test_fold_text(pieces):
    value = b"".join(pieces)
    folded = header.fold_text(b"X", value)
    assert [f.name for f in header.fields(folded, limits=LIMITS)] == [b"X"]
    expected = value.translate(bytes(32 if octet < 32 else octet for octet in range(256)))
    assert header.unfold(folded) == b"X: " + expected
    assert all(line.strip() for line in folded.splitlines())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"A", b":", b" ", b"\r", b"\n", b"\xff"])).map(b"".join))
def test_any_octets(octets):
    found = header.fields(octets, limits=LIMITS)
    position = 0
    for field in found:
        assert position <= field.start < field.value <= field.end <= len(octets)
        assert octets[field.start :].startswith(field.name)
        position = field.end
    assert position <= header.header_end(octets)
    assert b"\n" not in header.unfold(octets)


def test_linear(growth):
    for octets in (b"A", b"A ", b"A:\n ", b"\n ", b"A: b\n", b"\r"):
        growth(
            lambda size, octets=octets: header.fields(octets * size, limits=HeaderLimits(fields=10**9, octets=10**9))
        )


@given(st.text("ab\t ", max_size=400).map(str.encode), st.sampled_from([b"X", b"X-Mox-Reason", b"n" * 90]))
def test_text_is_folded_the_same_word_by_word(value: bytes, name: bytes) -> None:
    plain = value.replace(b"\t", b" ")
    assert header.fold_text(name, value) == header._fold(name, header._words(plain), b"\r\n ")


def test_fold_list() -> None:
    """Each text begins a line, and what is in a text cannot end the field."""
    folded = header.fold_list(b"X-Why", [b"first", b"second\r\nEvil: 1", b"word " * 30])
    assert folded.startswith(b"X-Why: first;\r\n second  Evil: 1;\r\n word word")
    (field,) = header.fields(folded + b"\r\n", limits=LIMITS)
    assert field.end == len(folded)
    assert all(len(line) <= 76 for line in folded.splitlines())
    assert header.fold_list(b"X", [b"a"]) == b"X: a\r\n"
