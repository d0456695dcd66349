import random
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import SCAN, TOKENS
from appliance.mail.scan import scan
from appliance.mail.tokens import _grams, _words, has_bad_content_type, tokens

HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"


def words(octets: bytes, *grams: int, limits=TOKENS) -> set[str]:
    return set(tokens(scan(octets, SCAN).root, lambda start, end: octets[start:end], grams or (1,), limits))


def of_text(text: str, *grams: int) -> set[str]:
    return words(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode(), *grams)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Buy CHEAP cheap pills, now!", "buy cheap pills now", id="lower case, once each"),
        pytest.param("an ox is big", "big", id="two octets are too short"),
        pytest.param("\u00e9t \u65e5", "\u00e9t \u65e5", id="length is in octets"),
        pytest.param("'don't' dogs' ''quoted'' rock'n'roll", "don't dogs quoted rock'n'roll", id="apostrophes"),
        pytest.param("don\u2019t", "don't", id="typographic apostrophe"),
        pytest.param("first_second half-way a.bcd", "first second half way bcd", id="what separates"),
        pytest.param("12 123 1234567 \u0661\u0662\u0663", "", id="digits alone"),
        pytest.param("abc1234 year2024x", "", id="four digits in a row"),
        pytest.param("ab123 0x12ab345 a1b234", "", id="hexadecimal with three digits in a row"),
        pytest.param("abc12 agent007 0xbeef", "abc12 agent007 0xbeef", id="few digits"),
        pytest.param("2fvu9stm9xhnlu bcdfgh", "", id="six consonants or digits in a row"),
        pytest.param("bcdfg strength rhythms", "bcdfg strength rhythms", id="five, or with y"),
        pytest.param("\u00e4bcdfgh", "\u00e4bcdfgh", id="random only in ASCII"),
        pytest.param("e\u0301t\u00e9 caf\u00e9", "\u00e9t\u00e9 caf\u00e9", id="composed"),
        pytest.param("a" * 128 + " " + "b" * 64 + "\u00e4" * 33, "a" * 128, id="too long, in octets"),
    ],
)
def test_words_of_text(text: str, expected: str) -> None:
    assert of_text(text) == set(expected.split())


@pytest.mark.parametrize(
    ("grams", "expected"),
    [
        ((2,), {"free money", "money today"}),
        ((3,), {"free money today"}),
        ((3, 1), {"free", "money", "today", "free money today"}),
    ],
)
def test_words_in_a_row(grams: tuple[int, ...], expected: set[str]) -> None:
    assert of_text("Free 12345 money: to today", *grams) == expected


def test_no_row_goes_over_the_limit() -> None:
    assert of_text(f"{'a' * 100} {'b' + 'a' * 30} cat", 2) == {f"{'b' + 'a' * 30} cat"}


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(
            b"From: Ann <ann@shop.example>\r\nX-To: none\r\nsubject: The sale of all\r\n\r\n",
            {"From:shop", "From:example", "Subject:sale"},
            id="fields, words of four octets",
        ),
        pytest.param(b"Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\n", {"Subject:gr\u00fcn"}, id="encoded word"),
        pytest.param(b"Subject: one\r\n folded\r\n\r\n", {"Subject:folded"}, id="folded"),
        pytest.param(b"Return-Path: <news@x.example>\r\n\r\n", {"Return-Path:news", "Return-Path:example"}, id="path"),
        pytest.param(
            HTML + b"<style>hidden</style><script>hidden</script><svg><text>hidden</text></svg>"
            b"<p class=none>See &amp; <b>buy</b><img src=none alt='pills'><!-- hidden -->",
            {"see", "buy", "pills"},
            id="HTML",
        ),
        pytest.param(HTML + b"<p>good <a href='x", {"good"}, id="broken HTML"),
        pytest.param(
            b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwords\r\n",
            {"Subject:inner", "words"},
            id="nested message",
        ),
        pytest.param(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\n"
            b"Content-Type: image/png\r\n\r\nnone\r\n--b\r\nContent-Type: text/csv\r\n"
            b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\ndHdv\r\n--b--\r\n",
            {"one", "two"},
            id="text parts, attached ones too",
        ),
        pytest.param(
            b"Content-Type: text/plain; charset=utf-8\r\n\r\ngood \xff\xfe words\r\n",
            {"good", "words"},
            id="broken charset",
        ),
        pytest.param(b"Content-Type: text/plain; charset=none\r\n\r\nwords", {"words"}, id="unknown charset"),
        pytest.param(
            b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            b"gr=FCn soft=\r\nly\r\n",
            {"gr\u00fcn", "softly"},
            id="decoded",
        ),
    ],
)
def test_words_of_message(octets: bytes, expected: set[str]) -> None:
    assert words(octets) == expected


def test_limits() -> None:
    text = b"\r\n" + b" ".join(b"%s%s" % (a, b) for a in (b"xa", b"xe", b"xi") for b in (b"la", b"le", b"li"))
    assert words(text, limits=replace(TOKENS, words=4)) == {"xala", "xale", "xali", "xela"}
    assert words(text, limits=replace(TOKENS, all_octets=9)) == {"xala", "xale"}
    nested = b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n"
    assert words(nested, limits=replace(TOKENS, headers=0)) == set()


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\r\nx", False),
        (b"Content-Type: text/plain\r\n\r\nx", False),
        (b"Content-Type: ;;=\r\n\r\nx", True),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: /\r\n\r\nx\r\n--b--\r\n", True),
    ],
)
def test_bad_content_type(octets: bytes, expected: bool) -> None:
    assert has_bad_content_type(scan(octets, SCAN).root) is expected


@given(st.binary(max_size=400), st.sampled_from([(1,), (2,), (1, 2, 3)]))
def test_never_fails_and_is_always_the_same(octets: bytes, grams: tuple[int, ...]) -> None:
    message = b"Content-Type: multipart/mixed; boundary=b\r\nSubject: " + octets + b"\r\n\r\n--b\r\n" + HTML + octets
    found = words(message, *grams)
    assert found == words(message, *grams)
    assert all(0 < len(word.encode()) <= TOKENS.word_octets for word in found)


@given(
    st.one_of(
        st.text("abctz029_' -\t\x1c", max_size=200),
        st.text("abctz29_' \xa0\u2019\u00e9e\u0301\u65e5\u0661-", max_size=200),
    ),
    st.sampled_from([4, 128]),
    st.sampled_from([1, 7, 16_384]),
)
def test_quick_way_finds_the_same_words(text: str, most: int, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appliance.mail.tokens.PIECE", piece)
        quick = [word for words in _grams(text, [1], most) for word in words]
    assert list(dict.fromkeys(quick)) == list(dict.fromkeys(_words(text, most)))


def test_time_grows_with_the_text() -> None:
    noise = random.Random(1)
    text = "".join(noise.choice("ab'1 <&\u2019") for _ in range(200_000))
    of_text(text, 1, 2, 3)
