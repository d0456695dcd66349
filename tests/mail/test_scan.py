import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.limits import SCAN
from appliance.mail import scan as scanning
from appliance.mail.part import Part
from appliance.mail.scan import ScanLimits, Scanned, Scanner, scan

CORPUS = sorted((Path(__file__).parent.parent / "data" / "messages").glob("*/*.eml"))
#: So small that every limit is met.
TIGHT = replace(
    SCAN,
    envelope=replace(SCAN.envelope, header=replace(SCAN.envelope.header, octets=120, fields=4)),
    depth=4,
    parts=9,
    nested_address_octets=40,
    tree_octets=400,
    boundary_octets=8,
    line_octets=40,
)
FRAGMENTS = [
    *(b"\r\n", b"\n", b"\r\n\r\n", b"\n\n", b"\r", b"--", b"--a", b"--ab", b"--a--", b"\r\n--a\r\n", b"\r\n--ab\r\n"),
    *(b"\r\n--a--\r\n", b"\r\n--ab--\r\n", b"\n--b c \t\n", b"text ", b"\xff", b"\0", b" fold\n", b"y" * 60),
    *(
        b"A: " + b"x" * 30 + b"\r\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Type: text/plain; boundary=a\n\n",
    ),
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=ab\r\n\r\n",
    b'Content-Type: multipart/digest; boundary="b c"\n\n',
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Subject: x\r\nFrom: a@b, g: c@d;\r\n\r\n",
]
MIXED = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n"


