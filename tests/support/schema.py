"""Checks XML by a schema: as much of XML Schema as that of DMARC reports needs, and nothing else."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

XS = "{http://www.w3.org/2001/XMLSchema}"
BUILT_IN = {"xs:string": r"[\s\S]*", "xs:integer": r"[+-]?[0-9]+", "xs:decimal": r"[+-]?[0-9]*\.?[0-9]+"}


class Schema:
    def __init__(self, path: Path) -> None:
        root = ET.parse(path).getroot()
        self.types = {one.get("name"): one for one in root if one.tag in {XS + "complexType", XS + "simpleType"}}
        self.elements = [one for one in root if one.tag == XS + "element"]

    def errors(self, octets: bytes) -> list[str]:
        """What is wrong with a document, in words."""
        root = ET.fromstring(octets)
        for declared in self.elements:
            if declared.get("name") == root.tag:
                return self._element(declared, root, root.tag)
        return [f"unknown element {root.tag}"]

    def _element(self, declared, found, path: str) -> list[str]:
        wrong = [f"{path} has attributes"] if found.attrib else []
        name = declared.get("type")
        kind = next((one for one in declared if one.tag.endswith("Type")), None) if name is None else None
        if name in BUILT_IN:
            return wrong + self._text(found, BUILT_IN[name], path)
        kind = self.types[name] if kind is None else kind
        if kind.tag == XS + "simpleType":
            restriction = kind.find(XS + "restriction")
            patterns = [re.escape(one.get("value")) for one in restriction.findall(XS + "enumeration")]
            patterns += [one.get("value") for one in restriction.findall(XS + "pattern")]
            return wrong + self._text(found, "|".join(patterns), path)
        if (found.text or "").strip() or any((one.tail or "").strip() for one in found):
            wrong.append(f"{path} has text")
        (model,) = (one for one in kind if one.tag in {XS + "all", XS + "sequence"})
        return wrong + self._children(model, found, path)

    def _text(self, found, pattern: str, path: str) -> list[str]:
        if len(found):
            return [f"{path} has elements"]
        text = found.text or ""
        return [] if re.fullmatch(pattern, text) else [f"{path} must not be {text!r}"]

    def _children(self, model, found, path: str) -> list[str]:
        wrong: list[str] = []
        names = [one.get("name") for one in model]
        tags = [one.tag for one in found]
        wrong += [f"{path} must not have {tag}" for tag in tags if tag not in names]
        if model.tag == XS + "sequence" and [names.index(tag) for tag in tags if tag in names] != sorted(
            names.index(tag) for tag in tags if tag in names
        ):
            wrong.append(f"{path} has its elements in another order")
        for declared in model:
            name = declared.get("name")
            count, most = tags.count(name), declared.get("maxOccurs", "1")
            if count < int(declared.get("minOccurs", "1")) or (most != "unbounded" and count > int(most)):
                wrong.append(f"{path} has {count} of {name}")
            for one in found.findall(name):
                wrong += self._element(declared, one, f"{path}/{name}")
        return wrong
