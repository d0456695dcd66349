"""Control commands about the queue."""

from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import queue
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store.queuerecords import QueuedMessage
from appliance.store.tables import QueueID


def _shown(app: Appliance, one: QueuedMessage) -> dict[str, Any]:
    return {
        "id": one.id,
        "base_id": one.base_id,
        "account": queue.owner(app, one),
        "queued_microseconds": one.queued,
        "hold": one.hold,
        "from": one.reverse_path,
        "to": one.recipient,
        "attempts": one.attempts,
        "next_attempt_microseconds": one.next_attempt,
        "last_attempt_microseconds": one.last_attempt or None,
        "results": [
            {
                "start_microseconds": result.start,
                "duration_microseconds": result.duration,
                "success": result.success,
                "code": result.code,
                "status": result.status,
                "text": result.text,
            }
            for result in one.results
        ],
        "size": one.size,
        "message_id": one.message_id,
        "subject": one.subject,
        "from_id": one.from_id,
        "transport": one.transport,
        "requiretls": one.requiretls,
        "future_release": one.future_release,
        "extra": one.extra,
    }


async def _list(app: Appliance, request: Request) -> list[dict[str, Any]]:
    after = request.optional_text("after") or "0"
    if not (after.isascii() and after.isdecimal() and len(after) < 20):
        raise BadRequest("argument after must be the id of a message")
    return [_shown(app, one) for one in queue.page(app, request.optional_text("account"), QueueID(int(after)))]


#: `queuelist` gives some messages, oldest first; whoever wants the next asks with the last id as `after`.
COMMANDS: Final[dict[str, Handler]] = {
    "queuelist": _list,
}
