"""`python -m bench.clients.footprint SPEC`: the memory of a process that has made a call over a channel.

It is the USS: what would be free if the process ended. What a client needs it imports itself.
"""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import Any

from bench.backend import SIZE
from bench.clients.answers import expect
from bench.clients.channels import open_channel
from bench.clients.program import Spec, main

_PRIVATE = re.compile(r"^Private_(?:Clean|Dirty):\s+(\d+) kB$", re.MULTILINE)


def uss() -> int:
    """Bytes that no other process shares."""
    return 1024 * sum(int(each) for each in _PRIVATE.findall(Path("/proc/self/smaps_rollup").read_text()))


async def measure(spec: Spec) -> int:
    """Bytes."""
    async with open_channel(spec["peer"], spec) as channel:
        method: Any = channel.unary_unary("/bench.Echo/Unary")
        for _ in range(spec["calls"]):
            metadata = [tuple(spec["header"])] if "header" in spec else None
            expect(bytes(await method(b"x" * SIZE, metadata=metadata, timeout=60)), spec["expect"])
        gc.collect()
        return uss()


if __name__ == "__main__":
    main(measure)
