"""The stages of a run, wired: a thread each, bounded queues between them."""

from __future__ import annotations

import contextlib
import functools
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streamseg.errors import StageError, UserError
from streamseg.pipeline import live, stages
from streamseg.pipeline.channel import Channel, Ended
from streamseg.pipeline.following import Follower, follow
from streamseg.pipeline.intake import Intake
from streamseg.pipeline.live import Arrivals, LiveFollower
from streamseg.pipeline.marks import Marker, Start
from streamseg.pipeline.segmenting import Outbox, Segment, Segmenting
from streamseg.pipeline.stages import Delivery, Segmented, Stage, Writer
from streamseg.pipeline.statistics import Statistics
from streamseg.pipeline.trails import Trails
from streamseg.pipeline.watch import Watch
from streamseg.result import Paint, Result
from streamseg.sinks import Sink, StopRequested
from streamseg.sources import Source
from streamseg.tracking import Tracker

_POLL = 0.2  # seconds between looks at the clock, so that signals are served on every platform
_TURN = 0.03  # seconds between looks at the windows, so that they answer while no frame comes
_CLOSING = 5.0  # seconds that all sources together may take to let go
_GIVING_UP = 30.0  # seconds after which a stage that should stop is not waited for
_MOST_IN_BATCH = 32  # frames of a batch together with those that the model does not see


@dataclass(frozen=True, slots=True, eq=False)
class Outlet:
    """A sink and what it is fed with.

    Attributes:
        sink: Where results go.
        streams: Positions of the sources whose results it gets; None for all of them.
        name: What an error calls it, for example ``"write annotated.mp4"``.
    """

    sink: Sink
    streams: tuple[int, ...] | None = None
    name: str = "write"


