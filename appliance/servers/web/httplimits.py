"""What an HTTP connection may cost us: the shape of these limits. Apart from `http`, which is loaded late."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HTTPLimits:
    """Octets, counts and seconds."""

    #: Of the request line and all header fields.
    head_octets: int
    #: Of a request's body, where an application does not say otherwise.
    body_octets: int
    #: Of a body, received before the application has asked for it.
    ahead_octets: int
    #: Of one WebSocket message, where who accepts it does not say otherwise (`asgi.LongMessages`).
    websocket_octets: int
    #: Requests of an HTTP/2 connection at once.
    streams: int
    #: Requests that an HTTP/2 client may take back on one connection before it is closed.
    resets: int
    #: For the head of a request, from its first octet.
    head_seconds: float
    #: Without a request.
    idle_seconds: float
    #: Between two pieces of a body that the application waits for.
    body_seconds: float
    #: Until the client has taken 64 KiB of a response.
    take_seconds: float
    #: For a response whose client has closed its side of the connection.
    after_end_seconds: float
    #: Between pings to a WebSocket.
    ping_seconds: float
    #: For the last words.
    bye_seconds: float
