"""Trying webhooks: a POST of a payload that its owner wrote, and what came of it."""

from typing import Annotated

from appliance.config.schema import doc
from appliance.config.values import WebURL
from appliance.mail import hookpayload
from appliance.mail.hookpayload import Incoming, Outgoing
from appliance.operations import hooks
from appliance.servers.web.api import Call, Wire


class WebhookTest(Wire):
    """What came of a POST."""

    success: Annotated[bool, doc("The response was 200; nothing else counts.")]
    code: Annotated[int, doc("HTTP status; 0 without a response.")]
    response: Annotated[str, doc("The beginning of its body.")]
    error: Annotated[str, doc("What went wrong; empty when nothing did.")]
    duration: Annotated[int, doc("Nanoseconds.")]


async def outgoing_webhook_test(call: Call, url: WebURL, authorization: str, data: Outgoing) -> WebhookTest:
    """Post once what a webhook about a message sent would say: nothing is kept of it, nor tried again."""
    return await _test(call, url, authorization, data)


async def incoming_webhook_test(call: Call, url: WebURL, authorization: str, data: Incoming) -> WebhookTest:
    """Post once what a webhook about a message received would say: nothing is kept of it, nor tried again."""
    return await _test(call, url, authorization, data)


async def _test(call: Call, url: WebURL, authorization: str, data: Outgoing | Incoming) -> WebhookTest:
    tried = await hooks.trial(
        call.app, call.actor.name, url=str(url), authorization=authorization, payload=hookpayload.json(data)
    )
    return WebhookTest(
        success=tried.success,
        code=tried.code,
        response=tried.response,
        error=tried.error,
        duration=tried.duration * 1000,
    )
