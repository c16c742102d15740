"""The state-of-the-world ADS protocol as a sans-I/O state machine (gRFCs A27, A46, A57, A88).

Facts go in (`watch`, `connected`, `received`, `disconnected`, `tick`), requests and changes come out
(`take_requests`, `take_changes`). There is no socket, no task and no clock: `now` is passed in, seconds on
any monotonic scale. `deadline` says when `tick` is due.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from .errors import ResourceError
from .held import SPARING, TRANSITIONS, DataErrors, Event, Held, State
from .messages import Reading, Receipt, Request, Response
from .parse import Parsed, parsing
from .resources import KIND_OF_TYPE_URL, Kind
from .steps import Steps, finish

ABSENT_AFTER = 15.0
"""Seconds without an answer after which a resource counts as absent (gRFC A57)."""

OVERDUE_AFTER = 30.0
"""The same where the control plane is known to say what does not exist (gRFC A88)."""

RECHECK_AFTER = 1.0
"""Seconds a name that a response left out is given when that response may not have known of it."""

NOT_THERE = "the control plane has no such resource"
_LONGEST_REASON = 500


class _Channel(Struct):
    """One resource type: what is watched, and where it stands on this stream."""

    held: dict[str, Held] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)
    """Held names nobody watches any more; forgotten once a request without them is sent, because until
    then the server takes them for known and would not send them anew."""
    timers: dict[str, float] = field(default_factory=dict)
    omitted: set[str] = field(default_factory=set)
    """Names with a timer that a response has left out."""
    accepted: str = ""
    """The last version accepted; it survives a reconnect, the nonce does not."""
    nonce: str = ""
    sent: tuple[str, ...] = ()
    requests: int = 0
    responses: int = 0
    replies: list[Request] = field(default_factory=list)
    """The answers to send, in the order of the responses; their names are filled in then."""
    _wanted: tuple[str, ...] | None = ()
    repeat: bool = False
    """The last answer is a NACK, in which Istiod ignores names, and some of them may be news to it."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names somebody watches, in a stable order."""
        if self._wanted is None:
            self._wanted = tuple(sorted(self.held.keys() - self.unwanted))
        return self._wanted

    @property
    def asks(self) -> bool:
        """Whether names are wanted that have not been sent."""
        return self.wanted != self.sent and not set(self.sent).issuperset(self.wanted)

    def watch(self, name: str) -> None:
        """Somebody watches it."""
        self.held.setdefault(name, Held())
        self.unwanted.discard(name)
        self._wanted = None

    def unwatch(self, name: str) -> None:
        """Nobody watches it any more."""
        if name in self.held:
            self.unwanted.add(name)
            self._wanted = None
            self.forget_unwanted()

    def by_bytes(self) -> Steps[dict[bytes, Parsed]]:
        """What is in force by its bytes: many servers send whole lists on every push."""
        known: dict[bytes, Parsed] = {}
        for name, held in list(self.held.items()):
            yield
            # One whose name a wrapper gave is not known by its bytes alone.
            if held.resource is not None and held.resource.name == name:
                known[held.data] = Parsed(name, held.resource, held.data, held.notes)
        return known

    def forget_unwanted(self) -> None:
        """Drop what nobody watches and the server does not take for known."""
        for name in self.unwanted.difference(self.sent):
            self.unwanted.discard(name)
            self.held.pop(name, None)
            self.timers.pop(name, None)
            self.omitted.discard(name)


