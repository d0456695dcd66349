"""Whether a message can only travel with SMTPUTF8 (RFC 6531 §3.2): told from what it holds, not from what was said."""

from collections.abc import Iterable


def needed(*, localparts: Iterable[str], content_needs: bool) -> bool:
    """True when a localpart of the transaction or a header of the message is beyond ASCII.

    `content_needs` is `Scanned.needs_smtputf8`. Domains do not count: they travel as A-labels (RFC 5891 §4.4).
    """
    return content_needs or not all(localpart.isascii() for localpart in localparts)
