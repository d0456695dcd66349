"""Failures that special addresses of a house for tests ask for (quickstart of localserve tells which)."""

from typing import TYPE_CHECKING

import trio

from appliance.delivery import receive as delivery
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.protocol.smtp.reply import Reply

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session


async def failure(session: "Session", path: Path, stage: str) -> Reply | None:
    """The failure a special address asks for; None everywhere but in a house for tests."""
    wanted = session.app.policy.failure(path, stage)
    if wanted is None:
        return None
    if wanted.delay_seconds:
        await session.flush()  # Replies to commands before this one do not hang with it.
        session.connection.expire_in(wanted.delay_seconds + session.door.limits.idle_seconds)
        with trio.move_on_after(wanted.delay_seconds):
            await session.app.shutdown.wait()
    delivery.deliveries.labels("delivererror", "simulated").inc()
    text = f"failure {wanted.code} as the address {path} asks for"
    return Reply(wanted.code, Status(wanted.code // 100, 0, 0), text)
