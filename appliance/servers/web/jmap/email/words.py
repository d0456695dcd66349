"""The words and phrases of a text that somebody looks for (RFC 8621 §4.4.1)."""

import re
from typing import Final

#: Quoted phrases with a backslash before what would end them; or words. A quote that is never closed is a letter.
_PHRASE: Final = re.compile(r""""((?:[^"\\]++|\\.)++)"(?!\S)|'((?:[^'\\]++|\\.)++)'(?!\S)|(\S++)""", re.DOTALL)
_ESCAPED: Final = re.compile(r"""\\(['"\\])""")


def words_of(text: str) -> list[str]:
    """What must all be there."""
    found = []
    for match in _PHRASE.finditer(text):
        phrase = match[1] if match[1] is not None else match[2]
        found.append(match[3] if phrase is None else _ESCAPED.sub(r"\1", phrase).strip())
    return [one for one in dict.fromkeys(found) if one]
