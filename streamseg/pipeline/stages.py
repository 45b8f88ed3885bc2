"""What each stage of the pipeline does, from its inbox to its outboxes."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from streamseg.frame import Frame
from streamseg.pipeline.channel import Channel
from streamseg.pipeline.intake import Intake, Ticket
from streamseg.pipeline.statistics import Statistics
from streamseg.pipeline.trails import Trails
from streamseg.result import Found, Paint, Result
from streamseg.sinks import Ending, Sink, StopRequested
from streamseg.sources import Source

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
    fail: Callable[[str, BaseException], None]

    def work(self) -> contextlib.AbstractContextManager[None]:
        """Times the piece of work inside ``with``."""
        return self.statistics.working(self.name)

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Reports an error inside ``with``, which ends there: before the next stage hears that nothing more comes."""
        try:
            yield
        except BaseException as error:
            # In a thread of its own, whatever ends a stage must be heard of; on the main thread, Ctrl-C goes its way.
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise
            self.fail(self.name, error)


@dataclass(slots=True, eq=False)
class Delivery:
    """A result on its way to the sinks, with its source's position and the time its frame arrived."""

    result: Result
    stream: int
    born: float


def read(source: Source, stream: int, stride: int, limit: int | None, begin: int, intake: Intake, stage: Stage) -> None:
    """Hand frames of a recorded source to the intake: every ``stride``-th, with those that follow.

    ``begin`` is the index of the first, and ``limit`` the number of those from the source's first frame on.
    """
    try:
        with stage.reported(), closing_may_fail(intake):
            timed = itertools.dropwhile(lambda frame: frame.index < begin, _timed(source, stage))
            frames = itertools.islice(timed, None if limit is None else max(0, limit - begin))
            while group := list(itertools.islice(frames, stride)):
                first, *after = [Ticket(stream, frame, time.monotonic()) for frame in group]
                if not intake.put(replace(first, after=tuple(after))):
                    break
            else:
                ended = limit is None or next(timed, None) is None
                if not intake.stopped:
                    stage.statistics.streams[stream].ending = Ending.END if ended else Ending.LIMIT
    finally:
        intake.end(stream)
        source.close()


def _timed(source: Source, stage: Stage) -> Iterator[Frame]:
    frames = iter(source)
    while True:
        with stage.work():
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


@contextlib.contextmanager
def closing_may_fail(intake: Intake) -> Iterator[None]:
    """Closing a source under its reader may make it fail; nobody needs to know."""
    try:
        yield
    except Exception:
        if not intake.stopped:
            raise


def picture(
    paint: Paint,
    wanted: bool,
    trails: Trails,
    first: int,
    inbox: Channel[Segmented],
    outboxes: Sequence[Channel[Delivery]],
    stage: Stage,
) -> None:
    """Draw what was found in one source where a sink wants pictures, and pass the results on, from ``first`` on."""
    try:
        with stage.reported():
            for ticket, found in inbox:
                result = Result(ticket.frame, trails.add(found, ticket.frame.seconds), paint)
                if ticket.frame.index < first:
                    continue  # it is written already, and was only needed for what comes
                if wanted:
                    with stage.work():
                        result.painted()
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
        rate, statistics = getattr(self._sink, "rate", None), self._stage.statistics
        if rate is not None and statistics.streams[delivery.stream].carried:
            rate(delivery.result.frame.source, *statistics.rates(delivery.stream))
        done = self._attempt(lambda: self._sink.write(delivery.result))
        if done:
            statistics.written(delivery.stream, delivery.born)
        return done

    def poll(self) -> None:
        """Keep a window alive while no result comes; other sinks need none of this."""
        poll = getattr(self._sink, "poll", None)
        if poll is not None:
            self._attempt(poll)

    def close(self) -> None:
        """Let the sink finish its file."""
        statistics = self._stage.statistics
        with self._stage.reported(), self._stage.work():
            endings = {statistics.streams[stream].ending for stream in self.streams}
            ending = next((each for each in (Ending.STOPPED, Ending.LIMIT) if each in endings), Ending.END)
            statistics.notes.extend(self._sink.close(ok=not self._failed(), ending=ending))

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
