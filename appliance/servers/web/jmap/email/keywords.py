"""Keywords as JMAP spells them, and as they are kept (RFC 8621 §4.1.1)."""

import re
from typing import Final

from appliance.servers.web.jmap.problem import invalid_properties
from appliance.store.listquery import Keyword
from appliance.store.records import DELETED, FLAG_NAMES, split_flags

#: System flags of IMAP, whose backslash is a dollar here.
_SYSTEM: Final = {"$draft": "\\Draft", "$seen": "\\Seen", "$flagged": "\\Flagged", "$answered": "\\Answered"}
_FORM: Final = re.compile(r"[!#$&'+-Z\[^-z|}~]{1,255}")
_NAMES: Final = {
    int(flag): name.replace("\\", "$").lower() for flag, name in FLAG_NAMES.items() if int(flag) != DELETED
}
#: No keyword of JMAP, though it looks like one.
_HIDDEN: Final = frozenset({"$deleted", "$recent"})


def shown(flags: int, words: tuple[str, ...]) -> dict[str, bool]:
    """The keywords of a row."""
    found = [name for bit, name in _NAMES.items() if flags & bit]
    return dict.fromkeys((*found, *words), True)


def is_keyword(name: object) -> bool:
    """Whether it can be one."""
    return isinstance(name, str) and _FORM.fullmatch(name) is not None and name.lower() not in _HIDDEN


def keyword(name: str) -> Keyword:
    """To look for."""
    bits, words = split_flags((imap_name(name),))
    return Keyword(bits, words[0] if words else "")


def imap_name(name: str) -> str:
    """What IMAP calls it."""
    lower = name.lower()
    return _SYSTEM.get(lower, lower)


def jmap_name(name: str) -> str:
    """The other way round."""
    return name.lower().replace("\\", "$")


def checked(value: object) -> tuple[str, ...]:
    """IMAP's names of a set of keywords, as /set and /import have it. Raises SetError."""
    if not isinstance(value, dict):
        raise invalid_properties("keywords are an object", "keywords")
    return tuple(checked_one(name, is_set) for name, is_set in value.items())


def checked_one(name: object, is_set: object) -> str:
    """IMAP's name of a keyword that is set. Raises SetError."""
    if not is_keyword(name):
        raise invalid_properties(f"{str(name)[:100]} is no keyword", "keywords")
    if is_set is not True:
        raise invalid_properties("the value of a keyword is true", "keywords")
    return imap_name(str(name))
