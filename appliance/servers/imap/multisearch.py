"""ESEARCH: one search in many mailboxes (RFC 7377)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from appliance.operations import sharing
from appliance.operations.sharing import Access
from appliance.protocol.imap import command
from appliance.protocol.imap.command import ModSeq, Source
from appliance.protocol.imap.lexer import CommandError
from appliance.servers.imap import notify, search
from appliance.servers.imap.search import Progress, Work
from appliance.servers.imap.selected import Selected
from appliance.store import mailbox as mailboxes, seen
from appliance.store.problems import NoPermission, NoSuchMailbox
from appliance.store.records import INBOX, Rights
from appliance.store.tables import MailboxRef

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def esearch(session: "Session", tag: str, request: command.MultiSearch) -> None:
    """ESEARCH: one response for each mailbox in which something was found."""
    selected, returns = session.selected, request.returns
    if selected is None and any(one.kind == "SELECTED" for one in request.sources):
        raise CommandError("BAD", "no mailbox is selected")  # RFC 7377 §2.2
    if any(isinstance(one, ModSeq) for one in command.walk(request.key)):
        session.enable_condstore()
    saved: Sequence[int] = ()
    boxes = _sources(session, request.sources)
    progress = Progress(session, tag, search.text_keys(request.key) * sum(one.mailbox.messages for one in boxes))
    for box in boxes:
        where = selected if selected is not None and box.ref == selected.ref else await _open(session, box)
        if where is None:
            continue
        work = Work(session, where, request.key, progress)
        places = await work.run(request.key)
        if not places:
            continue

        def answer(work: Work = work, places: Sequence[int] = places, box: Access = box) -> tuple[bytes, list[int]]:
            concerned = search.concerned_by(places, returns)
            modseq = work.highest(concerned) if work.with_modseq else None
            correlators = b" MAILBOX %b UIDVALIDITY %d" % (session.name(box.name), box.mailbox.uid_validity)
            numbers = work.numbers(places, uid=True)
            line = search.results(tag, numbers, returns, modseq, uid=True, mailbox=correlators)
            return line, work.numbers(concerned, uid=True)

        line, kept = await work.apart(places, answer)
        if "SAVE" in returns.items:  # Then it is the selected mailbox and no other.
            saved = kept
        session.say(line)
        await session.flush_large()
    if "SAVE" in returns.items and selected is not None:
        selected.saved = saved
    search.finish(session, tag, request.key, uid=True)


async def _open(session: "Session", box: Access) -> Selected | None:
    """A mailbox as one who has just selected it would see it; None if it is gone, or not shared any more."""
    store = session.app.store
    try:
        with store.read() as tx:
            sharing.rights_of(tx, session.account.account, box.ref, Rights.READ)
        await store.bring_view(*box.ref)
        with store.read() as tx:
            record = tx.mailbox(*box.ref)
            view = store.view_now(tx, box.account, box.mailbox)
    except (NoSuchMailbox, NoPermission):
        return None
    return Selected(
        box.ref,
        box.name,
        read_only=True,
        uids=view.uids[:],
        modseq=view.modseq,
        reader=seen.reader(record, box.account, session.account.account),
        turned=record.own_seen_modseq if box.shared else 0,
    )


def _sources(session: "Session", sources: Sequence[Source]) -> list[Access]:
    """The mailboxes to search, each once, by name.

    Those that do not exist, or may not be read, are passed over (RFC 7377 §2.2).
    """
    account, selected = session.account.account, session.selected
    found: dict[MailboxRef, Access] = {}
    with session.app.store.read() as tx:
        own = [sharing.of_owner(session.account, one) for one in tx.mailboxes(account)]
        everything = own + [one for one in sharing.shared(tx, account) if one.rights & Rights.READ]
        for source in sources:
            match source.kind:
                case "SELECTED":
                    wanted = [one for one in everything if selected is not None and one.ref == selected.ref]
                    if not wanted and selected is not None:
                        access = sharing.find(tx, account, selected.name)  # Without the right to look it up.
                        wanted = [access] if access is not None and access.ref == selected.ref else []
                case "PERSONAL":
                    wanted = own
                case "SUBSCRIBED":
                    subscribed = set(mailboxes.subscriptions(tx, account))
                    wanted = [one for one in everything if one.name in subscribed]
                case "INBOXES":
                    there = notify.delivered_to(session)
                    wanted = [one for one in own if _is_below(one.name, INBOX) or one.name in there]
                case "MAILBOXES":
                    wanted = [one for one in everything if one.name in source.mailboxes]
                case _:
                    levels = 1 if source.kind == "SUBTREE-ONE" else None
                    wanted = [
                        one for one in everything if any(_is_below(one.name, top, levels) for top in source.mailboxes)
                    ]
            found.update((one.ref, one) for one in wanted)
    return sorted(found.values(), key=lambda one: (one.name != INBOX, one.name))


def _is_below(name: str, top: str, levels: int | None = None) -> bool:
    """Whether it is the mailbox or one below it, so many levels at most."""
    return name == top or (name.startswith(top + "/") and (levels is None or name.count("/", len(top)) <= levels))
