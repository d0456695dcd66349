"""Checks for people: what was looked at, what came of it, and what to do about it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Grade(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Stage:
    """One check: what was looked at, what came of it, and what to do."""

    title: str
    grade: Grade = Grade.OK
    texts: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """What was found."""
        self.texts.append(text)

    def warn(self, text: str, remedy: str = "") -> None:
        """It works, and not well."""
        self._note(Grade.WARNING, text, remedy)

    def fail(self, text: str, remedy: str = "") -> None:
        """It does not work."""
        self._note(Grade.ERROR, text, remedy)

    def _note(self, grade: Grade, text: str, remedy: str) -> None:
        if self.grade is not Grade.ERROR:
            self.grade = grade
        self.texts.append(text)
        if remedy and remedy not in self.remedies:
            self.remedies.append(remedy)


def skipped(title: str) -> Stage:
    """A check that was not made."""
    return Stage(title, Grade.SKIPPED)
