"""A random source by which a test knows that a call is in its back-off, and an observer of what follows."""

from __future__ import annotations

import asyncio
import random

import proxyless


class Patient(random.Random):
    """Waits as long as a back-off may be, and tells when one begins: when it is asked for up to `longest`."""

    def __init__(self, longest: float) -> None:
        super().__init__()
        self.waits = asyncio.Event()
        self._longest = longest

    def uniform(self, a: float, b: float) -> float:
        if b == self._longest:
            self.waits.set()
        return b


class Retries(proxyless.Observer):
    """Counts the attempts that it was told are followed by another."""

    told = 0

    def call_retried(self, attempt: proxyless.Attempt, code: str) -> None:
        self.told += 1
