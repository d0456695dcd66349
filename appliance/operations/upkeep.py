"""Verbs that mend what is kept for an account."""

from appliance.delivery.appliance import Appliance
from appliance.delivery.learning import Progress, Retrained
from appliance.operations import accounts
from appliance.store.indexing import Rebuilt


async def reindex(app: Appliance, name: str) -> Rebuilt:
    """Make the index that searches use anew. Raises NoSuchAccount."""
    return await app.store.indexer.reindex(accounts.number(app.store, name))


async def retrain(app: Appliance, name: str, progress: Progress) -> Retrained:
    """Make the junk filter anew, of all messages that are judged; `progress` hears how many there were so far.

    Raises NoSuchAccount, NoJunkFilter.
    """
    return await app.learner.retrain(app.store, app.config, accounts.number(app.store, name), progress)
