"""What each stage of the pipeline does, from its inbox to its outboxes."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from streamseg.instances import Instances
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.statistics import Statistics
from streamseg.result import Found, Paint, Result
from streamseg.sinks import Sink, StopRequested
from streamseg.sources import Source

Track = Callable[[Instances, float, tuple[int, int]], Instances]
"""Objects of one frame, its time in seconds, its (height, width) in; the same objects with identities out."""

Segmented = tuple[Ticket, Found]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One stage as the pipeline knows it.

    Attributes:
        name: What an error calls it.
        statistics: Where its work is counted.
        fail: Called with its error; the pipeline stops.
    """

    name: str
    statistics: Statistics
    fail: Callable[[str, Exception], None]

    def work(self) -> contextlib.AbstractContextManager[None]:
        """Times the piece of work inside ``with``."""
        return self.statistics.working(self.name)

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Reports an error inside ``with``, which ends there: before the next stage hears that nothing more comes."""
        try:
            yield
        except Exception as error:
            self.fail(self.name, error)


@dataclass(slots=True, eq=False)
class Delivery:
    """A result on its way to the sinks, with its source's position and the time its frame arrived."""

    result: Result
    stream: int
    born: float


def read(source: Source, stream: int, stride: int, intake: Intake, stage: Stage) -> None:
    """Hand every ``stride``-th frame of a source to the intake."""
    mine = stage.statistics.streams[stream]
    # A camera's frame is waited for, not worked for.
    timed = contextlib.nullcontext if source.info.live else stage.work
    try:
        with stage.reported():
            try:
                frames = iter(source)
                while True:
                    with timed():
                        frame = next(frames, None)
                    if frame is None:
                        break
                    if frame.index % stride == 0 and not intake.put(Ticket(stream, frame, time.monotonic())):
                        break
                    mine.dropped = intake.dropped(stream)
            except Exception:
                if not intake.stopped:  # closing a source under its reader may make it fail; nobody needs to know
                    raise
    finally:
        intake.end(stream)
        mine.dropped = intake.dropped(stream)
        source.close()


def follow(track: Track | None, inbox: Channel[Segmented], outbox: Channel[Segmented], stage: Stage) -> None:
    """Give the objects of one source their identities; regions have none."""
    try:
        with stage.reported():
            for ticket, found in inbox:
                if track is not None and isinstance(found, Instances):
                    with stage.work():
                        found = track(found, ticket.frame.seconds, (ticket.frame.height, ticket.frame.width))
                if not outbox.put((ticket, found)):
                    break
    finally:
        inbox.leave()
        outbox.close()


def picture(
    paint: Paint, wanted: bool, inbox: Channel[Segmented], outboxes: Sequence[Channel[Delivery]], stage: Stage
) -> None:
    """Draw what was found in one source where a sink wants pictures, and pass the results on."""
    try:
        with stage.reported():
            for ticket, found in inbox:
                result = Result(ticket.frame, found, paint)
                if wanted:
                    with stage.work():
                        result.annotated()
                stage.statistics.found(ticket.stream, found)
                for outbox in outboxes:
                    outbox.put(Delivery(result, ticket.stream, ticket.born))
    finally:
        inbox.leave()
        for outbox in outboxes:
            outbox.close()


class Writer:
    """A sink at work: opened, fed, and closed whatever happens.

    Args:
        sink: Where results go.
        streams: Positions of the sources whose results it gets.
        stage: Its place in the pipeline; told of the sink's error, after which the sink takes no more.
        stop: Called when the sink's user wants to end the run.
        failed: Whether anything in the pipeline has failed.

    Attributes:
        at_work: Whether the sink is busy with something that ``StopRequested`` may end.
    """

    def __init__(
        self,
        sink: Sink,
        streams: Sequence[int],
        stage: Stage,
        stop: Callable[[], None],
        failed: Callable[[], bool],
    ) -> None:
        self.streams = streams
        self._sink = sink
        self._stage = stage
        self._stop = stop
        self._failed = failed
        self._active = True
        self.at_work = False

    def open(self) -> bool:
        """Prepare for results; False where the sink takes none."""
        infos = [self._stage.statistics.streams[stream].info for stream in self.streams]
        return all(self._attempt(functools.partial(self._sink.open, info)) for info in infos)

    def write(self, delivery: Delivery) -> bool:
        """Write one result; False where the sink takes no more."""
        done = self._attempt(lambda: self._sink.write(delivery.result))
        if done:
            self._stage.statistics.written(delivery.stream, delivery.born)
        return done

    def poll(self) -> None:
        """Keep a window alive while no result comes; other sinks need none of this."""
        poll = getattr(self._sink, "poll", None)
        if poll is not None:
            self._attempt(poll)

    def close(self) -> None:
        """Let the sink finish its file."""
        with self._stage.reported(), self._stage.work():
            self._stage.statistics.notes.extend(self._sink.close(ok=not self._failed()))

    def _attempt(self, action: Callable[[], object]) -> bool:
        if not self._active:
            return False
        self._active = False
        with self._stage.reported():
            try:
                self.at_work = True
                with self._stage.work():
                    action()
                self._active = True
            except StopRequested:
                self._stop()
            finally:
                self.at_work = False
        return self._active


def write(writer: Writer, inbox: Channel[Delivery]) -> None:
    """Feed a sink from its inbox."""
    try:
        if writer.open():
            for delivery in inbox:
                if not writer.write(delivery):
                    break
    finally:
        inbox.leave()
        writer.close()
