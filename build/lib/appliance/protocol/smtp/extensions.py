"""What a server says it is and can do: the greeting, the replies to EHLO, LHLO and HELO.

RFC 5321 §4.1.1.1, and the RFC named at each line.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appliance.protocol.smtp.reply import Reply
from appliance.protocol.smtp.settings import Settings


def greeting(settings: Settings) -> Reply:
    """The first words; no version, which would only help to find holes (RFC 5321 §4.2)."""
    return Reply(220, None, f"{settings.hostname} {'LMTP' if settings.lmtp else 'ESMTP'} moxpy")


def helo_reply(settings: Settings) -> Reply:
    """One line: a client that says HELO knows no extensions."""
    return Reply(250, None, settings.hostname)


def ehlo_reply(settings: Settings, *, tls: bool, mechanisms: Sequence[str], now: datetime) -> Reply:
    """The extensions of this moment; `mechanisms` are those that may be used now, in the order of preference."""
    lines = [settings.hostname, "PIPELINING", f"SIZE {settings.max_message_octets}"]  # RFC 2920, RFC 1870
    if settings.starttls and not tls:
        lines.append("STARTTLS")  # RFC 3207
    if settings.requiretls and tls:
        lines.append("REQUIRETLS")  # RFC 8689
    if settings.submission and mechanisms:
        lines.append(f"AUTH {' '.join(mechanisms)}")  # RFC 4954
    if settings.future_release:  # RFC 4865
        seconds = settings.limits.future_release_seconds
        latest = (now + timedelta(seconds=seconds)).astimezone(UTC)
        lines.append(f"FUTURERELEASE {seconds} {latest:%Y-%m-%dT%H:%M:%SZ}")
    lines.append("ENHANCEDSTATUSCODES")  # RFC 2034
    lines.append("8BITMIME")  # RFC 6152
    lines.append("CHUNKING")  # RFC 3030
    if settings.binarymime:
        lines.append("BINARYMIME")  # RFC 3030
    lines.append("DSN")  # RFC 3461
    lines.append(f"LIMITS RCPTMAX={settings.limits.recipients}")  # RFC 9422
    lines.append("SMTPUTF8")  # RFC 6531
    return Reply(250, None, tuple(lines))