class Pipeline:
    """Decode, segment, track, paint and write, each in its own thread.

    Either ``run()`` it, or iterate over it for the results; both end when all sources have ended, and both raise the
    one error that stopped them. Results come in the order of each source and do not depend on ``batch_size``,
    ``queue_length`` or ``workers``; results of several sources interleave. Memory is bounded by the queues. A recorded
    source waits for the model; a live one does not: see ``LiveFollower``.

    Args:
        sources: Open sources; the pipeline closes them.
        segment: Finds the objects or regions of a batch of pictures; called by ``workers`` threads at once.
        paint: Draws them on a frame; called only where a sink or the caller wants pictures.
        trackers: One per source; None for no identities; regions get none.
        outlets: Sinks to feed; the pipeline opens and closes them. Those that need the main thread are served by the
            thread that runs or iterates the pipeline.
        batch_size: Most frames that the model sees at once.
        queue_length: Most items that wait between two stages.
        workers: How many batches the model works on at once.
        stride: The model sees every n-th frame of each source; trackers tell where things are in those between.
        max_frames: Most frames of each source; None for all.
        delay: How long results of recorded sources wait to be bettered by what follows, seconds of their time.
        trails: Seconds for which the results remember where each object stood.
        starts: Where each recorded source is begun; None for all at their first frames.
        markers: What makes the marks, for each recorded source, from which one can go on after a crash.
        remarks: What the model has to say when all is done; joins the notes of the statistics.

    Attributes:
        statistics: What has been done so far; complete after ``close``.
        error: What stopped the run; None where nothing did.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        segment: Segment,
        *,
        paint: Paint,
        trackers: Sequence[Tracker] | None = None,
        outlets: Sequence[Outlet] = (),
        batch_size: int = 1,
        queue_length: int = 4,
        workers: int = 1,
        stride: int = 1,
        max_frames: int | None = None,
        delay: float = 0.0,
        trails: float = 0.0,
        starts: Sequence[Start] | None = None,
        markers: Sequence[Marker | None] | None = None,
        remarks: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        infos = [source.info for source in sources]
        self.statistics = Statistics(infos, max_frames)
        self.error: UserError | StageError | None = None
        self._sources = list(sources)
        self._segment = segment
        self._paint = paint
        self._trackers: list[Tracker | None] = list(trackers) if trackers is not None else [None] * len(infos)
        self._outlets = list(outlets)
        self._batch_size = max(1, min(batch_size, _MOST_IN_BATCH // stride))
        self._queue_length = queue_length
        self._segmenters = workers
        self._stride = stride
        self._max_frames = max_frames
        self._delay = delay
        self._trails = trails
        self._starts = list(starts) if starts is not None else [Start()] * len(infos)
        self._markers: list[Marker | None] = list(markers) if markers is not None else [None] * len(infos)
        self._remarks = remarks
        for stream, start in zip(self.statistics.streams, self._starts, strict=True):
            stream.resumed = start.first
        self._intake = Intake([info.live for info in infos], max(queue_length, batch_size))
        self._front: Channel[Delivery] | None = None
        self._channels: list[Channel[Any]] = []
        self._watch: Watch | None = None
        self._stopped_at = math.inf  # on the clock of time.monotonic
        self._given_up: set[str] = set()  # stages that do not come back
        self._windows: list[Writer] = []
        self._readers: list[threading.Thread] = []
        self._workers: list[threading.Thread] = []
        self._begun = False
        self._closed = False
        self._lock = threading.Lock()

    def run(self) -> Statistics:
        """Process everything; returns when every sink has closed its file.

        Raises:
            UserError: Something that the user can put right stopped the run.
            StageError: Anything else stopped it; names the stage.
        """
        if any(outlet.sink.on_main_thread for outlet in self._outlets):
            for _ in self:
                pass
            return self.statistics
        self._begin()
        try:
            self._start()
            self._wait()  # readers end by themselves, or are ended by close
        finally:
            self.close()
        if self.error is not None:
            raise self.error
        return self.statistics

    def __iter__(self) -> Iterator[Result]:
        self._begin()
        front: Channel[Delivery] = Channel(self._queue_length, givers=len(self._sources))
        self._front = front
        self._channels.append(front)
        windows = [self._writer(outlet) for outlet in self._outlets if outlet.sink.on_main_thread]
        self._windows = windows
        try:
            self._start()
            for window in windows:
                window.open()
            for delivery in _taken(front, windows):
                for window in windows:
                    if delivery.stream in window.streams:
                        window.write(delivery)
                if not windows:
                    self.statistics.written(delivery.stream, delivery.born)
                yield delivery.result
        finally:
            for window in windows:
                window.close()
            self.close()
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """End early, from any thread: sources close, frames not yet segmented are dropped, the rest is written."""
        self._stopped_at = min(self._stopped_at, time.monotonic())
        self._intake.stop()
        for source in self._sources:
            with contextlib.suppress(Exception):  # a source that fails to close must not keep the sinks from closing
                source.close()

    def interrupt(self) -> None:
        """``stop``, for a signal handler: harmless whatever the main thread is doing, and ends a window's pause."""
        # In a thread of its own, since the main thread may be holding a lock that stopping needs.
        threading.Thread(target=self.stop, name="stop", daemon=True).start()
        if any(window.at_work for window in self._windows):
            raise StopRequested

    def close(self) -> None:
        """Stop where still running, and wait until every thread has ended and every sink is closed."""
        if self._closed:
            return
        self.stop()
        if self._front is not None:
            self._front.leave()  # nobody may be left to take from it
        self._wait()
        _join(self._readers, time.monotonic() + _CLOSING)
        if self._watch is not None:
            self._watch.stop()
        for thread in self._readers:
            if thread.is_alive():
                self.statistics.notes.append(f"{thread.name}: did not stop within {_CLOSING:g} s")
        for stream, source in zip(self.statistics.streams, self._sources, strict=True):
            stream.losses.update(source.losses)
            stream.notes.extend(source.notes)
        self.statistics.notes.extend(self._remarks())
        self.statistics.end()
        self._closed = True

    def _begin(self) -> None:
        if self._begun or self._closed:
            raise RuntimeError("a pipeline runs once")
        self._begun = True

    def _start(self) -> None:
        """Build the queues and the threads between them, and let them go."""
        self.statistics.start()
        self._watch = Watch(self.statistics, {o.name for o in self._outlets if o.sink.on_main_thread}, self._must_move)
        self._watch.start()
        behind = [outlet for outlet in self._outlets if not outlet.sink.on_main_thread]
        inboxes: list[Channel[Delivery]] = [
            Channel(self._queue_length, givers=len(self._streams(outlet))) for outlet in behind
        ]
        tracked: list[Channel[Segmented]] = [Channel(self._queue_length) for _ in self._sources]
        self._channels += [*inboxes, *tracked]
        found = [self._wire_source(i, source, tracked[i]) for i, source in enumerate(self._sources)]
        segmenting = Segmenting(self._intake, self._batch_size, self._segment, found, self._segmenters)
        self._workers += [self._thread("segment", segmenting.work) for _ in range(self._segmenters)]
        for i, source in enumerate(self._sources):
            boxes = [box for box, outlet in zip(inboxes, behind, strict=True) if i in self._streams(outlet)]
            boxes += [self._front] if self._front is not None else []
            wanted = any(outlet.sink.wants_picture for outlet in self._outlets if i in self._streams(outlet))
            name = f"paint {source.info.name}"
            how = self._paint, wanted, Trails(self._trails), self._starts[i].first
            self._workers.append(self._thread(name, stages.picture, *how, tracked[i], boxes))
        for inbox, outlet in zip(inboxes, behind, strict=True):
            body = functools.partial(stages.write, self._writer(outlet), inbox)
            self._workers.append(threading.Thread(target=body, name=outlet.name, daemon=True))
        for thread in [*self._workers, *self._readers]:
            thread.start()

    def _wire_source(self, stream: int, source: Source, outbox: Channel[Segmented]) -> Outbox:
        """Threads that read a source and follow what is found in it; where the model's results go between them."""
        stride, limit, length, intake = self._stride, self._max_frames, self._queue_length, self._intake
        reader, tracker = f"decode {source.info.name}", f"track {source.info.name}"
        if not source.info.live:
            found: Channel[Segmented] = Channel(max(1, length // stride))
            self._channels.append(found)
            begin = self._starts[stream].begin
            self._readers.append(self._thread(reader, stages.read, source, stream, stride, limit, begin, intake))
            body = functools.partial(follow, marker=self._markers[stream])
            self._workers.append(self._thread(tracker, body, self._trackers[stream], self._delay, found, outbox))
            return found
        arrivals = Arrivals(length, self.statistics.streams[stream])
        self._readers.append(self._thread(reader, live.read, source, stream, arrivals, intake))
        follower = Follower(self._trackers[stream], self._stage(tracker))
        showing = LiveFollower(follower, stream, stride, limit, intake, arrivals, outbox, self._stage(tracker))
        self._workers.append(threading.Thread(target=showing.run, name=tracker, daemon=True))
        return arrivals

    def _thread(self, name: str, body: Callable[..., None], *parts: object) -> threading.Thread:
        target = functools.partial(body, *parts, stage=self._stage(name))
        return threading.Thread(target=target, name=name, daemon=True)

    def _stage(self, name: str) -> Stage:
        return Stage(name, self.statistics, self._fail)

    def _writer(self, outlet: Outlet) -> Writer:
        stage = self._stage(outlet.name)
        return Writer(outlet.sink, self._streams(outlet), stage, self.stop, lambda: self.error is not None)

    def _streams(self, outlet: Outlet) -> tuple[int, ...]:
        return tuple(range(len(self._sources))) if outlet.streams is None else outlet.streams

    def _must_move(self) -> bool:
        """Whether somebody must be at work, since neither a live source nor who iterates is waited for."""
        live = any(source.info.live for source in self._sources)
        return not live and self._front is None and not self._intake.stopped

    def _wait(self) -> None:
        """Wait until all threads but the readers have ended, in slices, so that signals are served on every platform.

        Once the run is to stop, a stage that does not come back is given up, and all others end without it.
        """
        while any(thread.is_alive() and thread.name not in self._given_up for thread in self._workers):
            for thread in self._workers:
                if thread.is_alive() and thread.name not in self._given_up:
                    thread.join(_POLL)
                    break
            for stage, seconds in self.statistics.at_work().values():
                if min(seconds, time.monotonic() - self._stopped_at) >= _GIVING_UP and stage not in self._given_up:
                    self._give_up(stage)

    def _give_up(self, stage: str) -> None:
        self._given_up.add(stage)
        self._fail(stage, TimeoutError(f"no answer for {_GIVING_UP:g} s after the run was to stop"))
        for channel in self._channels:
            channel.end()

    def _fail(self, stage: str, error: BaseException) -> None:
        """Keep the first error, and stop."""
        with self._lock:
            if self.error is None:
                self.error = error if isinstance(error, UserError) else StageError(stage, error)
        self.stop()


def _taken(front: Channel[Delivery], windows: Sequence[Writer]) -> Iterator[Delivery]:
    while True:
        try:
            yield front.get(_TURN if windows else _POLL)
        except queue.Empty:
            for window in windows:
                window.poll()
        except Ended:
            return


def _join(threads: Sequence[threading.Thread], deadline: float | None = None) -> None:
    """Wait for the threads to end, in slices, so that signals are served on every platform."""
    for thread in threads:
        while thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            thread.join(_POLL)
