"""Checks the licences of everything the server runs with, and writes their texts: `python build/licenses.py FILE`.

Reads the installed distributions that moxpy's run-time dependencies lead to, so run it with the Python of an
environment they are installed in. Exits 1 when one has a licence that is not on the list, or none that can be found.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
#: SPDX names of what may go into an executable under our own licence, and what others call them.
ALLOWED = {
    "MIT": ("mit", "mit license", "the mit license", "expat"),
    "BSD-2-Clause": ("bsd-2-clause", "simplified bsd"),
    "BSD-3-Clause": ("bsd-3-clause", "bsd", "bsd license", "bsd-like", "new bsd"),
    "0BSD": ("0bsd",),
    "Apache-2.0": ("apache-2.0", "apache 2.0", "apache software license", "apache license 2.0"),
    "PSF-2.0": ("psf-2.0", "python software foundation license", "psfl", "python"),
    "MPL-2.0": ("mpl-2.0", "mozilla public license 2.0 (mpl 2.0)"),
    "OLDAP-2.8": ("oldap-2.8", "openldap public license", "openldap bsd"),
    "ISC": ("isc", "isc license (iscl)"),
    "Zlib": ("zlib", "zlib-like", "bsd-like (zlib)"),
    "MIT-0": ("mit-0",),
}
NAMES = {alias: name for name, aliases in ALLOWED.items() for alias in aliases}
TEXT_NAME = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)[^/]*\Z")


def needed() -> Iterator[metadata.Distribution]:
    """The run-time dependencies, direct and not, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, seen = [Requirement(line) for line in project["dependencies"]], {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        environments = [{**default_environment(), "extra": extra} for extra in (requirement.extras or {""})]
        if name in seen or (requirement.marker and not any(map(requirement.marker.evaluate, environments))):
            continue
        seen[name] = distribution = metadata.distribution(name)
        for line in distribution.requires or ():
            inner = Requirement(line)
            if inner.marker is None or any(map(inner.marker.evaluate, environments)):
                inner.marker = None
                waiting.append(inner)
    for name in sorted(seen):
        yield seen[name]


def stated(distribution: metadata.Distribution) -> list[str]:
    """Every licence a distribution gives itself, the most exact field that holds any."""
    fields = distribution.metadata
    if expression := fields.get("License-Expression"):
        return [expression]
    classifiers = [line.split(" :: ")[-1] for line in fields.get_all("Classifier", []) if line.startswith("License ::")]
    classifiers = [line for line in classifiers if line != "OSI Approved"]
    if classifiers:
        return classifiers
    return [(fields.get("License") or "").strip().splitlines()[0]] if fields.get("License") else []


def allowed(expression: str) -> bool:
    """Whether an SPDX expression, or a name people use, can be met by the list: one side of OR, every side of AND."""
    if expression.lower().strip("() ") in NAMES:
        return True
    if " OR " in expression:
        return any(map(allowed, expression.split(" OR ")))
    return " AND " in expression and all(map(allowed, expression.split(" AND ")))


def texts(distribution: metadata.Distribution) -> Iterator[str]:
    """The licence files that came with it."""
    for file in distribution.files or ():
        if ".dist-info" in str(file) and TEXT_NAME.search(file.name):
            yield file.read_text().strip()


def main(target: Path) -> int:
    """Writes the texts; returns the exit code."""
    refused = []
    parts = ["moxpy\n\n" + (ROOT / "LICENSE").read_text().strip()]
    for distribution in needed():
        label = f"{distribution.metadata['Name']} {distribution.version}"
        licences = stated(distribution)
        if not licences or not any(map(allowed, licences)):
            refused.append(f"{label}: {licences or 'no licence found'}")
        found = list(texts(distribution))
        parts.append("\n\n".join([f"{label}\nLicence: {' / '.join(licences)}", *found]))
    pages = ROOT / "appliance/servers/web/assets/static/licenses.txt"
    if pages.is_file():
        parts.append("What the web pages are built with\n\n" + pages.read_text().strip())
    target.write_text(f"\n\n{'=' * 100}\n".join(parts) + "\n")
    for line in refused:
        print(f"not on the list of licences: {line}", file=sys.stderr)
    print(f"{len(parts) - 1} parts, {len(refused)} refused; {target}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
