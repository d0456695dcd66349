"""The verb that delivers a message by the operator's hand, without the checks that mail from outside meets."""

from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.config.values import AddressName
from appliance.delivery import receive
from appliance.delivery.appliance import Appliance
from appliance.delivery.envelope import Envelope
from appliance.mail.address import NULL_PATH, Path
from appliance.mail.lineend import CRLFStream
from appliance.mail.status import Status
from appliance.operations import addresses
from appliance.operations.addresses import Local, Refused
from appliance.operations.configuring import NoSuchAddress

_HERE: Final = IPv4Address("127.0.0.1")


class NotDelivered(Problem):
    """The address takes no mail now, or no mail at all."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 0)


class TooLarge(Problem):
    """More octets than a message may have."""

    kind, status = Kind.LIMIT, Status(5, 3, 4)


async def deliver(app: Appliance, address: AddressName, chunks: AsyncIterator[bytes], *, most_octets: int) -> None:
    """Deliver a message to an address of ours, alias or catch-all too; it is on the disk afterwards.

    Line ends may be of any kind. Raises NoSuchAddress, NotDelivered, TooLarge, StorageFull.
    """
    config = app.config.snapshot()
    path = Path(address.address.localpart, address.address.domain)
    resolution = addresses.resolve(app, config, path)
    if isinstance(resolution, Refused):
        raise NotDelivered(f"{address}: {resolution.text}")
    if not isinstance(resolution, Local):
        raise NoSuchAddress(f"{address} is nobody's address here")
    ends = CRLFStream()
    octets = 0
    async with app.store.spool() as spool:
        async for chunk in chunks:
            octets += len(chunk)
            if octets > most_octets:
                raise TooLarge(f"the message has more than {most_octets} octets")
            await spool.write(ends.feed(chunk))
        spooled = await spool.finish()
        envelope = Envelope(
            reverse_path=NULL_PATH,
            recipients=(resolution.recipient,),
            remote_ip=_HERE,
            ehlo="localhost",
            trace=None,
            arrived=app.clock.now(),
            tls_version=None,
            tls_cipher="",
            requiretls=False,
            addresses=config.derived.addresses,
        )
        verdicts = await receive.receive(app, envelope, spooled)
    if verdicts[0].code != 250:
        raise NotDelivered(f"{address}: {verdicts[0].text}")
