"""Figures that nobody counts as they change: looked at now and then for the metrics page."""

import os
import platform
import shutil
from typing import Final

import trio

from appliance import __version__
from appliance.base.metrics import Gauge
from appliance.delivery.appliance import Appliance
from appliance.store import queued
from appliance.store.account import names
from appliance.store.tables import Table

PERIOD_SECONDS: Final = 15.0
#: A timer that comes late by so much was held up by the event loop.
BEAT_SECONDS: Final = 1.0

messages = Gauge("queue_messages", "Messages in the queue, those on hold included.")
oldest = Gauge("queue_oldest_seconds", "For how long the oldest message of the queue has waited; 0 when it is empty.")
stored = Gauge("store_bytes", "Octets on the disk.", ("store",))
used = Gauge("account_bytes", "Octets of the messages of all accounts.")
free = Gauge("disk_free_bytes", "Free octets of the disk that the data is on.")
disk = Gauge("disk_bytes", "All octets of that disk.")
lag = Gauge("event_loop_lag_seconds", "The longest that a timer came late, of the last 15 seconds.")
build = Gauge("build_info", "Always 1.", ("version", "python"))


async def keep(app: Appliance) -> None:
    """Keeper task."""
    build.labels(__version__, platform.python_version()).set(1)
    while True:
        await trio.to_thread.run_sync(_look, app)
        worst = 0.0
        until = trio.current_time() + PERIOD_SECONDS
        while (now := trio.current_time()) < until:
            await trio.sleep(BEAT_SECONDS)
            worst = max(worst, trio.current_time() - now - BEAT_SECONDS)
        lag.labels().set(worst)


def _look(app: Appliance) -> None:
    folder = app.config.snapshot().data_directory
    with app.store.read() as tx:
        messages.labels().set(tx.entries(Table.QUEUED))
        first = next(queued.all_messages(tx), None)
        used.labels().set(sum(tx.account(account).usage_octets for account in names(tx).values()))
    waited = 0 if first is None else app.clock.microseconds() - first.queued
    oldest.labels().set(max(0, waited) / 1e6)
    # The file is as long as the map; what it takes on the disk is another matter.
    stored.labels("store").set(os.stat(folder / "store" / "data.mdb").st_blocks * 512)
    space = shutil.disk_usage(folder)
    free.labels().set(space.free)
    disk.labels().set(space.total)
