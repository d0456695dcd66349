"""What to do next for an order, from what the server says of it (RFC 8555 §7.1.6). Nothing here asks anybody."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from appliance.tls.acme.messages import Authorization, Challenge, Order


@dataclass(frozen=True, slots=True)
class Prove:
    """Put the answer to a challenge in its place, then tell the server."""

    name: str
    challenge: Challenge


@dataclass(frozen=True, slots=True)
class Finalize:
    """Send the request for the certificate."""


@dataclass(frozen=True, slots=True)
class Download:
    """The certificate is there."""

    url: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again later."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There will be no certificate."""

    text: str
    #: Whether another kind of challenge, in an order of its own, may do better.
    other_may_help: bool = False


Step = Prove | Finalize | Download | Wait | Failed


def next_step(
    order: Order, authorizations: Sequence[Authorization], kind: str, *, told: Collection[str], finalized: bool
) -> Step:
    """What comes next. `kind`: the challenges we can answer; `told`: URLs of those the server was told of.

    An authorization may be valid from the start, proved for an earlier order.
    """
    match order.status:
        case "valid":
            return (
                Download(order.certificate) if order.certificate else Failed("the order is valid without certificate")
            )
        case "ready":
            return Wait() if finalized else Finalize()
        case "processing":
            return Wait()
        case "pending":
            return _unproved(authorizations, kind, told)
        case "invalid":
            reasons = [str(one.failure) for one in authorizations if one.failure is not None]
            if reasons:
                return Failed("; ".join(reasons), other_may_help=True)
            return Failed("the order failed" if order.error is None else str(order.error))
        case other:
            return Failed(f"the order has the unknown status {other[:50]!r}")


def _unproved(authorizations: Sequence[Authorization], kind: str, told: Collection[str]) -> Step:
    for one in authorizations:
        if one.status == "valid":
            continue
        if one.status != "pending":
            why = f"the authorization is {one.status[:50]}" if one.failure is None else str(one.failure)
            return Failed(why, other_may_help=True)
        challenge = next((each for each in one.challenges if each.type == kind), None)
        if challenge is None:
            return Failed(f"the ACME server offers no challenge {kind}", other_may_help=True)
        if challenge.status == "pending" and challenge.url not in told:
            return Prove(one.identifier.value, challenge)
    return Wait()
