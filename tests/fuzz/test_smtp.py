"""Any octets: an event or a ProtocolError, and the same ones whole and octet by octet."""

from hypothesis import given, settings as effort, strategies as st

from appliance.protocol.smtp.settings import Kind
from support.smtpdriver import Accepting, settings, whole_chunks
from support.splits import events

WORDS = [
    *(b"EHLO ", b"HELO ", b"MAIL FROM:", b"RCPT TO:", b"DATA", b"BDAT ", b" LAST", b"RSET", b"NOOP", b"QUIT", b"STARTTLS", b"AUTH PLAIN"),
    *(b"<a@b.example>", b"<>", b"b.example", b"[IPv6:::1]", b" SIZE=", b"12", b" BODY=7BIT", b" SMTPUTF8", b"=", b"AGEAYg=="),
    *(b" HOLDFOR=9", b" HOLDUNTIL=", b"2026-03-01T12:00:00Z", b"*", b"\r\n", b"\r\n", b"\r\n", b".", b"\n", b"\r", b" ", b'"', b"\xc3\xa9"),
]  # fmt: skip
BEGINNING = b"EHLO b.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n"
LISTENERS = st.builds(
    settings, st.sampled_from(Kind), pedantic=st.booleans(), max_message_octets=st.sampled_from([5, 1000])
)
HOSTILE = st.one_of(
    st.binary(max_size=60),
    st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=3)), max_size=25).map(b"".join),
    st.lists(st.sampled_from(WORDS), max_size=20).map(b"".join).map(BEGINNING.__add__),
)


@effort(max_examples=400, deadline=None)
@given(LISTENERS, HOSTILE, st.booleans())
def test_any_octets(listener, octets, authenticated):
    def happened(pieces):
        return whole_chunks(events(Accepting(listener, responses=2, authenticated=authenticated), pieces))

    assert happened([octets]) == happened([octets[at : at + 1] for at in range(len(octets))])


@effort(max_examples=50, deadline=None)
@given(LISTENERS, st.binary(min_size=1, max_size=40), st.integers(1, 400))
def test_repeated(listener, octets, times):
    """Long lines and many commands: errors are answered, and an unending line ends."""
    driver = Accepting(listener)
    events(driver, [octets * times])
    for broken in [driver.error] if driver.error else []:
        for line in broken.reply.encode("ID").split(b"\r\n"):
            assert len(line) <= 510
