"""Text in header fields, and character sets.

Encoded words by RFC 2047, UTF-8 by RFC 6532. Decoding is linear, never raises, and answers what it cannot read
with U+FFFD; whoever passes a value bounds its size.
"""

import binascii
import re
from collections.abc import Iterator
from encodings.aliases import aliases as _PYTHON_ALIASES

# Codecs that are character sets; Python's registry also has zip, rot13, idna and worse. Names are looked up in
# our own table alone: the registry remembers every name it was ever asked for, and peers choose the names.
_CODECS = frozenset(
    """
    ascii utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le latin_1 koi8_r koi8_u koi8_t
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11
    iso8859_13 iso8859_14 iso8859_15 iso8859_16 kz1048 ptcp154 tis_620 hp_roman8
    mac_roman mac_cyrillic mac_greek mac_turkish mac_latin2
    big5 big5hkscs gb2312 gbk gb18030 hz cp932 cp949 cp950 shift_jis shift_jis_2004 shift_jisx0213
    euc_jp euc_jis_2004 euc_jisx0213 euc_kr johab
    iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr
    cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869
    cp874 cp1006 cp1125 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    """.split()
)
# Senders name a set and use its larger sibling, Windows above all; the WHATWG Encoding Standard maps alike.
# What is said to be ASCII is read as UTF-8.
_WIDER = {
    "ascii": "utf_8",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
}
_OUR_ALIASES = {
    "utf": "utf_8",
    "utf8mb4": "utf_8",
    "unicode_1_1_utf_8": "utf_8",
    "unicode": "utf_16",
    "ansi": "cp1252",
    "default": "utf_8",
    "x_user_defined": "utf_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "cswindows31j": "cp932",
    "x_gbk": "gb18030",
    "gb_2312_80": "gb18030",
    "x_euc_jp": "euc_jp",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "windows_949": "cp949",
    "ks_c_5601": "cp949",
    "windows_936": "gb18030",
    "windows_874": "cp874",
    "dos_874": "cp874",
    "x_big5": "big5hkscs",
    "koi8": "koi8_r",
    "koi": "koi8_r",
    "koi8_ru": "koi8_u",
    "iso_2022_jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
}


def _charsets() -> dict[str, str]:
    """Every known spelling, with all but letters and digits as single underscores, to a codec."""
    known = {name: name for name in _CODECS}
    known |= {alias: codec for alias, codec in _PYTHON_ALIASES.items() if codec in _CODECS}
    known |= {f"windows_{name[2:]}": name for name in _CODECS if name.startswith("cp12")}
    known |= {name.replace("iso8859_", "iso_8859_"): name for name in _CODECS if name.startswith("iso8859_")}
    known |= {name.replace("_", ""): codec for name, codec in known.items()}
    known |= _OUR_ALIASES
    return {alias: _WIDER.get(codec, codec) for alias, codec in known.items()}


_CHARSETS = _charsets()
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]++")
_MAX_CHARSET_CHARACTERS = 40

# Lenient: spaces within the text of a word, and words that touch other text. A language tag is skipped
# (RFC 2231 §5).
_WORD = re.compile(rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([^?\r\n]*+)\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")
_LINE_END = re.compile(rb"\r?\n")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]++")

#: RFC 2047 §2.
MAX_WORD_OCTETS = 75
#: Of its encoded text.
WORD_TEXT_OCTETS = MAX_WORD_OCTETS - len("=?utf-8?q??=")
#: Encoded text that even the first word of a field with a long name gets: one character in any encoding.
MIN_FIRST_OCTETS = 12
#: A run without spaces beyond this is cut into words, as no line may exceed 998 octets (RFC 5322 §2.1.1).
MAX_RUN_OCTETS = 900
# RFC 2047 §5 (3): what needs no encoding even within a phrase.
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = tuple("_" if octet == 0x20 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256))


def codec_of(charset: str) -> str | None:
    """The Python codec for a MIME charset name, liberally spelled; None when we know no such set."""
    if len(charset) > _MAX_CHARSET_CHARACTERS:
        return None
    name = _NOT_ALPHANUMERIC.sub("_", charset.lower()).strip("_")
    return _CHARSETS.get(name) or _CHARSETS.get(name.replace("_", ""))


