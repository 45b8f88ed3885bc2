"""The track stage: recorded footage waits to be told with hindsight, whole, in order, and in bounded memory."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.errors import StageError
from streamseg.frame import Frame, StreamInfo
from streamseg.instances import Instances
from streamseg.pipeline import Outlet, Pipeline, following
from streamseg.pipeline.channel import Channel, Ended
from streamseg.pipeline.following import follow
from streamseg.pipeline.intake import Ticket
from streamseg.pipeline.stages import Segmented, Stage
from streamseg.pipeline.statistics import Statistics
from streamseg.planes import Picture, Planes
from streamseg.regions import Regions
from streamseg.result import Found, Result
from streamseg.sinks import Ending
from streamseg.tracking import Tracker, make_tracker
from streamseg.tracking.hindsight import Hindsight

PATIENT = 20.0
SIZE = (96, 128)
RATE = 20
NAMES = ("person",)


def seen(boxes: object, scores: object = 0.99) -> Instances:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(corners)
    labels, masks = np.zeros(count, np.int64), np.ones((count, 7, 7), np.float32)
    return Instances(corners, np.full(count, scores, np.float32), labels, masks, np.zeros(count, np.int64), NAMES)


def walker(number: float) -> list[float]:
    return [10 + number, 20, 30 + number, 80]


def walking(frames: int, missed: Sequence[int] = ()) -> list[Found]:
    return [seen([] if number in missed else [walker(number)]) for number in range(frames)]


def wild(seed: int, frames: int) -> list[Found]:
    """Four people wander about and are missed now and then."""
    rng = np.random.default_rng(seed)
    low = rng.uniform([0, 0], [100, 40], (4, 2)) + np.cumsum(rng.normal(0, 1, (frames, 4, 2)), axis=0)
    boxes = np.concatenate([low, low + np.array([18, 45])], axis=2)
    scores, there = 1 - rng.uniform(0, 1, (frames, 4)) ** 5, rng.random((frames, 4)) < 0.8
    return [seen(boxes[n][there[n]], scores[n][there[n]]) for n in range(frames)]


def tracker() -> Tracker:
    return make_tracker(camera=False, appearance=False)  # the pictures say nothing


class Footage:
    """A recorded source whose pictures say nothing but their number."""

    def __init__(self, frames: int | None, sizes: Sequence[tuple[int, int]] = (SIZE,)) -> None:
        self.info = StreamInfo("a", SIZE[1], SIZE[0], Fraction(1, RATE), frames=frames)
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._frames, self._sizes, self._closed = frames, sizes, threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        while number != self._frames and not self._closed.is_set():
            pixels = np.full((*self._sizes[number % len(self._sizes)], 3), number % 256, np.uint8)
            yield Frame(pixels, number, number, Fraction(1, RATE), "a")
            number += 1

    def close(self) -> None:
        self._closed.set()


class Kept:
    """A sink that keeps what it is given."""

    wants_picture = on_main_thread = wants_masks = False

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.changed = threading.Event()

    def open(self, info: StreamInfo) -> None:
        pass

    def write(self, result: Result) -> None:
        self.results.append(result)
        self.changed.set()

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        return []


def run(
    found: Sequence[Found], delay: float, follows: Tracker | None, source: Footage | None = None, **options: int
) -> list[Result]:
    """What comes out where a model finds ``found`` in footage of as many frames."""

    def segment(pictures: Sequence[np.ndarray]) -> list[Found]:
        return [found[int(picture[0, 0, 0])] for picture in pictures]

    sink, source = Kept(), source or Footage(len(found))
    pipeline = Pipeline(
        [source],
        segment,
        paint=lambda frame, _: frame.image,
        trackers=None if follows is None else [follows],
        outlets=[Outlet(sink, None, "write")],
        delay=delay,
        **options,
    )
    pipeline.run()
    assert [result.frame.index for result in sink.results] == list(range(len(found)))
    return sink.results


def same(one: Instances, other: Instances) -> bool:
    names = ("boxes", "scores", "labels", "masks", "ids")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@given(
    seed=st.integers(0, 1000),
    frames=st.integers(0, 40),
    delay=st.sampled_from([0.0, 0.1, 1.0]),
    sizes=st.fixed_dictionaries(
        {"batch_size": st.integers(1, 6), "queue_length": st.integers(1, 5), "workers": st.integers(1, 3)}
    ),
    stride=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_results_are_the_same_whatever_the_sizes(seed, frames, delay, sizes, stride):
    found = wild(seed, frames)
    plain = run(found, delay, tracker(), stride=stride)
    other = run(found, delay, tracker(), stride=stride, **sizes)
    assert all(same(a.instances, b.instances) for a, b in zip(plain, other, strict=True))
    hindsight: Hindsight[int] = Hindsight(tracker(), delay)
    direct = [each for n in range(0, frames, stride) for each in hindsight.update(n, found[n], n / RATE, SIZE)]
    for number, expected in direct + hindsight.finish():
        assert same(plain[number].instances, expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_with_a_delay_objects_have_their_identity_from_the_first_frame_on(stride):
    for number, result in enumerate(run(walking(40), 1.0, tracker(), stride=stride)):
        assert result.instances.ids.tolist() == [1]
        assert result.instances.boxes[0] == pytest.approx(walker(number), abs=0.01)
    assert [len(result.instances) for result in run(walking(40, range(12, 24)), 1.0, tracker(), stride=stride)] == [
        1
    ] * 40


def test_without_a_delay_results_are_what_was_known_at_the_time():
    ids = [result.instances.ids.tolist() for result in run(walking(40, range(12, 24)), 0.0, tracker())]
    assert (ids[0], ids[12:24], ids[-1]) == ([0], [[]] * 12, [1])


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("follows", [None, "none", "two_stage"])
def test_what_has_no_identities_passes_as_it_was_found(follows, stride):
    trackers = None if follows is None else make_tracker(follows)
    maps = [Regions(np.full(SIZE, number % 3, np.uint8), ("road", "sky")) for number in range(20)]
    for number, result in enumerate(run(maps, 1.0, trackers, stride=stride)):
        assert result.regions is maps[number - number % stride]
    if follows != "two_stage":
        results = run(walking(20), 1.0, trackers, stride=stride)
        for number in range(0, 20, stride):
            assert same(results[number].instances, walking(20)[number])


@pytest.mark.parametrize("stride", [1, 2])
def test_frames_may_change_their_size(stride):
    source = Footage(30, [SIZE, SIZE, (48, 64), (200, 30)])
    results = run(wild(1, 30), 0.5, tracker(), source, stride=stride)
    assert len({result.frame.image.shape for result in results}) == 3


def test_stopping_early_gives_all_that_was_found():
    sink, segmented = Kept(), []

    def segment(pictures: Sequence[np.ndarray]) -> list[Instances]:
        segmented.extend(pictures)
        return [seen([[10, 20, 30, 80]]) for _ in pictures]

    pipeline = Pipeline(
        [Footage(None)],
        segment,
        paint=lambda frame, _: frame.image,
        trackers=[tracker()],
        outlets=[Outlet(sink)],
        delay=1.0,
    )
    runner = threading.Thread(target=pipeline.run, daemon=True)
    runner.start()
    assert sink.changed.wait(PATIENT)
    pipeline.stop()
    runner.join(PATIENT)
    assert not runner.is_alive() and pipeline.error is None
    assert [result.frame.index for result in sink.results] == list(range(len(segmented)))
    assert all(result.instances.ids.tolist() == [1] for result in sink.results)
    assert len(sink.results) > RATE


def test_a_tracker_that_fails_ends_the_run_by_its_name():
    class Lost:
        def observe(self, *_: object) -> object:
            raise ValueError("lost track")

    with pytest.raises(StageError, match="track a: ValueError: lost track"):
        run(walking(200), 1.0, Lost())


class Following:
    """The track stage alone, in a thread; frames go in at one end and come out at the other."""

    def __init__(self, delay: float) -> None:
        self.inbox: Channel[Segmented] = Channel(1)
        self.outbox: Channel[Segmented] = Channel(1000)
        self.errors: list[Exception] = []
        stage = Stage("track", Statistics([Footage(None).info]), lambda _, error: self.errors.append(error))
        body = (tracker(), delay, self.inbox, self.outbox, stage)
        self.thread = threading.Thread(target=follow, args=body, daemon=True)
        self.thread.start()

    def put(self, number: int, pixels: Sequence[Picture]) -> None:
        """A frame, and those after it that the model did not see."""
        frames = [Frame(each, number + i, number + i, Fraction(1, RATE), "a") for i, each in enumerate(pixels)]
        first, *after = [Ticket(0, frame, 0.0) for frame in frames]
        assert self.inbox.put((Ticket(0, first.frame, 0.0, tuple(after)), seen([[10, 20, 30, 80]])))

    def came(self, count: int) -> list[int]:
        """The next frames; there must be no more for now."""
        indices = [self.outbox.get(PATIENT)[0].frame.index for _ in range(count)]
        with pytest.raises(queue.Empty):
            self.outbox.get(0.1)
        return indices

    def finish(self) -> list[int]:
        self.inbox.close()
        rest = []
        while True:
            try:
                rest.append(self.outbox.get(PATIENT)[0].frame.index)
            except Ended:
                self.thread.join(PATIENT)
                assert not self.errors
                return rest


def planes(side: int) -> Planes:
    half = np.zeros((side // 2, side // 2), np.uint8)
    return Planes(np.zeros((side, side), np.uint8), half, half.copy())


@pytest.mark.parametrize(
    ("pixels", "waiting"),
    [
        pytest.param(np.zeros((100, 100, 3), np.uint8), 10, id="as many as fit"),
        pytest.param(planes(100), 20, id="planes take half of it"),
        pytest.param(np.zeros((400, 400, 3), np.uint8), 1, id="one at least"),
        pytest.param(np.broadcast_to(np.uint8(0), (400, 400, 3)), 40, id="blank frames take nothing"),
        pytest.param(np.zeros((10, 10, 3), np.uint8), 40, id="the delay is over first"),
    ],
)
def test_the_memory_of_the_frames_that_wait_is_bounded(pixels, waiting, monkeypatch):
    monkeypatch.setattr(following, "_MOST_BYTES", 10 * 100 * 100 * 3)
    stage = Following(delay=2.0)
    for number in range(60):
        stage.put(number, [pixels])
    assert stage.came(60 - waiting) == list(range(60 - waiting))
    assert stage.finish() == list(range(60 - waiting, 60))


def test_frames_that_the_model_does_not_see_wait_too_and_count(monkeypatch):
    monkeypatch.setattr(following, "_MOST_BYTES", 12 * 100 * 100 * 3)
    stage = Following(delay=60.0)
    for number in range(0, 60, 3):
        stage.put(number, [np.zeros((100, 100, 3), np.uint8)] * 3)
    # Four looks wait, each with the two frames after it, and the two before the first of them wait for it.
    assert stage.came(46) == list(range(46))
    assert stage.finish() == list(range(46, 60))


def test_large_pictures_after_small_ones_count_as_what_they_are(monkeypatch):
    monkeypatch.setattr(following, "_MOST_BYTES", 5 * 200 * 200 * 3)
    stage = Following(delay=60.0)
    for number in range(10):
        stage.put(number, [np.zeros((20, 20, 3), np.uint8)])
    assert stage.came(0) == []
    stage.put(10, [np.zeros((200, 200, 3), np.uint8)])
    assert stage.came(6) == list(range(6))
    assert stage.finish() == list(range(6, 11))
