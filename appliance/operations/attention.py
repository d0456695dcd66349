"""What the operator should look at, out of what the running house knows by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from appliance.delivery.appliance import Appliance
from appliance.msgauth.results import AuthStatus
from appliance.operations import certificates
from appliance.operations.health import Health

#: Free of the disk, at least: below the first it is wrong, below the second doubtful.
DISK_LEAST, DISK_LOW = 0.05, 0.10
#: A message that waits so long is a reason to look.
OLD: Final = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Attention:
    """Something to look at, and what to do."""

    severity: Literal["error", "warning", "info"]
    title: str
    text: str
    #: A path in the admin pages.
    place: str = ""


def found(app: Appliance, health: Health) -> list[Attention]:
    """The worst first."""
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(_found(app, health), key=lambda one: order[one.severity])


def _found(app: Appliance, health: Health) -> Iterator[Attention]:
    config = app.config.snapshot()
    share = health.disk_free_octets / health.disk_octets if health.disk_octets else 1.0
    if share < DISK_LOW:
        yield Attention(
            "error" if share < DISK_LEAST else "warning",
            f"Only {100 * share:.0f}% of the disk are free",
            "Make room or move the data to a larger disk: mail is refused for now when it is full.",
        )
    for (zone, ip), listing in app.own_listings.found.items():
        if listing.status is AuthStatus.FAIL:
            yield Attention(
                "error",
                f"{ip} is on the block list {zone}",
                f"Who asks it refuses our mail. {listing.explanation} Find out why, then ask the list to take it off.",
                "dnsbl",
            )
    if health.queue_on_hold:
        count = health.queue_on_hold
        yield Attention(
            "warning",
            f"{count} message{'s are' if count != 1 else ' is'} on hold",
            "They leave when you let them go, or remove the rule that holds them and let them go.",
            "queue",
        )
    if health.queue_oldest_microseconds is not None:
        waits = timedelta(microseconds=app.clock.microseconds() - health.queue_oldest_microseconds)
        if waits > OLD:
            yield Attention(
                "warning",
                f"The oldest message has waited for {int(waits.total_seconds() // 3600)} hours",
                "The queue shows what each attempt was answered.",
                "queue",
            )
    for one in certificates.shown(app):
        if one.state == "error":
            yield Attention(
                "error",
                f"The certificate of {one.host} is in trouble",
                f"{one.error or 'It has expired.'} See that ports 80 and 443 reach us, and the DNS leads here.",
                "certificates",
            )
    for space in health.full_accounts:
        yield Attention(
            "warning",
            f"{space.account} has used {100 * space.used_octets // space.limit_octets}% of its space",
            "Mail is refused when it is full: raise the limit, or ask its owner to make room.",
            f"accounts/{space.account}",
        )
    for stuck in health.rotations:
        yield Attention("warning", stuck.text, stuck.remedy, f"domains/{stuck.domain}")
    for name in health.accounts_without_password:
        yield Attention("info", f"{name} has no password", "Mail arrives, and nobody can log in.", f"accounts/{name}")
    if health.newer_version:
        yield Attention(
            "info",
            f"There is moxpy {health.newer_version}",
            "What it brings is in the postmaster's mailbox. Try it with a backup first: moxpy verifydata.",
        )
    if config.static.update_feed is not None and not config.static.check_updates:
        yield Attention(
            "info",
            "Newer versions are not looked for",
            "Set check_updates in the static file, and the postmaster hears of them.",
            "config/static",
        )
    for warning in config.warnings:
        yield Attention("warning", "The configuration is doubtful", str(warning), "config")
    if not config.domains.domains:
        yield Attention("info", "There is no domain yet", "Add the first one.", "domains")
