"""What a tracker remembers can be taken out and put into a new one, which goes on exactly as it would have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.instances import Instances, Pasting
from streamseg.tracking import TRACKERS, Tracker, make_tracker
from streamseg.tracking.observation import Observation
from streamseg.tracking.state import from_bytes, to_bytes
from streamseg.tracking.stateful import Stateful

SIZE = (120, 160)
RATE, FRAMES = 10, 40
COLOURS = ((200, 30, 30), (30, 160, 40), (40, 60, 200), (230, 220, 60), (120, 30, 160))
CAMERAS = ("stands", "moves", "cuts", "blind")
PLAIN = {"camera": False, "appearance": False, "masks": False}


@dataclass(frozen=True)
class Moment:
    """A frame: its time, what was detected in it, and its picture, if there is one."""

    seconds: float
    found: Instances
    picture: np.ndarray | None

    def follow(self, tracker: Tracker) -> Observation:
        return tracker.observe(self.found, self.seconds, SIZE, self.picture)


@lru_cache
def background(seed: int, blur: float) -> np.ndarray:
    coarse = np.kron(np.random.default_rng(seed).integers(60, 200, (30, 60), np.uint8), np.ones((10, 10), np.uint8))
    return cv2.normalize(cv2.GaussianBlur(coarse, (0, 0), blur), None, 20, 230, cv2.NORM_MINMAX)


@lru_cache
def footage(seed: int = 0, camera: str = "stands", pasting: Pasting = "aligned") -> Sequence[Moment]:
    """Five people in colours of their own walk to and fro; each is away for a second now and then; some are invented.

    The camera stands, or moves from the 20th frame on, or shows another place then, badly; or there are no pictures.
    """
    rng, moments = np.random.default_rng(seed), []
    for step in range(FRAMES):
        right = 3 * max(0, step - 20) + (step % 2 if step > 20 else 0) if camera == "moves" else 0
        elsewhere = camera == "cuts" and step >= 20
        scene = background(seed + elsewhere, 12.0 if elsewhere else 0.8)[40:160, 60 + right : 220 + right]
        picture = np.repeat((scene + rng.integers(0, 4, scene.shape, np.uint8))[..., None], 3, axis=2)
        low = np.column_stack([30 * np.arange(5) + 8 * np.sin(step / 8 + np.arange(5)) - right, 30 + 5 * np.arange(5)])
        there = np.flatnonzero((np.arange(5) * 13 + step) % 30 > 9)
        for row in there:
            x, y = low[row].astype(int).clip(0)
            picture[y : y + 55, x : x + 22] = COLOURS[row]
        invented = rng.uniform(0, 80, (rng.integers(0, 3), 2))
        corners = np.concatenate([low[there], invented])
        boxes = np.concatenate([corners, corners + np.array([22, 55])], axis=1) + rng.normal(0, 0.5, (len(corners), 4))
        scores = np.concatenate([1 - rng.uniform(0, 1, len(there)) ** 6, rng.uniform(0.2, 0.7, len(invented))])
        masks = rng.uniform(0.2, 1, (len(boxes), 9, 9)).astype(np.float32)
        labels = (rng.random(len(boxes)) < 0.1).astype(np.int64)
        detected = boxes.astype(np.float32), scores.astype(np.float32), labels, masks, np.zeros(len(boxes), np.int64)
        found = Instances(*detected, ("person", "cycle"), pasting)
        moments.append(Moment(step / RATE, found, None if camera == "blind" else picture))
    return moments


def tracker(name: str = "two_stage", **settings: Any) -> Tracker:
    return make_tracker(name, lost_seconds=0.4, **settings)


def handed_over(old: Tracker, new: Tracker) -> Tracker:
    """A new tracker with the state of another one, by way of bytes."""
    new.restore(from_bytes(to_bytes(old.state())))
    return new


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last bit, of the same types, and lie in memory in the same way."""
    if isinstance(one, np.ndarray):
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        axes = [np.argsort([-stride for stride in each.strides], kind="stable").tolist() for each in (one, other)]
        return alike and axes[0] == axes[1] and one.tobytes() == other.tobytes()
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (Instances, Observation)):
        return all(same(getattr(one, each.name), getattr(other, each.name)) for each in fields(one) if each.init)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def goes_on_alike(first: Tracker, second: Tracker, moments: Sequence[Moment]) -> None:
    for moment in moments:
        for ahead in (0.03, 0.3):
            assert same(
                first.carry(moment.seconds - 0.1 + ahead, SIZE), second.carry(moment.seconds - 0.1 + ahead, SIZE)
            )
        assert same(moment.follow(first), moment.follow(second))
        assert same(first.state(), second.state())


@pytest.mark.parametrize(
    ("choice", "camera", "pasting"),
    [
        *(({}, camera, "aligned") for camera in CAMERAS),
        *(({}, camera, "box") for camera in CAMERAS),
        ({"camera": False}, "moves", "aligned"),
        ({"camera": False}, "moves", "box"),
        ({"appearance": False}, "cuts", "torchvision"),
        ({"masks": False}, "stands", "aligned"),
        (PLAIN, "blind", "aligned"),
        (PLAIN, "blind", "box"),
    ],
    ids=str,
)
def test_a_tracker_made_anew_for_every_frame_goes_on_as_one(
    choice: dict[str, Any], camera: str, pasting: Pasting
) -> None:
    whole, piece = tracker(**choice), tracker(**choice)
    for moment in footage(3, camera, pasting):
        piece = handed_over(piece, tracker(**choice))
        goes_on_alike(whole, piece, [moment])


