"""On which line a key of a TOML file stands, since the standard parser does not tell.

The text has been parsed by tomllib before, so this scanner may trust its grammar and only look for keys.
"""

import re

from appliance.config.errors import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line (1 is the first) of every key and array item of a valid TOML text."""
    return _Scanner(text.replace("\r\n", "\n")).scan()


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of a path, or of the nearest table above it that stands in the file."""
    for length in range(len(path), 0, -1):
        if (line := lines.get(path[:length])) is not None:
            return line
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[KeyPath, int] = {}
        self.array_lengths: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def skip(self, pattern: re.Pattern[str]) -> int:
        if match := pattern.match(self.text, self.at):
            self.line += match.group().count("\n")
            self.at = match.end()
        return self.at

    def header(self) -> KeyPath:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        self.skip(_SPACE)
        path: KeyPath = ()
        names = self.key()
        for name in names[:-1]:
            path = self.latest((*path, name))
        path = (*path, names[-1])
        if is_array:
            index = self.array_lengths.get(path, 0)
            self.array_lengths[path] = index + 1
            self.note(path)
            path = (*path, index)
        self.note(path)
        self.at += 2 if is_array else 1
        return path

    def latest(self, path: KeyPath) -> KeyPath:
        """A path through an array of tables goes on in its last table."""
        length = self.array_lengths.get(path)
        self.note(path)
        return path if length is None else (*path, length - 1)

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.line)

    def pair(self, table: KeyPath) -> None:
        path = table
        for name in self.key():
            path = (*path, name)
            self.note(path)
        self.at += 1  # the equals sign
        self.value(path)

    def key(self) -> list[str]:
        """A dotted key; stands behind it and the space after it when done."""
        names = []
        while True:
            if match := _STRING.match(self.text, self.at):
                name = match.group()[1:-1]
                names.append(_ESCAPE.sub(_unescape, name) if match.group()[0] == '"' else name)
            else:
                match = _BARE.match(self.text, self.at)
                assert match, "the text is valid TOML"
                names.append(match.group())
            self.at = match.end()
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1
            self.skip(_SPACE)

    def value(self, path: KeyPath) -> None:
        self.skip(_BLANK)
        self.note(path)
        first = self.text[self.at]
        if first == "[":
            self.at += 1
            index = 0
            while self.text[self.skip(_BLANK)] != "]":
                self.value((*path, index))
                index += 1
                self.separator()
            self.at += 1
        elif first == "{":
            self.at += 1
            while self.text[self.skip(_BLANK)] != "}":
                self.pair(path)
                self.separator()
            self.at += 1
        elif first in "\"'":
            self.skip(_STRING)
        else:
            self.skip(_PLAIN_VALUE)

    def separator(self) -> None:
        if self.text[self.skip(_BLANK)] == ",":
            self.at += 1


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])
