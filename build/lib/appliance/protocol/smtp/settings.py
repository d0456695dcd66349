"""What a listener tells its SMTP conversations before they start."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Whom a listener serves; the value is the label in logs and counters."""

    #: Other servers, on port 25 (RFC 5321).
    DELIVERY = "smtp"
    #: Users who log in (RFC 6409).
    SUBMISSION = "submission"
    #: A mail server before us, that keeps what we do not take (RFC 2033).
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True)
class SMTPLimits:
    """What one conversation may cost."""

    #: A command with its line end. RFC 5321 §4.5.3.1.4 asks for 512 and more for extensions.
    line_octets: int
    #: A client's line in a SASL exchange, which has its own measure (RFC 4954 §4).
    auth_line_octets: int
    #: Recipients of one transaction (RFC 5321 §4.5.3.1.8), announced by LIMITS (RFC 9422).
    recipients: int
    #: Messages of up to this size are the product's promise; a listener with less says it is the stricter one.
    usual_message_octets: int
    #: How far ahead a submission may be held (RFC 4865).
    future_release_seconds: int


@dataclass(frozen=True, slots=True)
class Settings:
    """One listener's side of all its conversations."""

    kind: Kind
    #: The name in the greeting and the EHLO reply, in A-labels.
    hostname: str
    max_message_octets: int
    #: TLS can be started (RFC 3207).
    starttls: bool
    #: REQUIRETLS is offered once TLS is active (RFC 8689).
    requiretls: bool
    #: HOLDFOR and HOLDUNTIL are offered (RFC 4865).
    future_release: bool
    #: Deviations that are otherwise tolerated are refused.
    pedantic: bool
    limits: SMTPLimits

    @property
    def submission(self) -> bool:
        """Whether users submit mail here."""
        return self.kind is Kind.SUBMISSION

    @property
    def lmtp(self) -> bool:
        """Whether this is LMTP: LHLO instead of EHLO, and a reply for each recipient (RFC 2033)."""
        return self.kind is Kind.LMTP

    @property
    def binarymime(self) -> bool:
        """Whether messages may be binary (RFC 3030 §3).

        Not what users submit: it is sent on to servers of which few take binary messages.
        """
        return self.kind is not Kind.SUBMISSION