@given(
    seed=st.integers(0, 1000),
    cut=st.integers(0, FRAMES),
    camera=st.sampled_from(CAMERAS),
    name=st.sampled_from([*TRACKERS]),
)
@settings(max_examples=12, deadline=None)
def test_a_run_cut_at_any_frame_goes_on_as_if_nothing_had_happened(seed: int, cut: int, camera: str, name: str) -> None:
    moments, first = footage(seed, camera), tracker(name)
    for moment in moments[:cut]:
        moment.follow(first)
    goes_on_alike(first, handed_over(first, tracker(name)), moments[cut:])


@pytest.mark.parametrize("camera", ["stands", "moves"])
def test_time_may_run_back_or_be_whole_seconds(camera: str) -> None:
    moments = [replace(each, seconds=int(each.seconds) - 100 * (n > 25)) for n, each in enumerate(footage(1, camera))]
    whole, piece = tracker(), tracker()
    for moment in moments:
        piece = handed_over(piece, tracker())
        goes_on_alike(whole, piece, [moment])


def used(name: str) -> tuple[Tracker, list[dict[str, Any]]]:
    """A tracker after it has seen much, and its states on the way."""
    follower, states = tracker(name), []
    for moment in (*footage(3, "stands"), *footage(3, "cuts")):
        moment.follow(follower)
        states.append(follower.state())
    return follower, states


def test_the_footage_has_all_that_is_hard_to_remember() -> None:
    """Else the tests above say little."""
    _, states = used("two_stage")
    assert any(state["camera"]["still"] for state in states) and any(state["camera"]["cut"] for state in states)
    remembered = [len(state["gallery"]["_known"]["ids"]) for state in states]
    assert (np.diff(remembered) < 0).any(), "somebody came back"


def parts(thing: Any) -> Iterator[Any]:
    """A thing and all within it that remember something."""
    yield thing
    for each in fields(thing):
        if isinstance(part := getattr(thing, each.name), Stateful):
            yield from parts(part)


def leaves(state: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The values of a state, each with the names that lead to it."""
    inner = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else None
    if inner is None:
        yield path, state
    else:
        for key, each in inner:
            yield from leaves(each, (*path, key))


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_whatever_changes_is_part_of_the_state(name: str) -> None:
    """Who adds something that a tracker remembers, and does not say so, is told here."""
    follower, states = used(name)
    for thing, fresh in zip(parts(follower), parts(tracker(name)), strict=True):
        assert not hasattr(thing, "__dict__"), f"{type(thing)} can hold what no field of it says"
        for each in fields(thing):
            value = getattr(thing, each.name)
            if each.name not in thing.state():
                hash(value)  # else it could be changed
                assert each.init and value == getattr(fresh, each.name), f"{type(thing)}: {each.name} is no setting"
    later = [dict(leaves(state)) for state in states]
    first = dict(leaves(tracker(name).state()))
    stays = {path for path, value in first.items() if all(path in one and same(value, one[path]) for one in later)}
    assert stays <= {("_shown", "trails"), ("_shown", "ids")}, "test more, or make them settings"


def test_a_state_shares_no_memory_with_trackers() -> None:
    moments, first = footage(3), tracker()
    for moment in moments[:20]:
        moment.follow(first)
    state = first.state()
    before = to_bytes(state)
    second, third = tracker(), tracker()
    second.restore(state)
    for moment in moments[20:]:
        moment.follow(first), moment.follow(second)
    assert to_bytes(state) == before
    third.restore(state)
    for _, value in leaves(state):
        if isinstance(value, np.ndarray):
            value.fill(0)
    assert to_bytes(third.state()) == before


def changed(state: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same state with another value at a place."""
    if not path:
        return value
    copy = state.copy()
    copy[path[0]] = changed(state[path[0]], path[1:], value)
    return copy


WRONG = (None, True, 3, 0.5, "a", [], [1], {}, np.zeros(0, complex), np.zeros((1, 1, 1, 1)), np.array(2.0))


def refused(follower: Tracker, state: Any) -> None:
    before = follower.state()
    with pytest.raises(ValueError, match="not the state of such a tracker: "):
        follower.restore(state)
    assert same(follower.state(), before), "it is as it was"


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_what_does_not_fit_is_refused(name: str) -> None:
    follower, states = used(name)
    state = states[-1]
    for path, value in leaves(state):
        for wrong in WRONG:
            if type(wrong) is not type(value) or isinstance(value, np.ndarray):
                refused(follower, changed(state, path, wrong))
    for wrong in WRONG:
        refused(follower, wrong)
    refused(follower, {**state, "more": 1})
    for key in state:
        refused(follower, {other: state[other] for other in state if other != key})


def test_states_of_other_trackers_are_refused() -> None:
    kinds = [tracker("none"), *(tracker(**choice) for choice in ({}, {"camera": False}, {"appearance": False}, PLAIN))]
    for one in kinds:
        for other in kinds:
            if one is not other:
                refused(one, other.state())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("_rows",), np.array([99])),
        (("_rows",), np.array([-2])),
        (("_motion", "_cov"), np.zeros((3, 1, 4))),
        (("_motion", "_mean"), np.zeros((3, 5, 4))),
        (("_tracks", "ids"), np.zeros(1, int)),
        (("_shown", "scores"), np.zeros(50, np.float32)),
        (("_shown", "trails"), np.zeros((50, 1, 3), np.float32)),
        (("camera", "_small"), np.zeros((5, 5), np.uint8)),
        (("camera", "_shape"), [-1, 160]),
        (("camera", "_shape"), [120, 161]),
        (("camera", "_since"), np.eye(4)),
        (("camera", "_watch", "places"), np.full((60, 2), 160)),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_parts_that_contradict_each_other_are_refused(path: tuple[str, ...], value: Any) -> None:
    follower, states = used("two_stage")
    refused(follower, changed(states[-1], path, value))
