"""What a web handler of the configuration does with a request."""

import secrets

from appliance.base import limits, regexp
from appliance.config.domains import Forward, Redirect, WebHandler
from appliance.delivery.appliance import Appliance
from appliance.net.connection import parse_address
from appliance.net.limiter import Limiter, Window
from appliance.servers.web.asgi import Receive, Scope, Send
from appliance.servers.web.respond import Response, send_response, text
from appliance.servers.web.site import files, redirects
from appliance.servers.web.site.backend import Backends
from appliance.servers.web.site.coding import Compressed
from appliance.servers.web.site.packed import FOLDER, Packed


class Site:
    """All handlers of the house, at all of its ports."""

    def __init__(self, app: Appliance) -> None:
        self._backends = Backends(app)
        #: Of this house among all gateways on the way of a request.
        self._name = f"moxpy-{secrets.token_hex(6)}"
        self._open = Limiter([Window(*window) for window in limits.FORWARD_OPEN])
        self._under_way = 0
        self._packed = Packed(app.config.snapshot().data_directory / FOLDER)

    async def answer(self, handler: WebHandler, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request whose `path` is clean; False: it is left to the next handler, and nothing was said."""
        if handler.forward is not None:
            await self._forward(handler, handler.forward, scope, receive, send)
            return True
        if scope["type"] == "websocket":
            return False
        if handler.compress:
            send = Compressed(scope, send)
        if handler.static is not None:
            return await files.answer(handler.static, scope, send, self._packed if handler.compress else None)
        if handler.redirect is not None:
            return await _redirect(handler.redirect, scope, send)
        return False

    async def _forward(self, handler: WebHandler, forward: Forward, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            skip = _matched(handler, scope["path"]) if forward.strip_path else 0
        except regexp.TooMuchWork:
            await _refuse(scope, receive, send, text(414, "this path takes too much work"))
            return
        client = scope["state"]["client"] or parse_address(scope["client"][0])
        if self._under_way >= limits.FORWARD_REQUESTS or not self._open.add(client, 0):
            await _refuse(scope, receive, send, text(503, "too many requests at once", {"retry-after": "10"}))
            return
        self._under_way += 1
        try:
            # What these need is loaded with the first request of all (`http`), and not before.
            if scope["type"] == "websocket":
                from appliance.servers.web.site import tunnel

                await tunnel.answer(self._backends, self._name, forward, skip, scope, receive, send)
            else:
                from appliance.servers.web.site import forward as forwarding

                sender = Compressed(scope, send) if handler.compress else send
                await forwarding.answer(self._backends, self._name, forward, skip, scope, receive, sender)
        finally:
            self._under_way -= 1
            self._open.remove(client, 0)


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
    else:
        await send_response(scope, send, response, {})


async def _redirect(redirect: Redirect, scope: Scope, send: Send) -> bool:
    try:
        location = redirects.location(redirect, scope)
    except redirects.NoMatch:
        await send_response(scope, send, text(404, "there is nothing here"), {})
        return True
    if location is None:
        return False
    await send_response(scope, send, text(redirect.status_code, location, {"location": location}), {})
    return True


def _matched(handler: WebHandler, path: str) -> int:
    """How much of a path's beginning its handler matched. Raises regexp.TooMuchWork."""
    found = regexp.compile(handler.path_regexp).find(path, regexp.Budget(limits.FIND_STEPS))
    return found.end if found is not None and found.begin == 0 else 0
