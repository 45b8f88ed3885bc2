"""What a run has done so far."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from streamseg.frame import StreamInfo
from streamseg.instances import Instances
from streamseg.result import Found
from streamseg.sinks import Ending

_WINDOW = 3.0  # seconds of late


@dataclass(slots=True)
class Latency:
    """Seconds from a frame's arrival to its result being written."""

    count: int = 0
    total: float = 0.0
    last: float = 0.0
    worst: float = 0.0

    @property
    def mean(self) -> float:
        """The average; 0 before the first result."""
        return self.total / self.count if self.count else 0.0

    def add(self, seconds: float) -> None:
        """Count one result."""
        self.count += 1
        self.total += seconds
        self.last = seconds
        self.worst = max(self.worst, seconds)


class Meter:
    """How often something happened per second, of late."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """It happened at ``now``, seconds on any clock."""
        self._times.append(now)
        while len(self._times) > 2 and self._times[0] < now - _WINDOW:
            self._times.popleft()

    @property
    def rate(self) -> float:
        """Times per second; 0 before the second time."""
        span = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / span if span > 0 else 0.0


@dataclass(slots=True)
class StreamStatistics:
    """One source's share of a run.

    Attributes:
        info: What the source said about itself.
        expected: Frames that there will be, as far as is known beforehand; None where not known.
        frames: Frames shown and written.
        segmented: Frames that the model has seen.
        dropped: Frames of a live source that were lost: newer ones came before the sinks had room for them, or before
            the model had given its first result.
        losses: What the source lost on the way, by kind, for example undecodable frames.
        notes: What the source had to say, for example that the file is cut off.
        ending: Why it ended; as long as it goes on, what it would be if it were stopped now.
        resumed: Frames that an earlier run had written already; none of the other numbers counts them.
        latency: From the frame's arrival to the result; of live sources only.
        network_meter: How often the model has seen a frame, of late.
        picture_meter: How often a frame has been shown, of late.
    """

    info: StreamInfo
    expected: int | None = None
    frames: int = 0
    segmented: int = 0
    dropped: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    ending: Ending = Ending.STOPPED
    resumed: int = 0
    latency: Latency = field(default_factory=Latency)
    network_meter: Meter = field(default_factory=Meter)
    picture_meter: Meter = field(default_factory=Meter)

    @property
    def carried(self) -> int:
        """Frames that the model has not seen, in which objects are where their motion has carried them."""
        return max(0, self.frames - self.segmented)


class IdCounter:
    """Counts distinct identities in a bit each, so that a year of footage stays a few megabytes."""

    def __init__(self) -> None:
        self._seen = bytearray()

    def add(self, identity: int) -> bool:
        """Note an identity (1 or more); True where it is new."""
        byte, bit = divmod(identity, 8)
        if byte >= len(self._seen):
            self._seen.extend(bytes(byte + 1 - len(self._seen)))
        new = not self._seen[byte] >> bit & 1
        self._seen[byte] |= 1 << bit
        return new


class Statistics:
    """Counts of a run; may be read from any thread while it runs.

    Attributes:
        streams: One entry per source.
        objects: Objects found, summed over all frames, by class name.
        identities: Distinct objects by class name, each under the class it was first seen with.
        covered: How much of a frame the regions of a class cover, 0 to 1, summed over all frames, by class name.
        busy: Seconds that each stage worked, waiting excluded, by the stage's name.
        notes: What the sinks had to say, for example which files they wrote.
    """

    def __init__(self, infos: list[StreamInfo], max_frames: int | None = None) -> None:
        self.streams = [StreamStatistics(info, _expected(info, max_frames)) for info in infos]
        self.objects: Counter[str] = Counter()
        self.identities: Counter[str] = Counter()
        self.covered: defaultdict[str, float] = defaultdict(float)
        self.busy: dict[str, float] = defaultdict(float)
        self.notes: list[str] = []
        self._ids = [IdCounter() for _ in infos]
        self._lock = threading.Lock()
        self._started: float | None = None
        self._ended: float | None = None
        self._first: float | None = None
        self._at_work: dict[int, tuple[str, float]] = {}  # stage and begin of each thread's piece of work
        self._last_work = time.monotonic()

    @property
    def frames(self) -> int:
        """Frames processed, all sources together."""
        return sum(stream.frames for stream in self.streams)

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        if self._started is None:
            return 0.0
        return (self._ended or time.monotonic()) - self._started

    @property
    def fps(self) -> float:
        """Frames per second of the whole run, all sources together."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def first_result_seconds(self) -> float | None:
        """Seconds from the start to the first written result; None before it."""
        return None if self._first is None or self._started is None else self._first - self._started

    def start(self) -> None:
        """The clock runs."""
        self._started = time.monotonic()

    def end(self) -> None:
        """The clock stops."""
        self._ended = self._ended or time.monotonic()

    @contextmanager
    def working(self, stage: str) -> Iterator[None]:
        """Time a piece of a stage's work."""
        begin, number = time.perf_counter(), threading.get_ident()
        with self._lock:
            outer = self._at_work.get(number)
            self._at_work[number] = stage, time.monotonic()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.busy[stage] += spent
                self._last_work = time.monotonic()
                if outer is None:
                    del self._at_work[number]
                else:
                    self._at_work[number] = outer

    def at_work(self) -> dict[int, tuple[str, float]]:
        """By thread, the stage that is at work there, and for how many seconds it has been at this piece."""
        now = time.monotonic()
        with self._lock:
            return {number: (stage, now - begin) for number, (stage, begin) in self._at_work.items()}

    def idle(self) -> float:
        """Seconds since any piece of work was done."""
        with self._lock:
            return time.monotonic() - self._last_work

    def segmented(self, stream: int) -> None:
        """Count a frame of source ``stream`` that the model has seen."""
        with self._lock:
            self.streams[stream].segmented += 1
            self.streams[stream].network_meter.add(time.monotonic())

    def rates(self, stream: int) -> tuple[float, float]:
        """How many frames per second the model sees of source ``stream``, and how many there are, of late."""
        with self._lock:
            return self.streams[stream].network_meter.rate, self.streams[stream].picture_meter.rate

    def found(self, stream: int, found: Found) -> None:
        """Count a frame of source ``stream`` and what is in it."""
        if isinstance(found, Instances):
            self._objects(stream, found)
        else:
            shares = list(zip(found.names, found.shares, strict=True))
            with self._lock:
                for name, share in shares:
                    self.covered[name] += float(share)
        with self._lock:
            self.streams[stream].frames += 1
            self.streams[stream].picture_meter.add(time.monotonic())

    def _objects(self, stream: int, instances: Instances) -> None:
        names = instances.names
        fresh = [
            name
            for name, identity in zip(names, instances.ids, strict=True)
            if identity > 0 and self._ids[stream].add(int(identity))
        ]
        with self._lock:
            self.objects.update(names)
            self.identities.update(fresh)

    def written(self, stream: int, born: float) -> None:
        """Note that a sink has written a result whose frame arrived at ``born`` (``time.monotonic``)."""
        now = time.monotonic()
        with self._lock:
            if self._first is None:
                self._first = now
            if self.streams[stream].info.live:
                self.streams[stream].latency.add(now - born)


def _expected(info: StreamInfo, max_frames: int | None) -> int | None:
    frames = info.frames
    if frames is None and info.duration and info.rate and not info.live:
        frames = round(info.duration * info.rate)
    if frames is None:
        return max_frames
    return frames if max_frames is None else min(frames, max_frames)
