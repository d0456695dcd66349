"""Notices of readers' programs (MDNs) about messages that were submitted by JMAP: which submission one is about.

Its Message-ID names the message, as far as that is still there. Nobody vouches for a notice: whoever knows the id has
seen the message, or was shown it. It is mail all the same, and placed as such; what it says is written down beside.
"""

from dataclasses import dataclass

import trio

from appliance.mail import mdn
from appliance.mail.mdn import Disposition
from appliance.mail.part import Part
from appliance.mail.text import Reader
from appliance.store import submission, thread
from appliance.store.store import Store
from appliance.store.tables import AccountID, MessageID, SubmissionID
from appliance.store.transaction import WriteTx


@dataclass(frozen=True, slots=True)
class Answered:
    """A notice about a submission of the recipient's account."""

    submission: SubmissionID
    said: Disposition


async def find(store: Store, account: AccountID, root: Part, octets: Reader) -> Answered | None:
    """What a message says of a submission; None for one that is no such notice."""
    if not mdn.is_notice(root):
        return None
    return await trio.to_thread.run_sync(_find, store, account, root, octets)


def _find(store: Store, account: AccountID, root: Part, octets: Reader) -> Answered | None:
    said = mdn.read(root, octets)
    if said is None or not said.message_id:
        return None
    with store.read() as tx:
        messages = set(thread.with_message_id(tx, account, said.message_id))
        found = submission.of_messages(tx, account, messages) if messages else None
    return None if found is None else Answered(found, said)


def note(tx: WriteTx, account: AccountID, answered: Answered, notice: MessageID) -> None:
    """Write down what one says, in the transaction that places it."""
    displayed = answered.said.recipients if answered.said.kind == "displayed" else ()
    submission.answered(tx, account, answered.submission, notice, displayed)
