from collections.abc import Callable

import pytest

from appliance.mail import thread


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(b"", ("", False), id="empty"),
        pytest.param(b"Hello", ("hello", False), id="plain"),
        pytest.param(b"  Hello \t  you ", ("hello you", False), id="white space"),
        pytest.param(b"Re: Hello", ("hello", True), id="reply"),
        pytest.param(b"RE: re: Re:Hello", ("hello", True), id="replies"),
        pytest.param(b"Re : Hello", ("hello", True), id="space before the colon"),
        pytest.param(b"Re[2]: Hello", ("hello", True), id="counted"),
        pytest.param(b"Fwd: Hello", ("hello", True), id="forward"),
        pytest.param(b"Fw: Hello", ("hello", True), id="forward, short"),
        pytest.param(b"[list] Hello", ("hello", False), id="tag"),
        pytest.param(b"Re: [list] Hello", ("hello", True), id="reply with tag"),
        pytest.param(b"[list] Re: [other] Hello", ("hello", True), id="tags around a reply"),
        pytest.param(b"[list]", ("[list]", False), id="a tag alone is the subject"),
        pytest.param(b"Hello (fwd)", ("hello", True), id="trailer"),
        pytest.param(b"Hello (fwd) (fwd)", ("hello", True), id="trailers"),
        pytest.param(b"[Fwd: Hello]", ("hello", True), id="wrapped"),
        pytest.param(b"[fwd: Re: Hello (fwd)]", ("hello", True), id="all at once"),
        pytest.param(b"Regarding: Hello", ("regarding: hello", False), id="no reply"),
        pytest.param(b"=?utf-8?q?Re=3A_Gr=C3=BC=C3=9Fe?=", ("grüße", True), id="encoded"),
    ],
)
def test_subject_base(subject: bytes, expected: tuple[str, bool]) -> None:
    assert thread.subject_base(subject) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"<A@B.example>", "a@b.example", id="usual"),
        pytest.param(b"a@b.example", "a@b.example", id="without brackets"),
        pytest.param(b" <a@b> (comment)", "a@b", id="text behind"),
        pytest.param(b'<"a"@b>', "a@b", id="needless quotes"),
        pytest.param(b"<not an address>", "notanaddress", id="no address"),
        pytest.param(b"<a@b\xff>", "a@b\ufffd", id="not UTF-8"),
    ],
)
def test_message_id(value: bytes, expected: str) -> None:
    assert thread.message_id(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([b"<1@x> <2@x>"], ["1@x", "2@x"], id="two"),
        pytest.param([b"<1@x>\r\n\t<2@x>", b"<3@x>"], ["1@x", "2@x", "3@x"], id="folded and repeated"),
        pytest.param([b"<1@x> rubbish <2@x <3@x>"], ["1@x", "3@x"], id="malformed ones are passed over"),
        pytest.param([b"<1@x> <2@x> <1@X>"], ["2@x", "1@x"], id="the last of equals counts"),
        pytest.param([b"your message of Monday"], [], id="no id"),
    ],
)
def test_references(values: list[bytes], expected: list[str]) -> None:
    assert thread.references(values) == expected


def test_references_are_bounded() -> None:
    found = thread.references([b"".join(b"<%d@x>" % number for number in range(1000))])
    assert len(found) == thread.REFERENCES
    assert found[-1] == "999@x"


@pytest.mark.parametrize(
    "subject",
    [b"re:", b"[", b"[a]", b"(fwd)", b"[fwd:", b" ", b"re[", b"=?utf-8?q?a?= "],
    ids=lambda subject: subject.decode(),
)
def test_growth(subject: bytes, growth: Callable[[Callable[[int], object]], None]) -> None:
    growth(lambda size: (thread.subject_base(subject * size), thread.references([b"<" * size, b"<a> " * size])))
