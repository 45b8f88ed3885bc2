"""The pipeline's laws, on fakes that are told what to do; real media are in test_main_job.py."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.errors import StageError, UserError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline import Outlet, Pipeline
from streamseg.planes import Picture
from streamseg.result import Found, Result
from streamseg.sinks import Ending, StopRequested
from streamseg.tracking.observation import Observation

PATIENT = 20.0


class FakeSource:
    """``count`` frames (None: for ever), each 2 x 2 pixels of the value of its index."""

    def __init__(self, name: str, count: int | None, live: bool = False, pace: float = 0.0, fail_at: int | None = None):
        self.info = StreamInfo(name, 2, 2, Fraction(1, 10), live=live, frames=count)
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self.count, self.pace, self.fail_at = count, pace, fail_at
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while index != self.count and not self.closed.is_set():
            if index == self.fail_at:
                raise OSError("the disk is gone")
            time.sleep(self.pace)
            yield Frame(np.full((2, 2, 3), index % 256, np.uint8), index, index, Fraction(1, 10), self.info.name)
            index += 1

    def close(self) -> None:
        self.closed.set()


class FakeSegmenter:
    """One object per picture whose score tells the picture's value; notes how large the batches were."""

    def __init__(self, fail_at: int | None = None, gate: threading.Event | None = None) -> None:
        self.batches: list[int] = []
        self.fail_at, self.gate = fail_at, gate

    def __call__(self, images: Sequence[np.ndarray]) -> list[Instances]:
        if self.gate is not None:
            assert self.gate.wait(PATIENT)
        self.batches.append(len(images))
        if self.fail_at is not None and sum(self.batches) > self.fail_at:
            raise RuntimeError("out of memory")
        return [
            Instances(
                np.array([[0, 0, 2, 2]], np.float32),
                np.array([image[0, 0, 0] / 256], np.float32),
                np.zeros(1, np.int64),
                np.ones((1, 28, 28), np.float32),
                np.zeros(1, np.int64),
                ("thing",),
            )
            for image in images
        ]


class FakeSink:
    """Keeps what it is given; can be told to fail, to ask for an end, or to need the main thread."""

    def __init__(self, wants_picture: bool = False, on_main_thread: bool = False, **at: int) -> None:
        self.wants_picture, self.on_main_thread, self.wants_masks = wants_picture, on_main_thread, False
        self.at = at
        self.infos: list[StreamInfo] = []
        self.results: list[Result] = []
        self.closed: list[bool] = []
        self.threads: set[threading.Thread] = set()

    def open(self, info: StreamInfo) -> None:
        if "fail_to_open" in self.at:
            raise UserError("no space left; free some")
        self.infos.append(info)

    def write(self, result: Result) -> None:
        self.threads.add(threading.current_thread())
        if len(self.results) == self.at.get("fail"):
            raise OSError("broken")
        if len(self.results) == self.at.get("quit"):
            raise StopRequested
        self.results.append(result)

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        self.closed.append(ok)
        if "fail_to_close" in self.at:
            raise OSError("cannot finish")
        return [f"kept {len(self.results)}"]

    def indices(self, source: str) -> list[int]:
        return [result.frame.index for result in self.results if result.frame.source == source]


