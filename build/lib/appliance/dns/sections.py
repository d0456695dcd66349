"""Finding record sets in the sections of a message, and following its CNAMEs."""

from collections.abc import Iterable
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from appliance.dns.problems import AliasLoop

_SETS = Iterable[dns.rrset.RRset]


def find(section: _SETS, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """The records of a name and type."""
    for one in section:
        if one.rdtype == rdtype and one.rdclass == dns.rdataclass.IN and one.name == name:
            return one
    return None


def signatures(section: _SETS, name: dns.name.Name, covers: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """The RRSIG records over a name and type."""
    for one in section:
        if one.rdtype == dns.rdatatype.RRSIG and one.covers == covers and one.name == name:
            return one
    return None


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the CNAMEs of an answer lead."""

    #: The name asked for, then the target of each CNAME.
    names: tuple[dns.name.Name, ...]
    #: The CNAMEs passed, one for each name but the last.
    aliases: tuple[dns.rrset.RRset, ...]
    #: The records wanted, of the last name; None when the answer has none.
    records: dns.rrset.RRset | None


def follow(message: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, limit: int) -> Chain:
    """Follow the CNAMEs of an answer (RFC 1034 §3.6.2). Raises AliasLoop: more than `limit`, or a circle."""
    names, aliases = [name], list[dns.rrset.RRset]()
    while True:
        records = find(message.answer, names[-1], rdtype)
        alias = None if records is not None else find(message.answer, names[-1], dns.rdatatype.CNAME)
        if alias is None:
            return Chain(tuple(names), tuple(aliases), records)
        target = alias[0].target
        if len(aliases) == limit or target in names:
            raise AliasLoop(f"CNAMEs of {name.to_text(omit_final_dot=True)} go in a circle or are too many")
        aliases.append(alias)
        names.append(target)
