"""A name server that keeps a zone and takes changes of it, signed with a key (RFC 2136, RFC 8945)."""

import struct
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.zone

from appliance.dns.update import SharedKey

KEY = SharedKey("moxpy.example", "hmac-sha256", b"secret of both")
RING = {dns.name.from_text(KEY.name): dns.tsig.Key(KEY.name, KEY.secret, KEY.algorithm)}


class Primary:
    """A server that keeps a zone as RFC 2136 says: prerequisites, changes, and aliases that come beside nothing."""

    def __init__(self, zone: str, *, refuses: str = "") -> None:
        self.zone = dns.zone.from_text(zone, "example.org.", relativize=False, check_origin=False)
        self.refuses = refuses
        self.meanwhile = ""

    def __call__(self, octets: bytes) -> bytes:
        query = dns.message.from_wire(octets, keyring=RING)
        response = dns.message.make_response(query)
        if query.opcode() == dns.opcode.UPDATE:
            response.set_rcode(self.update(query))
        else:
            self.answer(query.question[0], response)
        answer = response.to_wire()
        return struct.pack("!H", len(answer)) + answer

    def answer(self, question, response) -> None:
        found = self.zone.get_rrset(question.name, question.rdtype)
        if found is not None:
            response.answer.append(found)
        elif (alias := self.zone.get_rrset(question.name, "CNAME")) is not None:
            response.answer.append(alias)
        else:
            response.authority.append(self.zone.get_rrset("example.org.", "SOA"))

    def update(self, query) -> dns.rcode.Rcode:
        if self.refuses and any(self.refuses in str(rrset.name) for rrset in query.update):
            return dns.rcode.REFUSED
        if self.meanwhile:
            self.put(dns.rrset.from_text("example.org.", 1, "IN", "TXT", self.meanwhile))
        required: dict[Any, set[Any]] = {}
        for wanted in query.prerequisite:
            required.setdefault((wanted.name, wanted.rdtype), set()).update(wanted)
        if any(required[key] != set(self.zone.get_rdataset(*key) or ()) for key in required):
            return dns.rcode.NXRRSET
        for rrset in query.update:
            if rrset.deleting:
                self.zone.get_rdataset(rrset.name, rrset.rdtype).remove(rrset[0])
            else:
                self.put(rrset)
        return dns.rcode.NOERROR

    def put(self, rrset) -> None:
        node = self.zone.get_node(rrset.name, create=True)
        kinds = {one.rdtype for one in node.rdatasets if len(one)}
        if rrset.rdtype == dns.rdatatype.CNAME and kinds - {dns.rdatatype.CNAME}:
            return
        node.find_rdataset(rrset.rdclass, rrset.rdtype, create=True).update(rrset)

    def has(self, name: str, kind: str) -> list[str]:
        found = self.zone.get_rdataset(dns.name.from_text(name), kind)
        return sorted(one.to_text() for one in found or ())