class CountingTracker:
    """Gives the n-th frame it sees the identity n, so that a mixed-up order shows."""

    def __init__(self) -> None:
        self.seen: list[float] = []
        self.last = Instances.empty(("thing",))

    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        self.seen.append(seconds)
        self.last = instances.with_ids(np.full(len(instances), self.identity()))
        return self.last

    def observe(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Observation:
        seen = self.update(instances, seconds, size)
        return Observation(seen, np.zeros(len(seen), np.int64), np.ones(len(seen), bool))

    def identity(self) -> int:
        return len(self.seen)

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        assert not self.seen or seconds >= self.seen[-1]
        return self.last


class SteadyTracker(CountingTracker):
    def identity(self) -> int:
        return 1


class LostTracker(CountingTracker):
    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        raise ValueError("lost track")


def plain(frame: Frame, found: Found) -> np.ndarray:
    return frame.image + 1


def bounded(body: Callable[[], object]) -> object:
    """Run in a thread, so that a deadlock is a failure and no hanging test."""
    outcome: list[object] = []

    def guarded() -> None:
        try:
            outcome.append(body())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(PATIENT)
    assert not thread.is_alive(), "the pipeline hangs"
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def make(sources, sinks=(), segmenter=None, trackers=None, paint=plain, **options) -> Pipeline:
    outlets = [sink if isinstance(sink, Outlet) else Outlet(sink, None, "write fake") for sink in sinks]
    trackers = trackers or [CountingTracker() for _ in sources]
    return Pipeline(sources, segmenter or FakeSegmenter(), paint=paint, trackers=trackers, outlets=outlets, **options)


@given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    batch_size=st.integers(1, 5),
    queue_length=st.integers(1, 4),
    workers=st.integers(1, 3),
    stride=st.integers(1, 3),
    max_frames=st.none() | st.integers(1, 6),
)
@settings(max_examples=30, deadline=None)
def test_nothing_is_lost_or_mixed_up_whatever_the_sizes(counts, batch_size, queue_length, workers, stride, max_frames):
    sources = [FakeSource(str(i), count) for i, count in enumerate(counts)]
    everything, own = FakeSink(), [FakeSink() for _ in counts]
    sinks = [everything, *(Outlet(sink, (i,)) for i, sink in enumerate(own))]
    sizes = {"batch_size": batch_size, "queue_length": queue_length, "workers": workers}
    trackers = [SteadyTracker() for _ in counts]
    pipeline = make(sources, sinks, trackers=trackers, stride=stride, max_frames=max_frames, **sizes)
    statistics = bounded(pipeline.run)
    for i, count in enumerate(counts):
        expected = list(range(count))[:max_frames]
        seen = expected[::stride]
        assert own[i].indices(str(i)) == everything.indices(str(i)) == expected
        assert trackers[i].seen == [n / 10 for n in seen]
        scores = [float(result.instances.scores[0]) for result in own[i].results]
        assert scores == pytest.approx([min(n, seen[-1]) / 256 for n in expected])  # mixed between two that were seen
        assert all(result.instances.ids.tolist() == [1] for result in own[i].results)
        assert statistics.streams[i].frames == statistics.streams[i].expected == len(expected)
        assert statistics.streams[i].segmented == len(seen)
        assert own[i].infos == [sources[i].info]
    assert statistics.objects["thing"] == statistics.frames == len(everything.results)
    assert statistics.identities["thing"] == sum(count > 0 for count in counts)
    assert all(sink.closed == [True] for sink in (everything, *own))
    assert all(source.closed.is_set() for source in sources)


@pytest.mark.parametrize(("count", "size", "batches"), [(6, 3, [3, 3]), (7, 3, [3, 3, 1]), (2, 4, [2])])
def test_recorded_batches_are_full_but_for_the_last(count, size, batches):
    segmenter = FakeSegmenter()
    bounded(make([FakeSource("a", count)], segmenter=segmenter, batch_size=size, queue_length=1).run)
    assert segmenter.batches == batches


def test_several_sources_share_a_batch():
    segmenter = FakeSegmenter()
    bounded(make([FakeSource(name, 1) for name in "abcd"], segmenter=segmenter, batch_size=4).run)
    assert segmenter.batches == [4]


def test_decoding_waits_for_a_slow_model():
    gate = threading.Event()
    source = FakeSource("a", 100)
    yielded: list[int] = []

    def counted():
        for frame in FakeSource.__iter__(source):
            yielded.append(frame.index)
            yield frame

    source.__class__ = type("Counted", (FakeSource,), {"__iter__": lambda self: counted()})
    pipeline = make([source], segmenter=FakeSegmenter(gate=gate), queue_length=2)
    runner = threading.Thread(target=pipeline.run, daemon=True)
    runner.start()
    time.sleep(0.2)
    assert len(yielded) <= 2 + 1 + 1 + 1  # waiting, in the model, in the reader's hand, being decoded
    gate.set()
    runner.join(PATIENT)
    assert pipeline.statistics.frames == 100


