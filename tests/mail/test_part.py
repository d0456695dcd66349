import pytest

from appliance.base.limits import SCAN
from appliance.mail.part import Part
from appliance.mail.scan import scan

ALTERNATIVE = b"Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\na\r\n--i\r\n\r\nb\r\n--i--"
MESSAGE = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n"
OCTETS = (
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\ntext\r\n--o\r\n"
    + MESSAGE
    + ALTERNATIVE
    + b"\r\n--o\r\n"
    + MESSAGE
    + b"\r\nplain\r\n--o--\r\n"
)
ROOT = scan(OCTETS, SCAN).root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param((), ROOT, id="the message"),
        pytest.param((1,), ROOT.parts[0], id="leaf"),
        pytest.param((1, 1), None, id="below a leaf"),
        pytest.param((2,), ROOT.parts[1], id="nested message"),
        pytest.param((2, 1), ROOT.parts[1].parts[0].parts[0], id="part of its multipart"),
        pytest.param((2, 2), ROOT.parts[1].parts[0].parts[1], id="second part of its multipart"),
        pytest.param((2, 3), None, id="third of two"),
        pytest.param((3, 1), ROOT.parts[2].parts[0], id="nested message without parts is its part 1"),
        pytest.param((3, 1, 1), None, id="and has no more"),
        pytest.param((3, 2), None, id="nor a part 2"),
        pytest.param((4,), None, id="beyond"),
        pytest.param((0,), None, id="zero"),
        pytest.param((-1,), None, id="negative"),
    ],
)
def test_find(path: tuple[int, ...], expected: Part | None) -> None:
    assert ROOT.find(path) is expected


def test_find_in_plain_message() -> None:
    root = scan(b"\r\nhi", SCAN).root
    assert root.find((1,)) is root
    assert root.find((2,)) is None
    assert root.find((1, 1)) is None


def test_find_in_message_of_a_message() -> None:
    root = scan(MESSAGE.replace(b"Subject: x\r\n", b"") + ALTERNATIVE, SCAN).root
    assert root.find((1,)) is root
    assert root.find((1, 2)) is root.parts[0].parts[1]


def test_walk() -> None:
    assert [part.start for part in ROOT.walk()] == sorted(part.start for part in ROOT.walk())
    assert sum(1 for _ in ROOT.walk()) == 8


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(b"Content-Disposition: attachment; filename=a.txt\r\n", "a.txt", id="disposition"),
        pytest.param(b"Content-Type: text/plain; name=b.txt\r\n", "b.txt", id="type"),
        pytest.param(
            b"Content-Type: text/plain; name=b\r\nContent-Disposition: inline; filename=a\r\n", "a", id="both"
        ),
        pytest.param(b"", None, id="none"),
    ],
)
def test_filename(fields: bytes, expected: str | None) -> None:
    assert scan(fields + b"\r\n", SCAN).root.filename == expected
