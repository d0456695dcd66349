"""Whatever comes in the place of an answer: one of our problems, never a bug; and nothing false is vouched for."""

import random
import struct

import dns.message
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, strategies as st

from appliance.dns.answers import Answer, Type, Vouched
from appliance.dns.exchange import ExchangeFailed, parse
from appliance.dns.network import Mode
from appliance.dns.problems import LookupProblem, NotFound
from appliance.dns.resolver import Resolver
from support import signedzones
from support.signedzones import network, world


def parses(octets: bytes) -> None:
    try:
        assert isinstance(parse(octets), dns.message.Message)
    except ExchangeFailed:
        pass


@given(st.binary(max_size=400))
def test_any_octets(octets: bytes) -> None:
    parses(octets)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=4), st.binary(max_size=300))
def test_any_octets_behind_a_header(counts: list[int], octets: bytes) -> None:
    parses(struct.pack("!6H", 1, 0x8180, *counts) + octets)


QUESTIONS = [
    ("mx.secure.test", Type.A),
    ("mx.three.test", Type.AAAA),
    ("nothing.secure.test", Type.A),
    ("nothing.three.test", Type.A),
    ("any.wild.three.test", Type.A),
    ("to-three.secure.test", Type.A),
    ("mx.plain.test", Type.A),
]


@pytest.mark.parametrize(("asked", "type"), QUESTIONS)
@pytest.mark.parametrize("seed", range(8))
async def test_altered_answers(asked: str, type: Type, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Octets are changed in every answer on the way. What is vouched for is the truth, or the absence that is true."""
    numbers = iter(range(1, 255))
    # The same keys every time, so that the same octets are changed.
    monkeypatch.setattr(
        signedzones, "new_key", lambda _: Ed25519PrivateKey.from_private_bytes(bytes([next(numbers)]) * 32)
    )
    names = world()
    truth = await _outcome(Resolver(network(names)), asked, type)
    chance = random.Random(f"{asked} {seed}")

    def alter(message: dns.message.Message) -> dns.message.Message | None:
        octets = bytearray(message.to_wire(max_size=65_535))
        for _ in range(chance.choice((0, 0, 1, 3))):
            octets[chance.randrange(3, len(octets))] ^= 1 << chance.randrange(8)
        try:
            return parse(bytes(octets))
        except ExchangeFailed:
            return message

    for _ in range(10):
        source = network(names)
        names.tamper = None
        assert await source.mode() is Mode.OURSELVES
        names.tamper = alter
        told = await _outcome(Resolver(source), asked, type)
        if isinstance(told, LookupProblem) and not isinstance(told, NotFound):
            continue
        if told.authentic:
            assert truth.authentic
            assert isinstance(told, NotFound) is isinstance(truth, NotFound)
        if isinstance(told, Answer) and told.authentic:
            assert isinstance(truth, Answer)
            assert set(told.records) == set(truth.records)
        # Nor is the owner's signature argued away.
        assert told.authentic or told.vouched is Vouched.NOBODY
        assert told.authentic is truth.authentic


async def _outcome(resolver: Resolver, asked: str, type: Type) -> "Answer[object] | LookupProblem":
    try:
        return await resolver.lookup(asked, type, dnssec=True)
    except LookupProblem as problem:
        return problem
