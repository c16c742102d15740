"""What clients may ask, as an OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Collection
from importlib.resources import files
from typing import Any

PATH = "/openapi.json"
_FILE = files("productpage") / "web" / "openapi.json"


def document(paths: Collection[str]) -> dict[str, Any]:
    """The document of an application that serves these paths: without the menu there is no `/lane`."""
    whole: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    whole["paths"] = {path: item for path, item in whole["paths"].items() if path in paths}
    return whole
