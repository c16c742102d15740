"""What `import proxyless` brings in: a process that starts pays for it before its first call."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from functools import cache
from typing import Any

import proxyless
import pytest

_FRESH = """
import dataclasses, json, sys
import proxyless
made = [
    f"{kind.__module__}.{kind.__qualname__}"
    for module in list(sys.modules.values()) if module.__name__.split(".")[0] == "proxyless"
    for kind in list(vars(module).values())
    if isinstance(kind, type) and kind.__module__ == module.__name__ and "__dataclass_fields__" in vars(kind)
]
print(json.dumps({"modules": sorted(sys.modules), "dataclasses": made}))
"""

NOT_FOR_A_FIRST_CALL = {
    "aiohttp",
    "click",
    "envoy.admin",
    "envoy.service.status",
    "proxyless.changes",
    "proxyless.csds",
    "proxyless.decision",
    "proxyless.doctor",
    "proxyless.drafts",
    "proxyless.explain",
    "proxyless.http",
    "proxyless.look",
    "proxyless.status",
    "proxyless.wanted",
    "rich",
    "yaml",
}

DATACLASSES = {
    # what users are given, and may take apart as such
    "proxyless.bootstrap.Bootstrap",
    "proxyless.bootstrap.Locality",
    "proxyless.identity.TlsFiles",
    "proxyless.observer.Attempt",
    # a struct cannot be abstract
    "proxyless.pools.Link",
    "proxyless.subchannels.Subchannel",
}
"""Each takes about half a millisecond of the import, in which its methods are compiled; a msgspec.Struct
has them from the beginning."""


@cache
def fresh() -> dict[str, Any]:
    """What is there in a process that has imported the library and nothing else."""
    done = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("module", sorted(NOT_FOR_A_FIRST_CALL))
def test_what_a_first_call_does_not_need_is_not_imported(module: str) -> None:
    inside = f"{module}."
    assert [name for name in fresh()["modules"] if name == module or name.startswith(inside)] == []


def test_values_are_structs() -> None:
    assert set(fresh()["dataclasses"]) == DATACLASSES


def test_every_public_name_is_there() -> None:
    assert {name for name in proxyless.__all__ if not hasattr(proxyless, name)} == set()
    assert set(proxyless.__all__) <= set(dir(proxyless))
    from proxyless import Decision  # noqa: PLC0415 - as a user of it does

    assert Decision is proxyless.Decision
    assert pickle.loads(pickle.dumps(Decision("t", "m", "l"))) == Decision("t", "m", "l")


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'proxyless' has no attribute 'Decisions'"):
        proxyless.Decisions  # noqa: B018 - it is to raise
