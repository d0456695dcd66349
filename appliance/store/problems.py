"""The named outcomes of the store: what may go wrong without anything being wrong."""

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status


class StorageFull(Problem):
    """No room on the disk, or in the address space set aside."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 1)


class StoreFailed(Problem):
    """The disk or the database refused; nothing of the request was kept."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 0)


class OlderSchema(StoreFailed):
    """The store is of an older version, and may only be looked at."""


class CopyFailed(Problem):
    """The store could not be copied; the store itself is well."""

    kind, status = Kind.UNAVAILABLE, Status(4, 3, 0)


class NoSuchAccount(Problem):
    """The account does not exist, or is being removed."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


class NoSuchMailbox(Problem):
    """The mailbox does not exist (any more)."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


class NoSuchMessage(Problem):
    """The message does not exist (any more)."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


class OverQuota(Problem):
    """The account holds as many octets as it may."""

    kind, status = Kind.OVER_QUOTA, Status(4, 2, 2)


class AccountExists(Problem):
    """There is an account of this name."""

    kind, status = Kind.EXISTS, Status(5, 3, 0)


class NoSuchTLSKey(Problem):
    """There is no TLS public key with this fingerprint."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


class TLSKeyExists(Problem):
    """The key is known already; it logs in to one account only."""

    kind, status = Kind.EXISTS, Status(5, 3, 0)


class NewerSchema(Problem):
    """The store was written by a newer version of the program."""

    kind, status = Kind.CONFLICT, Status(5, 3, 0)


class NoSuchAppPassword(Problem):
    """The account has no app password of this number."""

    kind, status = Kind.NOT_FOUND, Status(5, 3, 0)


class SaltsChanged(Problem):
    """Secrets were derived with salts that are not those of the account any more: derive them again."""

    kind, status = Kind.CONFLICT, Status(4, 3, 0)


class MailboxExists(Problem):
    """There is a mailbox of this name."""

    kind, status = Kind.EXISTS, Status(5, 3, 0)


class MailboxHasChildren(Problem):
    """Mailboxes below it come first."""

    kind, status = Kind.CONFLICT, Status(5, 3, 0)


class BadMailboxName(Problem):
    """A name that no mailbox may have."""

    kind, status = Kind.INVALID, Status(5, 1, 3)


class MailboxNameTooLong(BadMailboxName):
    """A name beyond what is kept: of one element, of all, or of the levels."""

    kind = Kind.LIMIT


class NotThatMailbox(Problem):
    """Not with the Inbox, or not into itself."""

    kind, status = Kind.FORBIDDEN, Status(5, 3, 0)


class NoPermission(Problem):
    """The mailbox is another account's, which did not grant that right (RFC 4314)."""

    kind, status = Kind.FORBIDDEN, Status(5, 7, 1)


class TooMany(Problem):
    """A count of what an account may have is used up."""

    kind, status = Kind.LIMIT, Status(5, 2, 2)


class TooManyAnnotations(TooMany):
    """The account has as many annotations as it may."""


class AnnotationTooLarge(TooMany):
    """The value of an annotation is larger than there is room for."""

    def __init__(self, octets: int) -> None:
        super().__init__(f"a value may have {octets} octets")
        #: So much would have been taken.
        self.octets = octets


class NotSubscribed(Problem):
    """Neither subscribed nor existing."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)
