"""Media types of files: by the end of the name, else by the look of what is in them."""

import mimetypes
import re
from typing import Final

#: The library's own table, and not the one of this machine: a site shall look the same everywhere.
_TABLE: Final = mimetypes.MimeTypes(filenames=()).types_map[True] | {
    ".avif": "image/avif",
    ".gz": "application/gzip",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "text/xml",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
#: What is looked at.
HEAD_OCTETS: Final = 512
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_SIGNS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
_COMPRESSIBLE: Final = re.compile(
    r"text/(?!event-stream).*|.*\+(json|xml)|(application|font|image)/"
    r"(json|xml|javascript|x-javascript|csv|x-icon|vnd\.microsoft\.icon|ttf|otf|vnd\.ms-fontobject|x-font-ttf|x-font-otf|yaml"
    r"|toml|wasm)"
)


def of_name(name: str) -> str | None:
    """The type by the end of a name; None where it says nothing."""
    found = _TABLE.get("." + name.rpartition(".")[2].lower()) if "." in name else None
    return _with_charset(found) if found else None


def of_content(head: bytes) -> str:
    """The type by the first octets. Strict: what looks like a page for browsers is text, unless its name says more."""
    for sign, found in _SIGNS:
        if head.startswith(sign):
            return found
    if _CONTROLS.search(head):
        return "application/octet-stream"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # Not only a character that was cut.
            return "application/octet-stream"
    return "text/plain; charset=utf-8"


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def is_compressible(media_type: str) -> bool:
    """Whether compressing pays; images and archives are compressed already, and streams of events must not wait."""
    return _COMPRESSIBLE.fullmatch(media_type.partition(";")[0].strip().lower()) is not None
