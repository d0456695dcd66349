"""What a reader sees of an account, within one transaction: of his own all, of another's what is shared with him.

Messages of another account are there for a reader if he may look up and read their mailbox (RFC 8621 §2, mayReadItems).
Of all else nothing is told, neither by itself nor by a state: states of another account tell when what the reader sees
changed last, and by what rights he sees it, so that with other rights he begins anew.
"""

import hashlib
from array import array
from functools import cached_property

import msgspec

from appliance.store import acl, seen
from appliance.store.problems import NoSuchMailbox
from appliance.store.records import ALL_RIGHTS, Mailbox, Rights
from appliance.store.seen import Own
from appliance.store.tables import AccountID, MailboxID, MailboxRef
from appliance.store.transaction import ReadTx

#: With both, messages of a mailbox are there.
READABLE = int(Rights.LOOKUP | Rights.READ)
#: As a number: flags of enum are slow.
_LOOKUP = int(Rights.LOOKUP)
#: With one of these something could be changed.
_CHANGES = int(
    Rights.SEEN
    | Rights.WRITE
    | Rights.INSERT
    | Rights.CREATE
    | Rights.DELETE_MAILBOX
    | Rights.DELETE_MESSAGES
    | Rights.EXPUNGE
)


class Reach:
    """Of one reader in one account."""

    def __init__(self, tx: ReadTx, account: AccountID, reader: AccountID) -> None:
        self.account = account
        self.reader = reader
        self._tx = tx
        self._owns: dict[MailboxID, Own | None] = {}

    @property
    def is_own(self) -> bool:
        """The account is the reader's."""
        return self.account == self.reader

    @cached_property
    def _rights(self) -> dict[MailboxID, int]:
        found = acl.shared_by(self._tx, self.reader, self.account)
        return {number: held for number, held in found.items() if held & _LOOKUP}

    def rights(self, mailbox: MailboxID) -> int:
        """Bits of what the reader may do with a live mailbox; none if he may not look it up, whatever he may beside."""
        return ALL_RIGHTS if self.is_own else self._rights.get(mailbox, 0)

    @property
    def is_shared(self) -> bool:
        """It is another's account, who lets the reader look up a mailbox."""
        return not self.is_own and bool(self._rights)

    @property
    def may_change(self) -> bool:
        """There is a mailbox in which the reader may change something."""
        return self.is_own or any(held & _CHANGES for held in self._rights.values())

    @cached_property
    def known(self) -> list[Mailbox]:
        """Mailboxes that the reader may look up and, without rights, those that they are in; by id.

        What he may not know of them is not there.
        """
        if self.is_own:
            return self._tx.mailboxes(self.account)
        found: dict[MailboxID, Mailbox] = {}
        for number in self._rights:
            while number and number not in found:
                try:
                    found[number] = self._tx.mailbox(self.account, number)
                except NoSuchMailbox:
                    break
                number = found[number].parent
        return [_masked(found[number], self.rights(number)) for number in sorted(found)]

    @cached_property
    def mailboxes(self) -> list[Mailbox]:
        """Mailboxes whose messages are there, by id."""
        return [one for one in self.known if self.rights(one.id) & READABLE == READABLE]

    @cached_property
    def live(self) -> frozenset[MailboxID]:
        """Their numbers."""
        return frozenset(one.id for one in self.mailboxes)

    def shown(self, mailbox: MailboxID, uid: int, flags: int) -> int:
        """Flags of a row as the reader has them."""
        if self.is_own:
            return flags
        if mailbox not in self._owns:
            self._owns[mailbox] = seen.own(self._tx, MailboxRef(self.account, mailbox), self.reader)
        own = self._owns[mailbox]
        return flags if own is None else own.shown(uid, flags)

    def shown_flags(self, mailbox: Mailbox, uids: "array[int]", flags: "array[int]") -> "array[int]":
        """The same of all rows of a mailbox."""
        one = seen.reader(mailbox, self.account, self.reader)
        ref = MailboxRef(self.account, mailbox.id)
        return flags if one is None else seen.shown_flags(self._tx, ref, one, uids, flags)

    # States.

    @cached_property
    def modseq(self) -> int:
        """When what the reader sees changed last. Raises NoSuchAccount."""
        if self.is_own:
            return self._tx.account(self.account).modseq
        return max((max(one.modseq, one.properties_modseq) for one in self.known), default=0)

    @property
    def oldest(self) -> int:
        """Since when it is known what has changed. Raises NoSuchAccount."""
        # Of another's account nothing has changed since what the reader sees did, whatever was forgotten elsewhere.
        return min(self._tx.account(self.account).highest_deleted_modseq, self.modseq)

    @cached_property
    def signature(self) -> str:
        """By what rights the reader sees what; empty for the owner."""
        if self.is_own:
            return ""
        seen_as = [
            (one.id, held, one.own_seen, one.own_seen_modseq)
            if (held := self.rights(one.id))
            else (one.id, one.parent, one.name)
            for one in self.known
        ]
        return hashlib.sha256(msgspec.json.encode(seen_as)).hexdigest()[:16]

    def state(self, of: object) -> str:
        """The state of a modification sequence, or whatever else one tells, under these rights."""
        return stated(of, self.signature)

    def within(self, state: str) -> str:
        """Of what `state` made it; empty when the rights were other ones then."""
        return within(state, self.signature)


def _masked(mailbox: Mailbox, rights: int) -> Mailbox:
    """A mailbox of another account as somebody with these rights may know it."""
    if rights & READABLE == READABLE:
        return msgspec.structs.replace(mailbox, roles=0)
    modseqs = (mailbox.create_modseq, mailbox.properties_modseq) if rights else (0, 0)
    return Mailbox(
        id=mailbox.id,
        name=mailbox.name,
        parent=mailbox.parent,
        uid_validity=mailbox.uid_validity,
        create_modseq=modseqs[0],
        modseq=max(modseqs),
        sort_order=mailbox.sort_order if rights else None,
        properties_modseq=modseqs[1],
        own_seen=mailbox.own_seen if rights else False,
        own_seen_modseq=mailbox.own_seen_modseq if rights else 0,
    )


def stated(of: object, signature: str) -> str:
    """A state that tells something, under these rights."""
    return f"{of}-{signature}" if signature else str(of)


def within(state: str, signature: str) -> str:
    """What a state tells under these rights; empty when the rights were other ones."""
    if not signature:
        return state
    told, _, rights = state.rpartition("-")
    return told if rights == signature else ""
