"""What is known of one watched resource, and the steps it can take (gRFCs A40, A57, A88)."""

from __future__ import annotations

import enum
from collections.abc import Container

from msgspec import Struct
from msgspec.structs import replace

from .resources import Resource


class State(enum.Enum):
    """What is known of one watched resource; the values are those of Envoy's ClientResourceStatus."""

    REQUESTED = "REQUESTED"
    ACKED = "ACKED"
    NACKED = "NACKED"
    ABSENT = "DOES_NOT_EXIST"
    DENIED = "RECEIVED_ERROR"
    OVERDUE = "TIMEOUT"


class Event(enum.Enum):
    """What can happen to one watched resource."""

    VALID = "a valid version arrived"
    INVALID = "a version arrived that breaks a rule"
    OMITTED = "a full response proved that it does not exist"
    DENIED = "the control plane says that it is not there, or not for this client"
    TROUBLED = "the control plane says that it has trouble of its own with it"
    EXPIRED = "nobody answered in time, so it does not exist"
    OVERDUE = "nobody answered in time, and this control plane would have said so if it did not exist"


_AT_ANY_TIME = {
    Event.VALID: State.ACKED,
    Event.INVALID: State.NACKED,
    Event.OMITTED: State.ABSENT,
    Event.DENIED: State.DENIED,
    Event.TROUBLED: State.DENIED,
}

TRANSITIONS: dict[tuple[State, Event], State] = {
    **{(state, event): after for state in State for event, after in _AT_ANY_TIME.items()},
    (State.REQUESTED, Event.EXPIRED): State.ABSENT,
    (State.REQUESTED, Event.OVERDUE): State.OVERDUE,
}
"""Every step a resource can take. A pair that is not here cannot happen: only REQUESTED ones have a timer."""


class DataErrors(Struct, frozen=True):
    """What an error in the data does to a version that is in force: by default all but a deletion spare it.

    A88 would have a deletion spare it, too; gRPC 1.85 does not unless told to, nor does this library.
    """

    drops_on_error: bool = False
    """`fail_on_data_errors` (gRFC A88): better fail at once than go on with what cannot be renewed."""
    spares_deleted: bool = False
    """`ignore_resource_deletion` (gRFC A53); the other feature overrules it."""
    slow_is_trouble: bool = False
    """`resource_timer_is_transient_error` (gRFC A88): no answer means that the control plane is slow."""

    @classmethod
    def of(cls, features: Container[str]) -> DataErrors:
        """Read the `server_features` of a bootstrap."""
        return cls(
            "fail_on_data_errors" in features,
            "ignore_resource_deletion" in features,
            "resource_timer_is_transient_error" in features,
        )

    def drops(self, event: Event) -> bool:
        """Whether the version in force goes with this event."""
        if event is Event.OMITTED:
            return self.drops_on_error or not self.spares_deleted
        return self.drops_on_error and event in (Event.INVALID, Event.DENIED)


SPARING = DataErrors()


class Held(Struct, frozen=True):
    """A watched resource: its state, the version in force if there is one, and the last error.

    The error is of the state. While a version is in force it is what A88 calls an ambient one.
    """

    state: State = State.REQUESTED
    resource: Resource | None = None
    data: bytes = b""
    version: str = ""
    error: str = ""
    notes: tuple[str, ...] = ()
    updated_at: float | None = None
    """When the version in force came, on the clock of whoever passes `now`."""
    failed_at: float | None = None
    """When the error came."""
    failed_version: str = ""
    """The version that was refused, or that had it no more."""

    @property
    def cache_state(self) -> str:
        """The state in the words of gRFCs A78 and A88: `acked`, `nacked_but_cached` …"""
        word = self.state.value.lower()
        return word if self.resource is None or self.state is State.ACKED else f"{word}_but_cached"

    def after(self, event: Event, policy: DataErrors, now: float, error: str, version: str) -> Held:
        """What is known after something went wrong with it."""
        state = TRANSITIONS[self.state, event]
        kept = Held(updated_at=self.updated_at) if policy.drops(event) else self
        return replace(kept, state=state, error=error, failed_at=now, failed_version=version)