class AdsMachine:
    """One client's side of one ADS conversation, across reconnects."""

    def __init__(self, policy: DataErrors = SPARING) -> None:
        self._policy = policy
        self._patience = OVERDUE_AFTER if policy.slow_is_trouble else ABSENT_AFTER
        self._channels = {kind: _Channel() for kind in Kind}
        self._connected = False
        self._node_sent = False
        self._answered = False
        self._changes: dict[tuple[Kind, str], None] = {}
        self.stream_error = ""
        """Why the last stream failed before any response; empty once one has answered."""

    # --- facts in -----------------------------------------------------------------------------------------

    def watch(self, kind: Kind, name: str) -> None:
        """Ask for a resource; a second call for the same one has no effect."""
        self._channels[kind].watch(name)

    def unwatch(self, kind: Kind, name: str) -> None:
        """Forget a resource."""
        self._channels[kind].unwatch(name)

    def connected(self) -> None:
        """A new stream is open: nonces start anew, versions stay."""
        self._connected, self._node_sent, self._answered = True, False, False
        for channel in self._channels.values():
            channel.requests = channel.responses = 0

    def disconnected(self, error: str) -> None:
        """The stream ended; one that had answered before is no error."""
        self._connected = False
        for channel in self._channels.values():
            channel.nonce, channel.sent, channel.repeat = "", (), False
            channel.replies.clear()
            channel.timers.clear()
            channel.omitted.clear()
            channel.forget_unwanted()
        if not self._answered:
            self.stream_error = error
            self._touch_unanswered()
        self._answered = False

    def received(self, response: Response, now: float) -> Receipt | None:
        """Read a response and apply it at once."""
        return self.accept(finish(self.reading(response)), now)

    def reading(self, response: Response) -> Steps[Reading]:
        """Parse and validate a response in steps, which leaves what is known as it is until `accept`."""
        kind = KIND_OF_TYPE_URL.get(response.type_url)
        if kind is None or not self._channels[kind].requests:
            # Nobody asked for this type on this stream: there is no subscription to answer for.
            return Reading(response)
        channel = self._channels[kind]
        same: dict[bytes, Parsed] = {}
        if len(response.resources) > 1:
            same = yield from channel.by_bytes()
        items: list[Parsed | ResourceError] = []
        for type_url, data in response.resources:
            yield
            item: Parsed | ResourceError | None = same.get(data) if type_url == response.type_url else None
            if item is None:
                try:
                    item = yield from self._parsing(kind, type_url, data, channel.held.get)
                except ResourceError as error:
                    item = error
            items.append(item)
        return Reading(response, kind, tuple(items))

    def accept(self, reading: Reading, now: float) -> Receipt | None:
        """Apply a response as a whole: the good resources, and the bad ones as a NACK (gRFC A46).

        Returns None for one that answers no request.
        """
        if not self._answered:
            self._answered = True
            if self.stream_error:
                self.stream_error = ""
                self._touch_unanswered()
        kind, response = reading.kind, reading.response
        if kind is None:
            return None
        channel = self._channels[kind]
        present: set[str] = set()
        errors: list[ResourceError] = []
        invalid = 0
        for item in reading.items:
            if isinstance(item, Parsed):
                present.add(item.name)
                self._valid(kind, item, response.version, now)
                continue
            invalid += 1
            if item.resource is None or item.resource in channel.held:
                errors.append(item)
            if item.resource is not None:
                present.add(item.resource)
                self._went_wrong(kind, item.resource, Event.INVALID, now, str(item), response.version)
        for denial in response.denials:
            present.add(denial.name)
            self._went_wrong(kind, denial.name, denial.event, now, denial.message, response.version)
        unnamed = [error for error in errors if error.resource is None]
        if unnamed:
            # Nobody can tell whose bytes these were: whoever still waits for an answer may have got it.
            for name in self._unanswered(channel, present):
                self._went_wrong(kind, name, Event.INVALID, now, str(unnamed[0]), response.version)
        elif kind.full_state:
            self._account_for_absent(kind, channel, present, now, response.version)
        channel.responses += 1
        channel.nonce = response.nonce
        if not errors:
            channel.accepted = response.version
        refusal = _summarise(errors, len(response.resources))
        channel.replies.append(Request(kind, (), channel.accepted, response.nonce, refusal))
        channel.repeat = bool(refusal and channel.requests > 1 and self._unanswered(channel, present))
        return Receipt(kind, len(response.resources) - invalid, invalid)

    def tick(self, now: float) -> None:
        """Let the timers that are due run out."""
        for kind, channel in self._channels.items():
            for name in [name for name, due in channel.timers.items() if due <= now]:
                del channel.timers[name]
                slow = self._policy.slow_is_trouble and name not in channel.omitted
                error = NOT_THERE if name in channel.omitted else f"no answer for {self._patience:g} s"
                self._went_wrong(kind, name, Event.OVERDUE if slow else Event.EXPIRED, now, error)

    # --- what follows from them ---------------------------------------------------------------------------

    def take_requests(self, now: float) -> list[Request]:
        """Return the requests to send now, in order: the types of which more is asked for come first.

        Calls may wait for what these bring; nobody waits for an ACK.
        """
        if not self._connected:
            return []
        kinds = sorted(Kind, key=lambda kind: not self._channels[kind].asks)
        requests = [request for kind in kinds for request in self._requests_of(kind, now)]
        if requests and not self._node_sent:
            self._node_sent = True
            requests[0] = replace(requests[0], first=True)
        return requests

    def take_changes(self) -> list[tuple[Kind, str]]:
        """Return the resources that changed since the last call."""
        changes = [(kind, name) for kind, name in self._changes if self.held(kind, name) is not None]
        self._changes.clear()
        return changes

    def deadline(self) -> float | None:
        """When `tick` is due next; None for never."""
        return min(
            (due for channel in self._channels.values() for due in channel.timers.values()), default=None
        )

    def held(self, kind: Kind, name: str) -> Held | None:
        """What is known of a watched resource; None if nobody watches it."""
        channel = self._channels[kind]
        return None if name in channel.unwanted else channel.held.get(name)

    def watched(self, kind: Kind) -> dict[str, Held]:
        """Every watched resource of a type."""
        channel = self._channels[kind]
        return {name: channel.held[name] for name in channel.wanted}

    def accepted_version(self, kind: Kind) -> str:
        """The last version of a type that was accepted as a whole."""
        return self._channels[kind].accepted

    # --- inside -------------------------------------------------------------------------------------------

    def _requests_of(self, kind: Kind, now: float) -> Iterator[Request]:
        channel = self._channels[kind]
        names = channel.wanted
        if not names and kind.full_state:
            # An empty LDS or CDS list would turn into a wildcard: keep the last one.
            names = channel.sent
        for reply in channel.replies:
            # Istiod ignores the names in a NACK, so they never change in one.
            yield self._send(replace(reply, names=channel.sent if reply.error else names), now)
        if names != channel.sent or channel.repeat:
            yield self._send(Request(kind, names, channel.accepted, channel.nonce), now)
        channel.replies.clear()
        channel.repeat = False

    def _send(self, request: Request, now: float) -> Request:
        channel = self._channels[request.kind]
        channel.sent = request.names
        channel.requests += 1
        channel.forget_unwanted()
        for name in self._unanswered(channel, ()):
            channel.timers.setdefault(name, now + self._patience)
        return request

    def _parsing(
        self, kind: Kind, type_url: str, data: bytes, in_force: Callable[[str], Held | None]
    ) -> Steps[Parsed]:
        return parsing(kind, type_url, data, in_force)

    def _valid(self, kind: Kind, parsed: Parsed, version: str, now: float) -> None:
        held = self._channels[kind].held.get(parsed.name)
        if held is None:
            return
        if held.resource is not None and held.data == parsed.data:
            # Istiod sends whole lists on every push; what says the same stays the same object.
            if held.state is State.ACKED:
                self._channels[kind].held[parsed.name] = replace(held, version=version)
                return
            parsed = replace(parsed, resource=held.resource)
        state = TRANSITIONS[held.state, Event.VALID]
        after = Held(state, parsed.resource, parsed.data, version, notes=parsed.notes, updated_at=now)
        self._step(kind, parsed.name, after)

    def _went_wrong(
        self, kind: Kind, name: str, event: Event, now: float, error: str, version: str = ""
    ) -> None:
        held = self._channels[kind].held.get(name)
        if held is not None:
            self._step(kind, name, held.after(event, self._policy, now, error, version))

    def _step(self, kind: Kind, name: str, after: Held) -> None:
        channel = self._channels[kind]
        channel.held[name] = after
        channel.timers.pop(name, None)
        channel.omitted.discard(name)
        self._changes[kind, name] = None

    def _account_for_absent(
        self, kind: Kind, channel: _Channel, present: set[str], now: float, version: str
    ) -> None:
        # Absence proves something only if the response knew of the name. That is certain for a name that
        # was answered before, and for the only request of a fresh stream. Otherwise the response may be a
        # push that was under way when the name was added: the names are asked for again, for one second.
        sent = set(channel.sent)
        certain = channel.responses == 0 and channel.requests == 1 and sent.issuperset(channel.wanted)
        for name, held in list(channel.held.items()):
            if name in present:
                continue
            if held.state is not State.REQUESTED or certain:
                if held.state is not State.ABSENT:
                    self._went_wrong(kind, name, Event.OMITTED, now, NOT_THERE, version)
            elif name in sent:
                channel.omitted.add(name)
                due = now + RECHECK_AFTER
                channel.timers[name] = min(channel.timers.get(name, due), due)

    @staticmethod
    def _unanswered(channel: _Channel, present: Container[str]) -> list[str]:
        """The names that were sent and still wait for an answer."""
        return [
            name
            for name in channel.sent
            if name in channel.held and channel.held[name].state is State.REQUESTED and name not in present
        ]

    def _touch_unanswered(self) -> None:
        for kind, channel in self._channels.items():
            for name, held in channel.held.items():
                if held.state is State.REQUESTED:
                    self._changes[kind, name] = None


def _summarise(errors: list[ResourceError], total: int) -> str:
    """The NACK's message: every refused resource with its field and reason, within a sane length."""
    if not errors:
        return ""
    shown = "; ".join(_clipped(str(error)) for error in errors[:10])
    more = f"; and {len(errors) - 10} more" if len(errors) > 10 else ""
    return f"{len(errors)} of {total} resources refused: {shown}{more}"


def _clipped(text: str) -> str:
    """A message names what was found, which may be megabytes; a server closes a stream that sends those."""
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
