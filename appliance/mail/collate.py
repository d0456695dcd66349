"""The order of texts: i;unicode-casemap (RFC 5051), which RFC 5256 §7 demands of SORT and THREAD.

Only its mapping is here: mapped texts compare by code points, which is the order of their UTF-8 octets.
"""

import unicodedata


def casemap(text: str) -> str:
    """A text as it is compared: title case, and what can be taken apart is (RFC 5051 §2)."""
    if text.isascii():
        return text.upper()
    mapped = "".join(map(_mapped, text))
    # Old character sets decode to halves of surrogate pairs, which have no octets.
    return mapped.encode("utf-8", "replace").decode()


def _mapped(character: str) -> str:
    title = character.title()
    if len(title) != 1:  # RFC 5051 §2: by the property of the one character, which never makes two of it.
        title = character
    # Decomposition mappings of UnicodeData.txt alone; those of Hangul syllables are not written there.
    return title if "\uac00" <= title <= "\ud7a3" else unicodedata.normalize("NFKD", title)
