"""What is wrong with a configuration, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class ProblemJson(TypedDict):
    """A problem as the admin port gives it."""

    file: str
    document: int
    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """An error or a warning at one place. Documents and lines count from 1; 0 means the file as a whole."""

    file: str
    document: int
    line: int
    field: str
    message: str

    def to_json(self) -> ProblemJson:
        """The problem as plain data."""
        return {
            "file": self.file,
            "document": self.document,
            "line": self.line,
            "field": self.field,
            "message": self.message,
        }

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
        if self.document > 1:
            place += f" (document {self.document})"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class Report:
    """Collects the problems of one document of one file."""

    def __init__(self, file: str, document: int) -> None:
        self.file = file
        self.document = document
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(self, line: int, field: str, message: str) -> None:
        """Record what makes the document unusable; of one field, the first reason is the one that helps."""
        if field and any(error.field == field for error in self.errors):
            return
        self.errors.append(Problem(self.file, self.document, line, field, message))

    def warn(self, line: int, field: str, message: str) -> None:
        """Record what is allowed, and most likely not meant."""
        self.warnings.append(Problem(self.file, self.document, line, field, message))
