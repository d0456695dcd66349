"""Automatic replies while the account's owner is away."""

from datetime import UTC, datetime
from typing import Annotated

from appliance.config.schema import doc
from appliance.operations import vacation
from appliance.servers.web.api import Call, Wire
from appliance.store.webrecords import Vacation as Kept


class Vacation(Wire):
    """What is replied, and when."""

    enabled: bool
    start: Annotated[datetime | None, doc("Mail that comes from then on is answered. Null: at once.")]
    end: Annotated[datetime | None, doc("Mail that comes before then is answered. Null: until it is switched off.")]
    subject: Annotated[str | None, doc("Null: that of the message, with Auto: before it.")]
    text: Annotated[str | None, doc("Null: made of the HTML, or a usual sentence.")]
    html: Annotated[str | None, doc("Null: the reply is plain text.")]
    days: Annotated[int, doc("Days after which somebody who was answered gets another reply, from 1 to 60.")]


async def vacation_get(call: Call) -> Vacation:
    """What is replied to mail while nobody reads it."""
    one = vacation.shown(call.app, call.actor)
    return Vacation(
        enabled=one.is_enabled,
        start=_moment(one.from_date),
        end=_moment(one.to_date),
        subject=one.subject,
        text=one.text,
        html=one.html,
        days=one.days,
    )


async def vacation_save(call: Call, new: Vacation) -> None:
    """Set what is replied. Who was answered before hears it again when replies are switched on."""
    kept = Kept(
        is_enabled=new.enabled,
        from_date=_microseconds(new.start),
        to_date=_microseconds(new.end),
        subject=new.subject,
        text=new.text,
        html=new.html,
        days=new.days,
    )
    await vacation.change(call.app, call.actor, kept)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
