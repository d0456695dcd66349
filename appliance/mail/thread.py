"""What a message says about its conversation: base subject, ids, references (RFC 5256 §2.1)."""

import re
from collections.abc import Sequence
from typing import Final

from appliance.mail import words

_SPACE: Final = re.compile(r"\s+")
#: `[tag]` at the start; a `re:`, `fw:`, `fwd:`, also with a number in brackets.
_BLOB: Final = re.compile(r"\[[^\[\]]*\]\s*")
_REPLY: Final = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*")
_TRAILER: Final = "(fwd)"
_WRAPPED: Final = "[fwd:"
#: Characters of a subject that are looked at.
SUBJECT_CHARACTERS: Final = 2000
#: Ids of one message that are looked at, from the last.
REFERENCES: Final = 100
ID_CHARACTERS: Final = 1000
_ID: Final = re.compile(rb"<([^<>]*)>")


def subject_base(value: bytes) -> tuple[str, bool]:
    """The base subject in lower case, and whether a mark of a reply or forward was taken off."""
    subject = _SPACE.sub(" ", words.decode(value)[:SUBJECT_CHARACTERS]).strip().lower()
    response = False
    while True:
        before = subject
        while subject.endswith(_TRAILER):
            subject, response = subject[: -len(_TRAILER)].rstrip(), True
        at = 0
        while True:
            if match := _REPLY.match(subject, at):
                at, response = match.end(), True
                continue
            match = _BLOB.match(subject, at)
            # A blob is only a prefix when something stands behind it (RFC 5256 §2.1, step 4).
            if match and match.end() < len(subject):
                after_blob = _REPLY.match(subject, match.end())
                at = match.end()
                if after_blob:
                    continue
                continue
            break
        subject = subject[at:]
        if subject.startswith(_WRAPPED) and subject.endswith("]"):
            subject, response = subject[len(_WRAPPED) : -1].strip(), True
        if subject == before:
            return subject, response


def message_id(value: bytes) -> str:
    """The canonical form of a Message-ID, empty when there is none."""
    value = value.strip()
    if not value:
        return ""
    match = _ID.search(value)
    text = (match[1] if match else value.strip(b"<>")).strip()
    return _canonical(text)


def references(values: Sequence[bytes]) -> list[str]:
    """Ids of References or In-Reply-To, oldest first, each once; what is no id is passed over."""
    found: dict[str, None] = {}
    for value in values:
        for match in _ID.finditer(value):
            if canonical := _canonical(match[1].strip()):
                found.pop(canonical, None)
                found[canonical] = None
    return list(found)[-REFERENCES:]


def _canonical(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace").lower()[:ID_CHARACTERS]
    if text.startswith('"') and '"@' in text:
        localpart, _, domain = text[1:].rpartition('"@')
        if "\\" not in localpart and " " not in localpart:
            text = f"{localpart}@{domain}"
    return _SPACE.sub("", text)
