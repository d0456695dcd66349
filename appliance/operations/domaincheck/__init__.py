"""The checks of a domain: what the world sees of it, beside what we need it to see."""

from appliance.operations.domaincheck.area import Area, Means, Subject
from appliance.operations.domaincheck.run import CHECKS, check

__all__ = ["CHECKS", "Area", "Means", "Subject", "check"]
