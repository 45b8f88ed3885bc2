"""A crowded street seen from across it: people, cars and cycles that hide one another again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from streamseg.scenes import bodies, cycles, people
from streamseg.scenes.bodies import Body
from streamseg.scenes.geometry import Camera
from streamseg.scenes.lens import Lens, expose, metered
from streamseg.scenes.stage import paint
from streamseg.scenes.street import KERB, random_street
from streamseg.scenes.truth import SceneFrame, visible
from streamseg.scenes.weather import cloud_map, random_light

HALF = 3.6
"""Half the road's width, metres."""
MOVING = 3
"""Every so manieth seed has a camera that moves."""
_STEP = 0.1  # of the plan, seconds
_FOCAL = 0.72  # of the picture's width
_TRIES = 30  # to find a way for somebody on which nobody is met
_ELBOWS = np.full(2, 0.17)  # the room of somebody on foot, metres


def render_crossings(
    seed: int, seconds: float = 20.0, width: int = 640, height: int = 360, rate: int = 12
) -> Iterator[SceneFrame]:
    """A dense crowd, frame by frame: walkers who cross, go in pairs, stop and turn round, before and behind cars.

    Nobody walks through anybody. The camera stands still, except that every third seed (2, 5, 8 ...) has one that
    strolls and pans.

    Args:
        seed: The same seed gives the same clip.
        seconds: Length of the clip.
        width: Columns, pixels.
        height: Rows, pixels.
        rate: Frames per second.
    """
    rng = np.random.default_rng(seed)
    light = random_light(rng, str(rng.choice(["sunny", "overcast", "low"])))
    street = random_street(rng, light, max(4.0, width / 28), "square", 60, 5, HALF, ())
    view = _View(-HALF - float(rng.uniform(7.5, 9.5)), float(rng.uniform(1.7, 3.0)), seed % MOVING == MOVING - 1)
    actors = _Plan(rng, seconds, view).actors
    clouds, grain = cloud_map(rng), np.random.default_rng(seed + 1)
    lens = Lens(np.ones(3), 1.02, 0.35 * width / 1280, vignette=0.2, noise=1.6)
    for index in range(round(seconds * rate)):
        now = index / rate
        camera = view.camera(now, width, height)
        image, slots, shown = paint(street, [actor(now) for actor in actors], camera, light, clouds)
        lens = lens if index else metered(lens, image, 115.0)
        yield SceneFrame(expose(image, lens, grain), visible(slots, [(body.id, body.label) for body in shown]), now)


@dataclass(frozen=True, slots=True)
class _View:
    """Somebody with a camera on the near pavement, looking across the street; metres."""

    x: float
    height: float
    moves: bool

    def camera(self, now: float, width: int, height: int) -> Camera:
        y, turn = (1.3 * np.sin(0.6 * now), 0.10 * np.sin(0.9 * now)) if self.moves else (0.0, 0.0)
        place, pitch = (self.x, float(y), self.height), -0.05 * self.height
        return Camera.looking(width, height, _FOCAL * width, place, np.pi / 2 + float(turn), pitch)

    def reach(self, x: float) -> float:
        """How far to each side of the middle is seen at ``x``."""
        return 0.5 / _FOCAL * (x - self.x)


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """Where something is at each step of the plan, and how much room it takes.

    Attributes:
        places: float [T, 2], x and y.
        room: float [2], half of what it covers across and along the street, with the distance that is kept.
    """

    places: np.ndarray
    room: np.ndarray

    def at(self, now: float) -> np.ndarray:
        """X and y then, float [2]."""
        steps = np.arange(len(self.places))
        return np.array([np.interp(now / _STEP, steps, self.places[:, axis]) for axis in (0, 1)])

    def meets(self, other: _Way, start: int) -> bool:
        """Whether this one, which begins ``start`` steps later, comes to a place while the other is there."""
        ours, theirs = self.places, other.places[start:]
        count = min(len(ours), len(theirs))
        return bool((np.abs(ours[:count] - theirs[:count]) < self.room + other.room).all(axis=1).any())