def test_a_live_source_is_not_waited_for_and_its_drops_are_counted():
    gate = threading.Event()
    source = FakeSource("camera 0", 50, live=True)
    sink = FakeSink()
    pipeline = make([source], [sink], segmenter=FakeSegmenter(gate=gate))
    runner = threading.Thread(target=pipeline.run, daemon=True)
    runner.start()
    assert source.closed.wait(PATIENT)
    gate.set()
    runner.join(PATIENT)
    stream = pipeline.statistics.streams[0]
    indices = sink.indices("camera 0")
    assert indices == sorted(indices) and indices[-1] == 49
    assert stream.dropped > 0 and stream.frames + stream.dropped == 50
    assert stream.latency.count == stream.frames and stream.latency.worst > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_picture_of_a_live_source_goes_on_while_the_model_is_busy(workers):
    sink, gate, first = FakeSink(), threading.Event(), threading.Event()
    segmenter = FakeSegmenter()

    def slow(images: Sequence[np.ndarray]) -> list[Instances]:
        if first.is_set():
            assert gate.wait(PATIENT)
        return segmenter(images)

    class Camera(FakeSource):
        """Each frame comes when those before it have been shown, but for a few that wait for the model."""

        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                deadline = time.monotonic() + PATIENT
                while len(sink.results) < frame.index - 10 and time.monotonic() < deadline:
                    time.sleep(0.001)
                yield frame
                while not sink.results and time.monotonic() < deadline:
                    time.sleep(0.001)
                first.set()

    source = Camera("camera 0", 60, live=True, pace=0.002)
    pipeline = make([source], [sink], trackers=[SteadyTracker()], segmenter=slow, workers=workers)
    runner = threading.Thread(target=pipeline.run, daemon=True)
    runner.start()
    assert source.closed.wait(PATIENT)
    stream = pipeline.statistics.streams[0]
    assert not gate.is_set() and len(sink.results) > 40 and stream.segmented == 1
    gate.set()
    runner.join(PATIENT)
    assert not runner.is_alive() and pipeline.error is None
    assert sink.indices("camera 0")[-1] == 59
    assert len(sink.results) == stream.frames == 60 - stream.dropped
    assert stream.carried >= stream.frames - 3 - workers


def fail_paint(frame: Frame, instances: Instances) -> np.ndarray:
    raise ValueError("no paint")


@pytest.mark.parametrize(("queue_length", "workers"), [(1, 1), (4, 1), (1, 3), (4, 2)])
@pytest.mark.parametrize(
    ("stage", "kind", "broken"),
    [
        ("decode bad", OSError, {"source": {"fail_at": 5}}),
        ("segment", RuntimeError, {"segmenter": {"fail_at": 5}}),
        ("track bad", ValueError, {"track": True}),
        ("paint bad", ValueError, {"paint": fail_paint}),
        ("write bad", OSError, {"sink": {"fail": 3}}),
        ("write bad", OSError, {"sink": {"fail": 3, "on_main_thread": True}}),
        ("write bad", OSError, {"sink": {"fail_to_close": True}}),
    ],
)
def test_a_broken_stage_comes_out_once_by_its_name_and_every_sink_is_closed(stage, kind, broken, queue_length, workers):
    sources = [FakeSource("bad", 40, **broken.get("source", {})), FakeSource("good", 40)]
    bad, good = FakeSink(**broken.get("sink", {})), FakeSink(wants_picture=True)
    trackers = [LostTracker() if "track" in broken else CountingTracker(), CountingTracker()]
    pipeline = Pipeline(
        sources,
        FakeSegmenter(**broken.get("segmenter", {})),
        paint=lambda frame, instances: (broken.get("paint", plain) if frame.source == "bad" else plain)(
            frame, instances
        ),
        trackers=trackers,
        outlets=[Outlet(bad, None, "write bad"), Outlet(good, None, "write good")],
        queue_length=queue_length,
        workers=workers,
    )
    with pytest.raises(StageError) as error:
        bounded(pipeline.run)
    assert error.value.stage == stage and isinstance(error.value.__cause__, kind)
    if "fail_to_close" in broken.get("sink", {}):  # the only one that breaks when the others may have finished
        assert len(bad.closed) == len(good.closed) == 1
    else:
        assert bad.closed == good.closed == [False]
    assert all(source.closed.is_set() for source in sources)
    for name in ("bad", "good"):
        assert good.indices(name) == list(range(len(good.indices(name))))  # nothing missing before the end


