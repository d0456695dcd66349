"""Tokens of the IMAP grammar (RFC 9051 §9, RFC 3501 §9)."""

from typing import Literal


class CommandError(Exception):
    """A command that cannot be carried out as it was written; what to answer.

    `tag` None is answered untagged. `code` is the response code's text without brackets, like `CANNOT`, or None.
    Of a fatal one, kind BYE is sent as `* BYE`; any other as usual, then `* BYE`; then the connection is closed.
    """

    def __init__(
        self,
        kind: Literal["BAD", "NO", "BYE"],
        text: str,
        *,
        code: str | None = None,
        tag: str | None = None,
        fatal: bool = False,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.code = code
        self.tag = tag
        self.fatal = fatal
