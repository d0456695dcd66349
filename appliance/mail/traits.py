"""What a message is known by in lists, from its structure alone: attachments and their kinds, signed, encrypted."""

import enum
from typing import Final

from appliance.mail.flatten import flatten
from appliance.mail.part import Part


class Trait(enum.IntFlag):
    """Bits, as they are kept with a message for ever."""

    #: Something is there for a reader to save.
    ATTACHMENT = 1
    IMAGE = 2
    PDF = 4
    ARCHIVE = 8
    SPREADSHEET = 16
    DOCUMENT = 32
    PRESENTATION = 64
    SIGNED = 128
    ENCRYPTED = 256


#: Media types of kinds of files; images are all of theirs.
_TYPES: Final = {
    "application/pdf": Trait.PDF,
    "application/x-pdf": Trait.PDF,
    **dict.fromkeys(
        (
            *("application/zip", "application/x-zip-compressed", "application/x-tar", "application/gzip"),
            *("application/x-gzip", "application/x-bzip2", "application/x-xz", "application/zstd"),
            *("application/x-7z-compressed", "application/vnd.rar", "application/x-rar-compressed"),
        ),
        Trait.ARCHIVE,
    ),
    **dict.fromkeys(
        (
            *("application/vnd.ms-excel", "application/vnd.oasis.opendocument.spreadsheet", "text/csv"),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        Trait.SPREADSHEET,
    ),
    **dict.fromkeys(
        (
            *("application/msword", "application/vnd.oasis.opendocument.text", "application/rtf", "text/rtf"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        Trait.DOCUMENT,
    ),
    **dict.fromkeys(
        (
            *("application/vnd.ms-powerpoint", "application/vnd.oasis.opendocument.presentation"),
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
        Trait.PRESENTATION,
    ),
}
#: Many programs send files as octets of no type, but with their names.
_SUFFIXES: Final = {
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "svg", "heic", "avif"), Trait.IMAGE),
    "pdf": Trait.PDF,
    **dict.fromkeys(("zip", "tar", "tgz", "gz", "bz2", "xz", "zst", "7z", "rar"), Trait.ARCHIVE),
    **dict.fromkeys(("xls", "xlsx", "xlsm", "ods", "csv"), Trait.SPREADSHEET),
    **dict.fromkeys(("doc", "docx", "odt", "rtf"), Trait.DOCUMENT),
    **dict.fromkeys(("ppt", "pptx", "odp"), Trait.PRESENTATION),
}
_SMIME: Final = frozenset({"pkcs7-mime", "x-pkcs7-mime"})


def traits(root: Part) -> int:
    """The bits of a message."""
    found = _cryptography(root)
    if not root.is_multipart and root.media_type == "text" and not root.is_attachment:
        return found  # Most messages.
    for part in flatten(root).offered:
        found |= Trait.ATTACHMENT | _kind(part)
    return int(found)


def _kind(part: Part) -> int:
    if part.media_type == "image":
        return Trait.IMAGE
    known = _TYPES.get(f"{part.media_type}/{part.subtype}")
    if known is None and (name := part.filename):
        known = _SUFFIXES.get(name.rpartition(".")[2].lower())
    return known or 0


def _cryptography(root: Part) -> int:
    """By the outermost part, or the first one in it: mailing lists put a foot beside what was signed."""
    found = 0
    looked: Part | None = root
    while looked is not None:
        kind = looked.media_type, looked.subtype
        if kind == ("multipart", "signed"):
            found |= Trait.SIGNED
        elif kind == ("multipart", "encrypted"):
            found |= Trait.ENCRYPTED
        elif looked.media_type == "application" and looked.subtype in _SMIME:
            is_signed = (looked.parameter("smime-type") or "").lower() == "signed-data"
            found |= Trait.SIGNED if is_signed else Trait.ENCRYPTED
        looked = looked.parts[0] if looked.is_multipart and looked.subtype in {"mixed", "signed"} else None
    return int(found)
