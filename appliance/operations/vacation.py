"""What is replied to mail while an account's owner is away: looking and setting; replies are made by delivery."""

from typing import Final

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.store import vacation
from appliance.store.webrecords import Vacation

_SUBJECT_CHARACTERS: Final = 300


class BadVacation(Problem):
    """Something that cannot be replied; the text says what."""

    kind = Kind.INVALID

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        #: The property that cannot be so.
        self.name = name


def shown(app: Appliance, actor: Actor) -> Vacation:
    """What is set."""
    actor.require(Right.READ_MAIL)
    with app.store.read() as tx:
        return vacation.find(tx, actor.account)


async def change(app: Appliance, actor: Actor, new: Vacation) -> Vacation:
    """Set what is replied, when, and after how many days again; as it is now. Raises BadVacation, NoSuchAccount.

    Who was answered is forgotten when replies are switched on, so that nobody misses the new ones.
    """
    actor.require(Right.CHANGE_MAIL)
    subject = new.subject
    if subject is not None and (len(subject) > _SUBJECT_CHARACTERS or not subject.isprintable()):
        raise BadVacation(f"a subject is printable and has at most {_SUBJECT_CHARACTERS} characters", "subject")
    for name, text in (("textBody", new.text), ("htmlBody", new.html)):
        if text is not None and (len(text) > limits.VACATION_CHARACTERS or "\0" in text):
            raise BadVacation(f"a reply has at most {limits.VACATION_CHARACTERS} characters", name)
    least, _, most = limits.VACATION_DAYS
    if not least <= new.days <= most:
        raise BadVacation(f"from {least} to {most} days", "daysBetweenReplies")
    if new.from_date is not None and new.to_date is not None and new.from_date >= new.to_date:
        raise BadVacation("it ends before it begins", "toDate")
    return await app.store.write(vacation.keep, actor.account, new)