@dataclass(slots=True, eq=False)
class _Plan:
    """Everybody, and where they will be: first what drives, then who walks around it."""

    rng: np.random.Generator
    seconds: float
    view: _View
    actors: list[Callable[[float], Body]] = field(default_factory=list)
    ways: list[_Way] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._parked()
        for lane in (-1, 1):
            self._lane(lane)
        for add, least, most in ((self._cyclist, 1, 3), (self._walker, 9, 13), (self._passer, 2, 4)):
            for _ in range(int(self.rng.integers(least, most + 1))):
                add()

    @property
    def _times(self) -> np.ndarray:
        return np.arange(int(self.seconds / _STEP) + 2) * _STEP

    def _straight(self, x: float, y: float, speed: float) -> np.ndarray:
        """Along the street from ``y`` at time 0, at ``speed`` metres per second: float [T, 2]."""
        return np.stack([np.full(len(self._times), x), y + speed * self._times], axis=1)

    def _parked(self) -> None:
        """A car or two at the near kerb, behind which and before which people pass."""
        y = -self.view.reach(-HALF) + float(self.rng.uniform(1.0, 4.0))
        for _ in range(int(self.rng.integers(1, 3))):
            self._vehicle(-HALF + 1.0, y, 0.0, "car")
            y += float(self.rng.uniform(6.5, 8.5))

    def _lane(self, lane: int) -> None:
        """Cars of one direction, one after the other at the same speed."""
        speed = float(self.rng.uniform(2.5, 5.0))
        y = float(self.rng.uniform(-6, 6))
        while abs(y) < speed * self.seconds + self.view.reach(HALF):
            kind = str(self.rng.choice(["car", "van", "bus"], p=[0.7, 0.2, 0.1]))
            self._vehicle(0.9 + lane * 1.25, y, lane * speed, kind)
            y -= lane * float(self.rng.uniform(13, 26))

    def _vehicle(self, x: float, y: float, speed: float, kind: str) -> None:
        mesh, size = bodies.random_vehicle(self.rng, False, kind=kind)
        way = _Way(self._straight(x, y, speed), np.array([size[1], size[0]]) / 2 + 0.1)
        identity, heading = len(self.actors) + 1, 0.0 if speed >= 0 else np.pi

        def at(now: float) -> Body:
            x, y = way.at(now).tolist()
            return bodies.vehicle(identity, x, y, heading, 0.0, mesh, size)

        self._add(way, at)

    def _cyclist(self) -> None:
        """Somebody who rides through on the near side of the parked cars."""
        way = self._through(np.array([2.5, 4.0]), np.array([0.35, 0.95]), lambda: (-HALF - 2.2, -HALF - 0.7))
        if way is None:
            return
        rider, identity = cycles.random_rider(self.rng), len(self.actors) + 1
        heading = 0.0 if way.places[1, 1] > way.places[0, 1] else np.pi

        def at(now: float) -> Body:
            x, y = way.at(now).tolist()
            return bodies.cycle(identity, x, y, heading, KERB, rider, y / 0.5)

        self._add(way, at)

    def _passer(self) -> None:
        """Somebody who walks through from one side to the other."""
        way = self._through(np.array([1.0, 1.9]), _ELBOWS, self._band)
        if way is not None:
            self._on_foot(way)

    def _through(self, pace: np.ndarray, room: np.ndarray, band: Callable[[], tuple[float, float]]) -> _Way | None:
        """Straight through, past the middle of the picture at some time; None where somebody would always be met.

        ``pace`` is the least and the greatest speed, ``band`` tells between which x and x.
        """
        for _ in range(_TRIES):
            speed = float(self.rng.choice([-1, 1]) * self.rng.uniform(*pace))
            y = -speed * float(self.rng.uniform(0, self.seconds))
            way = _Way(self._straight(float(self.rng.uniform(*band())), y, speed), room)
            if self._free(way):
                return way
        return None

    def _walker(self) -> None:
        """Somebody who stays in sight, alone or with a companion, and stops and turns round again and again."""
        beside = np.array([self.rng.choice([-1, 1]) * 0.45, self.rng.uniform(0.1, 0.35)])
        together = (np.zeros(2), beside) if self.rng.random() < 0.3 else (np.zeros(2),)
        for _ in range(_TRIES):
            places = self._wander(*self._band(), together)
            if places is not None:
                for aside in together:
                    self._on_foot(_Way(places + aside, _ELBOWS))
                return

    def _band(self) -> tuple[float, float]:
        """A strip of pavement, from x to x: mostly the near one, at times the far one."""
        if self.rng.random() < 0.15:
            return HALF + 0.3, HALF + 2.5
        low = float(self.rng.uniform(self.view.x + 4.3, -HALF - 1.2))
        return low, min(low + 1.6, -HALF - 0.3)

    def _wander(self, low: float, high: float, together: tuple[np.ndarray, ...]) -> np.ndarray | None:
        """From one side of the picture to the other and back, with halts, between two values of x: float [T, 2].

        None where somebody would be met; ``together`` are the places of all who go this way, beside it.
        """
        rng, side = self.rng, float(self.rng.choice([-1, 1]))
        reach = 0.8 * self.view.reach(low)
        places = np.array([[rng.uniform(low, high), rng.uniform(-reach, reach)]])
        while len(places) < len(self._times):
            for _ in range(_TRIES):
                goal = np.array([rng.uniform(low, high), side * rng.uniform(-0.2, 1.0) * reach])
                leg = goal - places[-1]
                steps = int(np.linalg.norm(leg) / rng.uniform(0.7, 1.6) / _STEP) + 1
                halt = int(rng.uniform(0.8, 2.5) / _STEP) if rng.random() < 0.3 else 0
                longer = places[-1] + leg * np.minimum(np.arange(1, steps + halt + 1) / steps, 1)[:, None]
                if all(self._free(_Way(longer + aside, _ELBOWS), len(places)) for aside in together):
                    break
            else:
                return None
            places, side = np.concatenate([places, longer]), -side
        return places[: len(self._times)]

    def _on_foot(self, way: _Way) -> None:
        """Add somebody who walks this way, looks ahead, and stands where it rests."""
        person, identity, offset = people.look(self.rng), len(self.actors) + 1, float(self.rng.uniform(0, 6.28))
        pieces = np.diff(way.places, axis=0)
        lengths = np.linalg.norm(pieces, axis=1)
        gone = np.concatenate([[0.0], np.cumsum(lengths)])
        moving = np.maximum.accumulate(np.where(lengths > 0, np.arange(len(lengths)), 0))
        headings = np.unwrap(np.arctan2(*pieces[moving].T))
        headings = np.convolve(np.pad(headings, 2, mode="edge"), np.full(5, 0.2), "valid")
        strides = np.convolve(np.pad(lengths / _STEP / 1.4, 2, mode="edge"), np.full(5, 0.2), "valid").clip(0, 1)

        def at(now: float) -> Body:
            x, y = way.at(now).tolist()
            step, steps = now / _STEP, np.arange(len(lengths))
            walked = float(np.interp(step, np.arange(len(gone)), gone))
            heading, stride = float(np.interp(step, steps, headings)), float(np.interp(step, steps, strides))
            z = KERB * float(np.clip((abs(x) - HALF + 0.15) / 0.3, 0, 1))
            phase = offset + 2 * np.pi * walked / (0.84 * person.height)
            return bodies.person(identity, x, y, heading, z, person, phase, stride)

        self._add(way, at)

    def _free(self, way: _Way, start: int = 0) -> bool:
        return not any(way.meets(other, start) for other in self.ways)

    def _add(self, way: _Way, actor: Callable[[float], Body]) -> None:
        self.ways.append(way)
        self.actors.append(actor)