def streamed(octets: bytes, limits: ScanLimits, sizes: Iterator[int], block: int) -> Scanned:
    """Scanned in chunks of these sizes, looked at in blocks of at least so many octets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "_BLOCK", block)
        scanner = Scanner(limits)
        at = 0
        while at < len(octets):
            size = next(sizes)
            scanner.feed(octets[at : at + size])
            at += size
        return scanner.close()


def always(size: int) -> Iterator[int]:
    while True:
        yield size


def between(low: int, high: int, seed: int) -> Iterator[int]:
    generator = random.Random(seed)
    while True:
        yield generator.randint(low, high)


def check(octets: bytes, limits: ScanLimits) -> None:
    """What holds for any octets whatever."""
    whole = scan(octets, limits)
    root = whole.root
    assert (root.start, root.end, whole.size) == (0, len(octets), len(octets))
    assert sum(1 for _ in root.walk()) == whole.parts <= min(limits.parts, 2 * scanning.looks_like_parts(octets))
    check_part(root, octets, limits.depth)
    assert streamed(octets, limits, always(1), 1) == whole
    assert streamed(octets, limits, between(1, 40, len(octets)), 16) == whole
    assert streamed(octets, limits, always(1000), 65536) == whole


def check_part(part: Part, octets: bytes, depth: int) -> None:
    assert depth > 0
    assert 0 <= part.start <= part.body <= part.end
    assert part.lines == octets.count(b"\n", part.body, part.end)
    assert part.is_multipart <= bool(part.parts)
    if part.media_type == "message" and part.subtype in {"rfc822", "global"}:
        (inner,) = part.parts
        assert (inner.start, inner.end) == (part.body, part.end)
        # Without one only where the limits left none.
        assert inner.envelope is not None or inner.defect
    elif not part.is_multipart:
        assert not part.parts
    at = part.body
    for child in part.parts:
        assert at <= child.start
        assert child.end <= part.end
        check_part(child, octets, depth - 1)
        at = child.end


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join), st.booleans())
def test_anything_in_pieces(octets: bytes, is_multipart: bool) -> None:
    if is_multipart:
        octets = MIXED % b"a" + b"--a\r\n" + octets
    check(octets, TIGHT)
    check(octets, SCAN)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets(octets: bytes) -> None:
    check(octets, TIGHT)


@pytest.mark.parametrize("seed", range(20))
def test_mutated_messages(seed: int) -> None:
    generator = random.Random(seed)
    for path in generator.sample(CORPUS, 12):
        octets = bytearray(path.read_bytes()[:3000])
        for _ in range(generator.randint(1, 6)):
            at = generator.randint(0, len(octets))
            if generator.random() < 0.5:
                octets[at:at] = generator.choice(FRAGMENTS)
            else:
                del octets[at : at + generator.randint(1, 30)]
        check(bytes(octets), SCAN)


def nest(boundaries: list[bytes]) -> bytes:
    return b"".join(MIXED % boundary + b"--" + boundary + b"\r\n" for boundary in boundaries)


@pytest.mark.parametrize("levels", [50, 100, 5000])
def test_depth(levels: int) -> None:
    found = scan(nest([b"b%d" % level for level in range(levels)]) + b"\r\nx", SCAN)
    parts = list(found.root.walk())
    assert len(parts) == SCAN.depth
    assert parts[-1].defect == scanning.TOO_DEEP
    assert (parts[-1].media_type, parts[-1].parts) == ("application", ())
    assert scanning.TOO_DEEP in found.defects


def test_depth_of_messages() -> None:
    found = scan(b"Content-Type: message/rfc822\r\n\r\n" * 100 + b"\r\nx", SCAN)
    parts = list(found.root.walk())
    assert len(parts) == SCAN.depth
    assert parts[-1].defect == scanning.TOO_DEEP


def test_many_parts() -> None:
    found = scan(MIXED % b"b" + b"--b\r\n\r\nx\r\n" * 20_000 + b"--b--\r\n", SCAN)
    assert len(found.root.parts) == SCAN.parts - 1
    assert found.root.parts[-2].defect == ""
    last = found.root.parts[-1]
    assert (last.media_type, last.defect, last.end) == ("application", scanning.TOO_MANY_PARTS, found.size)
    assert found.defects == (scanning.TOO_MANY_PARTS,)


def test_tree_stays_small() -> None:
    part = b"--b\r\nContent-Description: " + b"x" * 50_000 + b"\r\n\r\n"
    found = scan(MIXED % b"b" + part * 200, SCAN)
    assert sum(len(one.description or "") for one in found.root.walk()) < 2 * SCAN.tree_octets
    assert scanning.TOO_MANY_PARTS in found.defects


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"A: " + b"x" * 300_000 + b"\r\n\r\n", id="one field"),
        pytest.param(b"A: b\r\n" * 50_000 + b"\r\n", id="many fields"),
        pytest.param(b"A: " + b"x" * 300_000, id="no end"),
    ],
)
def test_header_too_large(header: bytes) -> None:
    found = scan(header + b"Content-Type: text/html\r\n\r\nx", SCAN)
    assert scanning.HEADER_TOO_LARGE in found.defects
    assert len(found.header) == SCAN.envelope.header.octets
    assert (found.root.media_type, found.root.body) == ("application", SCAN.envelope.header.octets)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_header_at_its_limit(extra: int) -> None:
    limit = SCAN.envelope.header.octets
    header = b"A: " + b"x" * (limit + extra - 7) + b"\r\n\r\n"
    found = scan(header + b"body", SCAN)
    assert (found.root.defect != "") == (extra > 0)
    assert found == streamed(header + b"body", SCAN, always(1000), 65536)


def test_large_header_of_a_part_spares_its_neighbours() -> None:
    octets = MIXED % b"b" + b"--b\r\nA: " + b"x" * 300_000 + b"\r\n--b\r\nContent-Type: text/html\r\n\r\nx\r\n--b--"
    parts = scan(octets, SCAN).root.parts
    assert [(part.subtype, part.defect) for part in parts] == [("octet-stream", "header too large"), ("html", "")]


def test_too_many_fields() -> None:
    assert scan(b"A: b\r\n" * (SCAN.envelope.header.fields + 1) + b"\r\n", SCAN).defects == ("too many header fields",)
    assert scan(b"A: b\r\n" * SCAN.envelope.header.fields + b"\r\n", SCAN).defects == ()


@pytest.mark.parametrize(
    ("line", "is_too_long"),
    [(b"x" * 8190 + b"\r\n", False), (b"x" * 8191 + b"\r\n", True), (b"x" * 8191, False), (b"x" * 8192, True)],
)
def test_line_length(line: bytes, is_too_long: bool) -> None:
    octets = b"Subject: s\r\n\r\n" + b"short\r\n" * 2000 + line
    found = scan(octets, SCAN)
    assert found.defects == ((scanning.LINE_TOO_LONG,) if is_too_long else ())
    assert streamed(octets, SCAN, always(777), 1000) == found


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param("Subject: ü\r\n\r\n".encode(), True, id="header"),
        pytest.param("Subject: x\r\n\r\nü".encode(), False, id="body"),
        pytest.param(MIXED % b"b" + "--b\r\nContent-Description: ü\r\n\r\n".encode(), True, id="part"),
        pytest.param("Content-Type: message/rfc822\r\n\r\nSubject: ü\r\n\r\n".encode(), True, id="nested message"),
        pytest.param(MIXED % b"b" + "preamble ü\r\n--b\r\n\r\nü\r\n--b--\r\nü".encode(), False, id="between parts"),
        pytest.param(b"From: a@xn--bcher-kva.example\r\n\r\n", False, id="A-label"),
    ],
)
def test_needs_smtputf8(octets: bytes, expected: bool) -> None:
    assert scan(octets, SCAN).needs_smtputf8 is expected


def test_nested_addresses_are_bounded() -> None:
    message = b"--b\r\n\r\nTo: " + b"<x@y.example>, " * 6000 + b"\r\n\r\nx\r\n"
    octets = b"Content-Type: multipart/digest; boundary=b\r\n\r\n" + message * 12
    found = scan(octets, SCAN)
    counts = [len(part.parts[0].envelope.to) for part in found.root.parts if part.parts[0].envelope]
    assert counts[0] == SCAN.envelope.address.addresses
    assert counts[-1] == 0
    assert scanning.TOO_MANY_ADDRESSES in found.defects


def test_memory_of_streaming() -> None:
    scanner = Scanner(SCAN)
    scanner.feed(MIXED % b"b" + b"--b\r\n\r\n")
    for _ in range(100):
        scanner.feed(b"x" * 70_000)
        assert len(scanner._buffer) < 1000
    scanner.feed(b"\r\n--b--\r\n")
    assert len(scanner.close().root.parts) == 1


DEEP = nest([bytes([65 + level]) * (level + 1) for level in range(48)])
ALIKE = nest([b"a" * (level + 20) for level in range(48)])


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(lambda n: b"\r\n" + b"--\n" * n, id="dashes"),
        pytest.param(lambda n: MIXED % b"b" + b"--\n" * n, id="dashes in a multipart"),
        pytest.param(lambda n: DEEP + b"\r\n" + b"--\n" * n, id="dashes in 48 multiparts"),
        pytest.param(lambda n: ALIKE + b"\r\n" + (b"--" + b"a" * 19 + b"\n") * n, id="boundaries alike"),
        pytest.param(lambda n: ALIKE + b"\r\n" + (b"--" + b"a" * 90 + b"\n") * n, id="long lines alike"),
        pytest.param(lambda n: MIXED % b"b" + b"--b\n" * n, id="boundaries alone"),
        pytest.param(lambda n: MIXED % b"a" + (b"--a\n" + MIXED % b"b" + b"--b--\n") * n, id="multiparts in a row"),
        pytest.param(lambda n: b"A:b\n" * n, id="fields"),
        pytest.param(lambda n: b"A:b\n" + b" c\n" * n, id="folds"),
        pytest.param(lambda n: MIXED % b"b" + b"--b\n" + b"--\n" * n, id="dashes in a header"),
        pytest.param(lambda n: b"Content-Type: text/plain" + b'; a="' * n + b"\n\n", id="quotes"),
        pytest.param(lambda n: b"Content-Type: a/b " + b"(" * n + b"\n\n", id="comments"),
        pytest.param(lambda n: b"Content-Transfer-Encoding: " + b"(" * n + b"\n\n", id="comments of an encoding"),
        pytest.param(lambda n: b"Content-Type: message/rfc822\n\nFrom: " + b"<" * n + b"\n\n", id="angle brackets"),
        pytest.param(lambda n: b"Content-Type: message/rfc822\n\nFrom: " + b'"\\' * n + b"\n\n", id="quoted pairs"),
    ],
)
def test_growth(octets: Callable[[int], bytes], growth: Callable[[Callable[[int], object]], None]) -> None:
    growth(lambda size: scan(octets(size), SCAN))


def test_depth_costs_little() -> None:
    """Each line is looked up, not compared with each of 48 boundaries."""
    import time

    def taken(octets: bytes) -> float:
        times = []
        for _ in range(3):
            start = time.process_time()
            scan(octets, SCAN)
            times.append(time.process_time() - start)
        return min(times)

    lines = b"\r\n" + b"--\n" * 40_000
    shallow = nest([b"a", b"b"]) + lines
    assert taken(DEEP + lines) < 5 * taken(shallow)
