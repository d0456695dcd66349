"""Secrets of a house, drawn when they are first needed."""

from appliance.delivery.appliance import Appliance
from appliance.store import secret


async def known(app: Appliance, name: bytes, octets: int) -> bytes:
    """One of store/secret.py; so many octets if it is new."""
    with app.store.read() as tx:
        found = secret.find(tx, name)
    if found is None:
        found = await app.store.write(secret.keep, name, app.random.token_bytes(octets))
    return found
