"""Unsubscribe/post: leaving a list by one click (RFC 8058)."""

from typing import Final

from appliance.operations import unsubscribing
from appliance.servers.web.jmap.call import OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.own import ids


class PostArguments(AccountArguments, kw_only=True):
    """A message of the list."""

    email_id: str


class PostResponse(Wire):
    """The status of the list's answer; 0 where there was none, and why."""

    account_id: str
    status: int
    error: str | None


async def post(call: Call, arguments: PostArguments) -> PostResponse:
    """Unsubscribe/post."""
    client = unsubscribing.client(call.app)
    asked = await unsubscribing.post(call.app, call.actor, client, ids.message(call, arguments.email_id))
    return PostResponse(account_id=call.account_id, status=asked.status, error=asked.error or None)


METHODS: Final = (Method("Unsubscribe/post", OWN, PostArguments, post, changes=True),)
