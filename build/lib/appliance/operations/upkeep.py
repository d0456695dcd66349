"""Verbs that mend what is kept for an account."""

from appliance.delivery.appliance import Appliance
from appliance.operations import accounts
from appliance.store.indexing import Rebuilt


async def reindex(app: Appliance, name: str) -> Rebuilt:
    """Make the index that searches use anew. Raises NoSuchAccount."""
    return await app.store.indexer.reindex(accounts.number(app.store, name))
