from appliance.base.limits import HEADER
from appliance.mail.envelope import Envelope
from appliance.mail.part import Part
from appliance.protocol.imap import response, section, structure


def test_nul():
    assert response.string(b"a\0b") == b"{2}\r\nab"
    assert structure.envelope(Envelope(subject=b"a\0")).startswith(b"(NIL {1}\r\na NIL")


def test_not_utf8():
    assert response.string(b"\xff", utf8=True) == b"{1}\r\n\xff"


def test_control():
    assert response.untagged("OK", "a\0b") == b"* OK a b\r\n"


def test_shared():
    t = Part(0, 0, 1)
    assert structure.body(Part(0, 0, 9, 1, "multipart", "mixed", parts=(t, t)), extended=False).count(b"TEXT") == 2


def test_header_without_end():
    assert section.header_subset(b"A: b", [b"a"], negate=False, limits=HEADER) == b"A: b\r\n\r\n"
