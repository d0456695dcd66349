"""Verbs about the queue, and where its messages go."""

from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.operations import addresses


def locate(app: Appliance, config: Config, path: Path) -> Recipient | AliasRecipient | Verdict:
    """Where a queued message for a path goes; a verdict when nobody here takes it (any more)."""
    match addresses.resolve(app, config, path):
        case addresses.Local(recipient):
            return recipient
        case addresses.Refused(code, status, text):
            return Verdict(path, code, status, text)
        case addresses.Nobody():
            return Verdict(path, 550, Status(5, 1, 1), "no such recipient here")
        case addresses.Elsewhere():
            return Verdict(path, 550, Status(5, 7, 1), "this server does not send to other domains yet")
