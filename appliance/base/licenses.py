"""Licence texts: those that were put into the executable, or else those of what is installed here."""

import re
from importlib import metadata, resources
from typing import Final

_RULE: Final = "\n\n" + "=" * 100 + "\n"
_TEXT_NAME: Final = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)[^/]*\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def all_texts() -> str:
    """Of the program and of all it runs with. Raises LookupError when it is not installed, so that nobody knows."""
    built = resources.files("appliance.base").joinpath("LICENSES.txt")
    if built.is_file():
        return built.read_text()
    try:
        ours = metadata.distribution("moxpy")
    except metadata.PackageNotFoundError as error:
        raise LookupError("moxpy is not installed here, only its source; the licence is in the file LICENSE") from error
    waiting, seen = [ours], {"moxpy"}
    parts = []
    while waiting:
        one = waiting.pop(0)
        files = [file for file in one.files or () if ".dist-info" in str(file) and _TEXT_NAME.search(file.name)]
        parts.append("\n\n".join([f"{one.metadata['Name']} {one.version}", *(file.read_text() for file in files)]))
        for line in one.requires or ():
            name = _NAME.match(line)
            if name is None or "extra ==" in line or name[0].lower() in seen:
                continue
            seen.add(name[0].lower())
            try:
                waiting.append(metadata.distribution(name[0]))
            except metadata.PackageNotFoundError:
                continue  # It is for other systems than this one.
    return _RULE.join(parts) + "\n"