def test_a_users_mistake_passes_as_itself():
    sink, other = FakeSink(fail_to_open=1), FakeSink()
    with pytest.raises(UserError, match="no space left; free some"):
        bounded(make([FakeSource("a", None)], [sink, other]).run)
    assert sink.closed == other.closed == [False]


@pytest.mark.parametrize("main", [False, True])
def test_a_sink_can_ask_for_the_end(main):
    sink, other = FakeSink(on_main_thread=main, quit=5), FakeSink()
    pipeline = make([FakeSource("a", None)], [sink, other])
    bounded(pipeline.run)
    assert pipeline.error is None
    assert sink.closed == other.closed == [True]
    assert sink.indices("a") == list(range(5))
    assert other.indices("a") == list(range(pipeline.statistics.frames))


@pytest.mark.parametrize("live", [False, True])
def test_stopping_writes_what_was_found_and_ends(live):
    sink = FakeSink()
    pipeline = make([FakeSource("a", None, live=live, pace=0.001)], [sink], batch_size=3)

    def stop_soon() -> None:
        while not sink.results:
            time.sleep(0.005)
        pipeline.stop()

    threading.Thread(target=stop_soon, daemon=True).start()
    statistics = bounded(pipeline.run)
    assert sink.closed == [True]
    assert len(sink.results) == statistics.frames > 0
    assert [int(result.instances.ids[0]) for result in sink.results] == list(range(1, statistics.frames + 1))


def test_sinks_that_need_the_main_thread_get_it():
    main, other = FakeSink(on_main_thread=True), FakeSink()
    pipeline = make([FakeSource("a", 5)], [main, other])
    caller = bounded(lambda: (pipeline.run(), threading.current_thread())[1])
    assert main.threads == {caller}
    assert other.threads and caller not in other.threads


def test_nothing_is_painted_that_nobody_wants():
    painted: list[int] = []

    def paint(frame: Frame, instances: Instances) -> np.ndarray:
        painted.append(frame.index)
        return frame.image

    bounded(make([FakeSource("a", 5)], [FakeSink()], paint=paint).run)
    assert not painted
    sinks = [Outlet(FakeSink(wants_picture=True), (1,)), FakeSink()]
    bounded(make([FakeSource("a", 5), FakeSource("b", 3)], sinks, paint=paint).run)
    assert painted == [0, 1, 2]
    for result in make([FakeSource("a", 1)], paint=paint):
        assert result.annotated() is result.annotated()
    assert painted == [0, 1, 2, 0]


def test_iterating_gives_the_results_in_order():
    pipeline = make([FakeSource("a", 9)], batch_size=2)
    assert bounded(lambda: [result.frame.index for result in pipeline]) == list(range(9))
    with pytest.raises(RuntimeError, match="once"):
        next(iter(pipeline))


