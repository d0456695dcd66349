"""Why a message is where it is: what decided when it came, and what the words of the junk filter say of it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.config.source import Config
from appliance.delivery import junk
from appliance.delivery.appliance import Appliance
from appliance.delivery.decide import Reason
from appliance.mail import header
from appliance.operations.actor import Actor, Right
from appliance.operations.messages import find
from appliance.store import junk as words, message as messages
from appliance.store.problems import NoSuchMessage
from appliance.store.records import Origin
from appliance.store.tables import MessageID

#: In plain words.
SENTENCES: Final[dict[Reason, str]] = {
    Reason.LIST_ALLOW: "A rule of yours accepts this mailing list.",
    Reason.DMARC_POLICY: "The domain in From asks to refuse mail that it has not sent, and this seems to be such mail.",
    Reason.MSG_AUTH_REQUIRED: "This address only takes mail whose sender can be verified, and this one could not.",
    Reason.REPUTATION_ERROR: "What is known of the sender could not be read.",
    Reason.REPORTING: "It is a report for this server.",
    Reason.NOTICE: "It is a notice about a message that you sent.",
    Reason.SPF_POLICY: "The sender's domain does not send from there, and nothing good is known of the sender.",
    Reason.IPREV: "The sending host has no proper name, and mail like it was junk before.",
    Reason.SUBJECTPASS: "Its subject had the token that the sender was told to use.",
    Reason.SUBJECTPASS_ERROR: "The key for tokens in subjects could not be read.",
    Reason.GIVE_SUBJECTPASS: "It looked like junk; its sender was told how to send it again.",
    Reason.JUNK_FILTER_ERROR: "The junk filter could not be read.",
    Reason.JUNK_CLASSIFY_ERROR: "The words of the message could not be judged.",
    Reason.JUNK_CONTENT: "Its words are those of junk.",
    Reason.JUNK_CONTENT_STRICT: "Its words are somewhat like those of junk, and other things about it are odd.",
    Reason.DNS_BLOCKLISTED: "A block list knows the sending host, and nothing good is known of the sender.",
    Reason.NO_BAD_SIGNALS: "Little is known of the sender, and nothing speaks against the message.",
    Reason.HIGH_RATE: "Too much mail came from the sender's network.",
    Reason.MSG_FROM_FULL: "You have judged mail of this sender before.",
    Reason.MSG_TO_FULL: "You have written to this sender before.",
    Reason.MSG_FROM_DOMAIN: "You have judged mail of this sender's domain before.",
    Reason.MSG_FROM_ORG_DOMAIN: "You have judged mail of this sender's organization before.",
    Reason.MSG_TO_DOMAIN: "You have written to others at this sender's domain before.",
    Reason.MSG_TO_ORG_DOMAIN: "You have written to others of this sender's organization before.",
    Reason.DKIM_SPF: "You have judged mail before that was signed or sent by the same domain.",
    Reason.IP1: "You have judged mail from the same address of the network before.",
    Reason.IP2: "You have judged mail from nearby addresses of the network before.",
    Reason.IP3: "You have judged mail from the same part of the network before.",
    Reason.NONE: "Nothing is known of the sender.",
    Reason.LOCAL: "A user of this server sent it, or a server that judges for this one.",
    Reason.RESCUED: "It was refused once, and you took it out of the refused mail.",
}
_UPLOADED: Final = "A mail program put it here; it did not come by this server."
_FEW: Final = "The junk filter has learned too few messages for its word to count."
_DETAILS: Final = 20
_DETAIL_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a message is where it is."""

    #: As its reader has judged it; None: he has not.
    is_junk: bool | None
    #: That it is junk, by its words; None without a filter.
    probability: float | None
    #: From which the filter takes a message for junk; None without a filter.
    threshold: float | None
    #: The words that told most, each with the share of junk among what it was seen in.
    words: Sequence[tuple[str, float]]
    #: The word for why it was accepted or refused; empty for what did not come by SMTP.
    reason: str
    texts: Sequence[str]
    #: Messages that the filter has learned.
    hams: int
    spams: int


async def explain(app: Appliance, actor: Actor, config: Config, id: MessageID) -> Explanation:
    """Explain a message of the actor's account. Raises NoSuchMessage."""
    actor.require(Right.READ_MAIL)
    listener = app.store.subscribe(actor.account)
    try:
        return await _explain(app, actor, config, id)
    finally:
        listener.close()


async def _explain(app: Appliance, actor: Actor, config: Config, id: MessageID) -> Explanation:
    with app.store.read() as tx:
        mailbox, place = find(tx, actor, id)
        row = messages.row(tx, actor.account, mailbox.id, place.uid)
        origin = messages.destiny_of(tx, actor.account, id).origin
        prefix = messages.prefix(tx, actor.account, id)
        learned = words.learned(tx, actor.account)
    assert row is not None
    account = config.domains.accounts.get(actor.name)
    settings = account.junk_filter if account is not None else None
    score: junk.Score | None = None
    if settings is not None:
        try:
            spooled = await app.store.stored(row.body)
        except KeyError as error:
            raise NoSuchMessage("the message was removed") from error
        score = await junk.classify(app.store, actor.account, junk.Words(spooled.scanned, spooled.reader), settings)
    texts = list(_sentences(origin, prefix))
    if score is not None and not score.significant:
        texts.append(_FEW)
    return Explanation(
        is_junk=words.judgement(row.flags),
        probability=score.probability if score is not None else None,
        threshold=settings.threshold if settings is not None else None,
        words=(*score.spam_words, *score.ham_words) if score is not None else (),
        reason=origin.reason,
        texts=texts,
        hams=learned.hams,
        spams=learned.spams,
    )


def _sentences(origin: Origin, prefix: bytes) -> list[str]:
    if not origin.remote_ip and not origin.reason:
        return [_UPLOADED]
    found = []
    if origin.reason in set(Reason):
        found.append(SENTENCES[Reason(origin.reason)])
    if origin.is_reject:
        found.append("It was refused; this copy was kept for you.")
    if origin.is_forward:
        found.append("Another server forwarded it, as a rule of yours says.")
    return found + _details(prefix)


def _details(prefix: bytes) -> list[str]:
    """The steps that were written down with it (delivery.facts.reason_field)."""
    value = header.get(prefix, header.fields(prefix, limits=limits.HEADER), b"X-Mox-Reason") if prefix else None
    steps = [] if value is None else value.decode("utf-8", "replace").split(";")
    return [one.strip()[:_DETAIL_CHARACTERS] for one in steps[1 : _DETAILS + 1] if one.strip()]
