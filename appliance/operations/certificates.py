"""What there is to know of our certificates, whoever gave them to us."""

from appliance.delivery.appliance import Appliance
from appliance.tls.certificates import Shown


def shown(app: Appliance) -> list[Shown]:
    """How they stand: those from files, then those that authorities give us, or should."""
    given = app.authorities.shown() if app.authorities is not None else []
    return [*app.certificates.shown(app.clock.now()), *given]