def charset_decode(octets: bytes, charset: str) -> str:
    """Text in a character set; an unknown set is read as UTF-8. What cannot be read becomes U+FFFD."""
    codec = codec_of(charset) or "utf-8"
    text = octets.decode(codec, "replace")
    # UTF-7 lets lone surrogates through, which no other encoding can write again.
    return text.encode("utf-8", "replace").decode() if codec == "utf_7" else text


def decode(value: bytes) -> str:
    """A field's text: unfolded, encoded words decoded, other octets above ASCII taken as UTF-8.

    Space between adjacent words vanishes (RFC 2047 §6.2), and a character cut in two between words of the same
    character set is whole again. Never raises.
    """
    if b"\n" in value:
        value = _LINE_END.sub(b"", value)
    if b"=?" not in value:
        return value.decode("utf-8", "replace")
    text: list[str] = []
    pending: list[bytes] = []
    charset = b""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        position = match.end()
        is_adjacent = bool(pending) and not between.strip(b" \t")
        if pending and not (is_adjacent and match[1].lower() == charset):
            text.append(charset_decode(b"".join(pending), charset.decode("ascii", "replace")))
            pending = []
        if not is_adjacent:
            text.append(between.decode("utf-8", "replace"))
        charset = match[1].lower()
        pending.append(_decode_word(match[2], match[3]))
    if pending:
        text.append(charset_decode(b"".join(pending), charset.decode("ascii", "replace")))
    text.append(value[position:].decode("utf-8", "replace"))
    return "".join(text)


def _decode_word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return _HEX.sub(lambda match: bytes((int(match[1], 16),)), text.replace(b"_", b" "))
    # Lenient: padding in the middle, from senders that join encoded pieces.
    return b"".join(_decode_base64(piece) for piece in text.split(b"="))


def _decode_base64(text: bytes) -> bytes:
    digits = _NOT_BASE64.sub(b"", text)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits make no octet
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def encode(text: str, *, utf8: bool = False, used_octets: int = 0) -> bytes:
    """Text for an unstructured field or a phrase: ASCII as it is and unquoted, else encoded words in UTF-8.

    Words are at most 75 octets with single spaces between, for the header to be folded at. With `utf8`
    (RFC 6532) only what could be misread is encoded. The first word is shorter by `used_octets`, those before
    it on its line. Control characters, line ends among them, become spaces.
    """
    text = _CONTROL.sub(" ", text)
    octets = text.encode("utf-8", "replace")
    is_plain = (utf8 or text.isascii()) and "=?" not in text and text == text.strip()
    if is_plain and all(len(run) <= MAX_RUN_OCTETS for run in octets.split(b" ")):
        return octets
    quoted_octets = sum(len(_Q[octet]) for octet in octets)
    if quoted_octets <= (len(octets) + 2) // 3 * 4:
        words = [
            f"=?utf-8?q?{''.join(map(_Q.__getitem__, run))}?=".encode() for run in _cut(text, used_octets, quoted=True)
        ]
    else:
        words = [
            b"=?utf-8?b?" + binascii.b2a_base64(run, newline=False) + b"?="
            for run in _cut(text, used_octets, quoted=False)
        ]
    return b" ".join(words)


def _cut(text: str, used: int, *, quoted: bool) -> Iterator[bytes]:
    """Runs of UTF-8 that fit a word each; a character is never cut in two (RFC 2047 §5)."""
    run = bytearray()
    room = WORD_TEXT_OCTETS if quoted else WORD_TEXT_OCTETS // 4 * 3
    first = max(WORD_TEXT_OCTETS - used, MIN_FIRST_OCTETS)
    left = first if quoted else first // 4 * 3
    for character in text:
        octets = character.encode("utf-8", "replace")
        need = sum(len(_Q[octet]) for octet in octets) if quoted else len(octets)
        if need > left:
            yield bytes(run)
            run.clear()
            left = room
        run += octets
        left -= need
    yield bytes(run)