def test_leaving_the_loop_stops_every_thread():
    sink = FakeSink()
    source = FakeSource("a", None)
    pipeline = make([source], [sink])
    iterator = iter(pipeline)
    assert bounded(lambda: next(iterator).frame.index) == 0
    bounded(iterator.close)
    assert source.closed.is_set() and sink.closed == [True]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("decode", "track", "paint"))]


def test_closing_needs_nobody_to_take_the_results():
    pipeline = make([FakeSource("a", None)], queue_length=1)
    iterator = iter(pipeline)
    next(iterator)
    bounded(pipeline.close)
    bounded(lambda: list(iterator))


def test_an_error_comes_out_of_the_iteration_after_the_results_before_it():
    pipeline = make([FakeSource("a", 9, fail_at=4)], queue_length=10)
    seen: list[int] = []

    def consume():
        for result in pipeline:
            seen.append(result.frame.index)

    with pytest.raises(StageError, match="decode a: OSError: the disk is gone"):
        bounded(consume)
    assert seen == list(range(len(seen)))


def test_a_closed_source_may_fail_under_its_reader():
    class Fragile(FakeSource):
        def __iter__(self):
            yield from super().__iter__()
            if self.closed.is_set():
                raise ValueError("file is closed")

    pipeline = make([Fragile("a", None)], [FakeSink()])
    threading.Timer(0.05, pipeline.stop).start()
    bounded(pipeline.run)
    assert pipeline.error is None


def test_statistics_gather_losses_notes_and_work():
    source = FakeSource("a", 5)
    source.losses["undecodable frames"] = 2
    source.notes.append("cut off")
    statistics = bounded(make([source], [FakeSink(wants_picture=True)]).run)
    assert statistics.streams[0].losses == {"undecodable frames": 2}
    assert statistics.streams[0].notes == ["cut off"]
    assert statistics.notes == ["kept 5"]
    assert set(statistics.busy) == {"decode a", "segment", "track a", "paint a", "write fake"}
    assert 0 < statistics.first_result_seconds <= statistics.seconds


class FakeWindow(FakeSink):
    """Needs the main thread, is polled, and pauses for ever at its third frame."""

    def __init__(self) -> None:
        super().__init__(on_main_thread=True)
        self.polls = 0
        self.paused = threading.Event()

    def poll(self) -> None:
        self.polls += 1

    def write(self, result: Result) -> None:
        super().write(result)
        if len(self.results) == 3:
            self.paused.set()
            while True:
                time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no signals to send")
def test_a_signal_ends_the_pause_of_a_window():
    window, other = FakeWindow(), FakeSink()
    pipeline = make([FakeSource("a", None)], [window, other])
    earlier = signal.signal(signal.SIGUSR1, lambda *_: pipeline.interrupt())
    sender = threading.Thread(
        target=lambda: window.paused.wait(PATIENT) and os.kill(os.getpid(), signal.SIGUSR1), daemon=True
    )
    try:
        sender.start()
        pipeline.run()
    finally:
        signal.signal(signal.SIGUSR1, earlier)
    assert pipeline.error is None
    assert window.closed == other.closed == [True]
    assert window.indices("a") == [0, 1, 2]
    assert other.indices("a") == list(range(pipeline.statistics.frames))


class RatedSink(FakeSink):
    """Wants to know how many frames the model sees and how many there are."""

    def rate(self, source: str, network: float, pictures: float) -> None:
        self.at[source] = self.at.get(source, 0) + (0 <= network < pictures)


@pytest.mark.parametrize(("stride", "told"), [(1, False), (4, True)])
def test_a_sink_that_asks_is_told_the_rates_where_they_differ(stride, told):
    sink = RatedSink()
    bounded(make([FakeSource("a", 40)], [sink], trackers=[SteadyTracker()], stride=stride).run)
    assert (sink.at.get("a", 0) > 0) is told


def test_windows_are_kept_alive_while_no_frame_comes():
    window = FakeWindow()
    bounded(make([FakeSource("a", 2, pace=0.1)], [window]).run)
    assert window.polls > 1 and window.indices("a") == [0, 1]
