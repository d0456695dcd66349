"""Changes at a name server, against one that checks signatures with dnspython alone."""

import struct

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

from appliance.dns.problems import UpdateFailed
from appliance.dns.resolvconf import NameServer
from appliance.dns.update import SharedKey, Updater
from support.nameserver import serving

KEY = SharedKey("acme.example", "hmac-sha256", b"secret of both")
NAME = "_acme-challenge.mx.example.org"
RING = {dns.name.from_text(KEY.name): dns.tsig.Key(KEY.name, KEY.secret, KEY.algorithm)}


class Primary:
    """Has the zone example.org."""

    def __init__(self, *, rcode=dns.rcode.NOERROR, signs=True, knows_zone=True) -> None:
        self.changes: list[str] = []
        self.rcode, self.signs, self.knows_zone = rcode, signs, knows_zone

    def __call__(self, octets: bytes) -> bytes:
        answer = self.answer(octets)
        return struct.pack("!H", len(answer)) + answer

    def answer(self, octets: bytes) -> bytes:
        try:
            query = dns.message.from_wire(octets, keyring=RING)
        except dns.tsig.BadSignature:
            return unsigned(octets, dns.rcode.NOTAUTH)
        if query.opcode() != dns.opcode.UPDATE:
            response = dns.message.make_response(query)
            if self.knows_zone:
                soa = dns.rrset.from_text("example.org.", 5, "IN", "SOA", "ns.example.org. root.example.org. 1 1 1 1 1")
                response.authority.append(soa)
            return response.to_wire()
        assert query.had_tsig
        assert query.zone[0].name.to_text() == "example.org."
        self.changes += [str(rrset) for rrset in query.update]
        if not self.signs:
            if self.rcode == dns.rcode.NOERROR:
                # A header with the flags of an answer to an update, and the zone (RFC 2136 §2.2, §2.3).
                zone = query.zone[0].name.to_wire() + struct.pack("!2H", dns.rdatatype.SOA, dns.rdataclass.IN)
                return octets[:2] + b"\xa8\0" + struct.pack("!4H", 1, 0, 0, 0) + zone
            return unsigned(octets, self.rcode)
        response = dns.message.make_response(query)
        response.set_rcode(self.rcode)
        return response.to_wire()


def unsigned(octets: bytes, rcode: dns.rcode.Rcode) -> bytes:
    plain = dns.message.Message(id=int.from_bytes(octets[:2], "big"))
    plain.flags = dns.flags.QR
    plain.set_opcode(dns.opcode.UPDATE)
    plain.set_rcode(rcode)
    return plain.to_wire()


async def test_a_record_comes_and_goes():
    primary = Primary()
    async with serving(lambda octets: [], primary) as server:
        await Updater(server, KEY).add(NAME, "digest_of-it")
        await Updater(server, KEY).remove(NAME, "digest_of-it")
    assert primary.changes == [f'{NAME}. 60 IN TXT "digest_of-it"', f'{NAME}. 0 NONE TXT "digest_of-it"']


@pytest.mark.parametrize(("primary", "key", "text"), [
    pytest.param(Primary(rcode=dns.rcode.REFUSED), KEY,
                 f"does not change {NAME} in zone example.org: REFUSED", id="refused"),
    pytest.param(Primary(rcode=dns.rcode.REFUSED, signs=False), KEY, ": REFUSED", id="refused without signature"),
    pytest.param(Primary(signs=False), KEY, "malformed or not signed", id="not signed"),
    pytest.param(Primary(), SharedKey(KEY.name, KEY.algorithm, b"another"), "NOTAUTH", id="another secret"),
    pytest.param(Primary(knows_zone=False), KEY, f"in which of its zones {NAME} is (NOERROR)", id="no zone"),
    pytest.param(lambda octets: b"\0\\9x", KEY, "closed the connection in the middle", id="cut off"),
    pytest.param(lambda octets: b"\0\3xyz", KEY, "malformed or not signed", id="malformed"),
    pytest.param(lambda octets: None, KEY, "closed the connection", id="closed"),
])  # fmt: skip
async def test_failures(primary, key, text):
    async with serving(lambda octets: [], primary) as server:
        with pytest.raises(UpdateFailed) as raised:
            await Updater(server, key).add(NAME, "x")
    assert text in str(raised.value)


async def test_nobody_there():
    with pytest.raises(UpdateFailed, match="cannot be asked"):
        await Updater(NameServer("127.0.0.1", 1), KEY).add(NAME, "x")
