"""Names of mailboxes, messages and threads that never change, for IMAP (RFC 8474) and JMAP (RFC 8620 §1.2).

A letter for the kind, the account's number, the number within it: `F2-7`. The account stands there because IMAP
compares what it sees of several accounts. Numbers are never used again.

A copy has the same content as its original, so in IMAP it has its EMAILID (RFC 8474 §5.1), though flags and mailbox
are its own and so is its id here. Messages that merely hold the same octets, like two APPENDs of one file, are two.
Threads are the stored ones (store.thread), which a message never leaves, as RFC 8474 §5.2 demands of THREADID.
"""

import re
from typing import Final

from appliance.store.tables import AccountID, MailboxID, MessageID

_FORM: Final = re.compile(r"([FMT])([1-9][0-9]{0,9})-([1-9][0-9]{0,18})")


def mailbox(account: AccountID, id: MailboxID) -> str:
    """MAILBOXID."""
    return f"F{account}-{id}"


def message(account: AccountID, id: int) -> str:
    """EMAILID, of the original."""
    return f"M{account}-{id}"


def thread(account: AccountID, id: int) -> str:
    """THREADID; `id` is that of the thread."""
    return f"T{account}-{id}"


def parse(kind: str, account: AccountID, name: str) -> MessageID | None:
    """The number in a name; None when it is of another kind or account, or no name at all."""
    found = _FORM.fullmatch(name)
    return MessageID(int(found[3])) if found and found[1] == kind and int(found[2]) == account else None
