"""Organizational domains: which domains belong to one owner (RFC 7489 §3.2), told by the public suffix list.

Only its ICANN section counts. What hosting firms add there would part their customers from one another, and from the
firm itself, whose record for all of them would be lost; so customers of one such firm are one organization here.
"""

from functools import cache, lru_cache
from threading import Lock
from typing import Final

from publicsuffixlist import PublicSuffixList

from appliance.mail.domain import Domain, DomainError, parse_domain

_reading: Final = Lock()


@cache
def _read() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


def load() -> PublicSuffixList:
    """The list; the first call reads it, some 30 ms: in a thread, please. Many first calls at once read it once."""
    if is_loaded():
        return _read()
    with _reading:
        return _read()


def is_loaded() -> bool:
    """Whether the list has been read."""
    return _read.cache_info().currsize > 0


@lru_cache(maxsize=4096)
def organizational_domain(domain: Domain) -> Domain:
    """The public suffix above a domain with one label more; the domain itself when it is no longer than a suffix.

    A top-level domain that the list does not know is a public suffix.
    """
    name = load().privatesuffix(domain.ascii)
    if name is None or name == domain.ascii:
        return domain
    try:
        return parse_domain(name, lax=True)
    except DomainError:
        return domain


def is_public_suffix(domain: Domain) -> bool:
    """Whether anybody may register names below it, so that nobody can speak for all of them."""
    return load().is_public(domain.ascii)
