"""A drive along a street: who is there, how they move, and the frames of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from streamseg.scenes import bodies, cycles, people
from streamseg.scenes.bodies import Body
from streamseg.scenes.geometry import Camera
from streamseg.scenes.lens import Lens, expose
from streamseg.scenes.stage import paint
from streamseg.scenes.street import KERB, Street, random_street
from streamseg.scenes.traffic import Driver, drive
from streamseg.scenes.truth import SceneFrame, visible
from streamseg.scenes.weather import Light, cloud_map, random_light

HALF = 5.7
LANE = 1.75
Actor = Callable[[float], Body]


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """A planned clip: the street, everybody in it, and the car with the camera."""

    street: Street
    actors: list[Actor]
    car: Driver


def render_clip(
    seed: int, seconds: float, width: int = 1280, height: int = 720, rate: int = 30, every: int = 1
) -> Iterator[SceneFrame]:
    """A street seen from a moving car, frame by frame.

    Args:
        seed: The same seed gives the same clip.
        seconds: Length of the clip.
        width: Columns, pixels.
        height: Rows, pixels.
        rate: Frames per second.
        every: Render only each so manieth frame; light meter and sensor noise then see only these.
    """
    rng = np.random.default_rng(seed)
    light = random_light(rng, "sunny")
    side = 1 if rng.random() < 0.5 else -1
    azimuth, elevation = side * rng.uniform(0.5, 1.0), rng.uniform(0.75, 0.95)
    sun = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
    light = replace(light, sun=sun, clouds=0.45, haze=260.0)
    plan = _plan(rng, seconds, scale=max(4.0, min(44.0, width / 28)), light=light)
    clouds = cloud_map(rng)
    grain = np.random.default_rng(seed + 1)
    meter: float | None = None
    for index in range(0, round(seconds * rate), every):
        now = index / rate
        veil = 0.30 + 0.70 * _ease((np.cos(2 * np.pi * (now - 1.0) / 7.5) + 0.55) / 1.1)
        lit = replace(light.dimmed(veil), ambient=light.ambient * (1.10 - 0.10 * veil))
        camera = _camera(plan.car, now, width, height)
        image, slots, shown = paint(plan.street, [actor(now) for actor in plan.actors], camera, lit, clouds)
        image = _rush(image, plan.car, now, rate)
        mean = float(image[::4, ::4].mean())
        meter = mean if meter is None else meter + min(1.0, 0.06 * every) * (mean - meter)
        gain = np.clip((112 / meter) ** 0.7, 0.8, 1.8) * np.array([1.01, 1.0, 0.99])
        lens = Lens(gain, 1.02, 0.35 * width / 1280, vignette=0.22, noise=1.6)
        image = expose(image, lens, grain)
        yield SceneFrame(image, visible(slots, [(body.id, body.label) for body in shown]), now)


def _ease(x: float) -> float:
    x = float(np.clip(x, 0, 1))
    return x * x * (3 - 2 * x)


def _camera(car: Driver, now: float, width: int, height: int) -> Camera:
    """The dashcam, nodding a little with the road and with the brakes."""
    y = car.at(now)
    nod = 0.0022 * np.sin(7.1 * now) + 0.0016 * np.sin(0.9 * y) + 0.0012 * np.sin(17.3 * now)
    weight = (car.at(now + 0.15) - 2 * car.at(now) + car.at(now - 0.15)) / 0.15**2 if now > 0.2 else 0.0
    pitch = -0.035 + nod + 0.004 * np.clip(weight, -4, 4) / 4
    sway = 0.0035 * np.sin(0.8 * now + 1)
    place = (LANE + 0.06 * np.sin(0.7 * now), y, 1.42 + 0.008 * np.sin(11 * now))
    return Camera.looking(width, height, 0.88 * width, place, sway, float(pitch), 0.003 * float(np.sin(2.3 * now)))


def _rush(image: np.ndarray, car: Driver, now: float, rate: int) -> np.ndarray:
    """Motion blur of driving ahead, growing away from where the car is heading; half the frame time of shutter."""
    travel = (car.at(now + 0.5 / rate) - car.at(now)) * 0.5
    if travel < 0.02:
        return image
    height, width = image.shape[:2]
    total = image.astype(np.float32)
    for share in (0.33, 0.67):
        zoom = 1 + travel * share * 0.07
        matrix = np.array([[zoom, 0, width / 2 * (1 - zoom)], [0, zoom, height * 0.46 * (1 - zoom)]])
        total += cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (total / 3).astype(np.uint8)


def _plan(rng: np.random.Generator, seconds: float, scale: float, light: Light) -> Drive:
    reach = 8.5 * seconds + 40
    zebras = tuple(np.arange(30.0, reach, 75.0).tolist())
    street = random_street(rng, light, scale, "city", reach + 120, 9, HALF, zebras)
    street = replace(street, centre_line="dashed", parking=True)
    actors: list[Actor] = []
    car, opened = _traffic(rng, actors, zebras, seconds)
    _parked(rng, actors, zebras, reach + 60)
    for zebra in zebras:
        _crossers(rng, actors, street, zebra, opened.get(zebra, 1e3))
    _strollers(rng, actors, street, reach + 50)
    return Drive(street, actors, car)


def _traffic(
    rng: np.random.Generator, actors: list[Actor], zebras: tuple[float, ...], seconds: float
) -> tuple[Driver, dict[float, float]]:
    """Cars and cycles on both lanes; returns the one with the camera and when each crossing opens."""
    car = Driver(0.0, 1, 8.2, 7.5)
    lead, second = Driver(14.5, 1, 8.6, 4.4), Driver(40.0, 1, 9.0, 4.6)
    oncoming = [Driver(float(y), -1, float(rng.uniform(7, 8.5)), 5.0) for y in (22.0, 43.0, 60.0, 84.0)]
    oncoming += [Driver(float(y), -1, 8.0, 5.0) for y in np.arange(110, 110 + 9 * seconds, 26.0)]
    with_us = [Driver(26.0, 1, 6.2, 1.8), Driver(11.0, 1, 4.9, 1.8)]
    against = [Driver(38.0, -1, 4.4, 1.8), Driver(66.0, -1, 6.5, 1.8), Driver(95.0, -1, 4.8, 1.8)]
    kinds = ["van", "car", "bus", "car", "lorry"]
    for index, driver in enumerate([lead, second, *oncoming]):
        actors.append(
            _driven(len(actors) + 1, driver, int(rng.integers(1 << 30)), "car" if index < 2 else kinds[(index - 2) % 5])
        )
    for driver in [*with_us, *against]:
        rider = replace(cycles.random_rider(rng), motor=driver in (with_us[0], against[1]))
        actors.append(_ridden(len(actors) + 1, driver, rider, driver.ahead * (LANE + 1.15)))
    lanes = [[second, lead, car], oncoming, with_us, against]
    return car, drive(lanes, car, lead, zebras, seconds)


def _driven(identity: int, driver: Driver, seed: int, kind: str) -> Actor:
    heading = 0.0 if driver.ahead > 0 else np.pi
    rolling, size = bodies.random_vehicle(np.random.default_rng(seed), False, kind=kind)
    slowing, _ = bodies.random_vehicle(np.random.default_rng(seed), False, braking=True, kind=kind)
    driver.length = size[0]

    def at(now: float) -> Body:
        mesh = slowing if driver.braking(now) else rolling
        return bodies.vehicle(identity, driver.ahead * LANE, driver.at(now), heading, 0.0, mesh, size)

    return at


def _ridden(identity: int, driver: Driver, rider: cycles.Rider, x: float) -> Actor:
    heading = 0.0 if driver.ahead > 0 else np.pi

    def at(now: float) -> Body:
        y = driver.at(now)
        turned = abs(y - driver.y) / (0.95 if not rider.motor else 0.3)
        return bodies.cycle(identity, x + 0.05 * float(np.sin(2 * now)), y, heading, 0.0, rider, turned)

    return at


def _parked(rng: np.random.Generator, actors: list[Actor], zebras: tuple[float, ...], reach: float) -> None:
    for side in (-1, 1):
        y = float(rng.uniform(3, 8))
        while y < reach:
            free = min((abs(y - zebra) for zebra in zebras), default=99.0) < 7.0
            if not free and rng.random() < 0.5:
                mesh, size = bodies.random_vehicle(rng, False, kind="car" if rng.random() < 0.85 else "van")
                x = side * (HALF - 0.2 - size[1] / 2) + float(rng.normal(0, 0.05))
                turn = (0.0 if side > 0 else np.pi) + float(rng.normal(0, 0.015))
                actors.append(_still(bodies.vehicle(len(actors) + 1, x, y, turn, 0.0, mesh, size)))
            y += float(rng.uniform(5.8, 7.4))


def _still(body: Body) -> Actor:
    return lambda now: body


def _crossers(rng: np.random.Generator, actors: list[Actor], street: Street, zebra: float, opens: float) -> None:
    """People who wait at a crossing, walk over it, and go on along the other pavement."""
    wait, out = HALF + 0.7, HALF + min(1.6, street.pavement * 0.5)
    for side, delay in ((-1, -1.8), (1, 0.1), (1, 0.7), (-1, -0.8), (1, 1.5)):
        y = zebra + float(rng.uniform(-1.2, 1.2))
        turn = float(rng.choice([-1, 1])) * 40
        path = np.array(
            [
                [side * wait, y],
                [-side * (wait - 0.3), y + 0.3],
                [-side * out, y + np.sign(turn)],
                [-side * out, y + turn],
            ]
        )
        actors.append(_walker(len(actors) + 1, rng, path, float(rng.uniform(1.45, 1.7)), opens + delay))


def _strollers(rng: np.random.Generator, actors: list[Actor], street: Street, reach: float) -> None:
    """People along both pavements, some in pairs, a few standing about."""
    for side in (-1, 1):
        for y in np.cumsum(rng.uniform(6.0, 22.0, int(reach / 13))):
            x = side * (HALF + float(rng.uniform(1.1, max(1.2, street.pavement - 0.5))))
            way = float(rng.choice([-1, 1]))
            pace = float(rng.uniform(1.0, 1.6))
            for aside in (0.0, 0.55) if rng.random() < 0.25 else (0.0,):
                path = np.array([[x + aside, y], [x + aside, y + way * 300]])
                start = 1e4 if rng.random() < 0.15 and not aside else -1.0
                actors.append(_walker(len(actors) + 1, rng, path, pace, start))


def _walker(identity: int, rng: np.random.Generator, path: np.ndarray, pace: float, start: float) -> Actor:
    """Somebody who stands at a path's first point until ``start`` and then walks along it."""
    person = people.look(rng)
    offset = float(rng.uniform(0, 2 * np.pi))
    pieces = np.linalg.norm(np.diff(path, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(pieces)])

    def spot(distance: float) -> np.ndarray:
        return np.array([np.interp(distance, along, path[:, 0]), np.interp(distance, along, path[:, 1])])

    def at(now: float) -> Body:
        gone = max(0.0, now - start) * pace
        where = spot(gone)
        ahead = spot(gone + 0.45) - spot(max(0.0, gone - 0.45))
        heading = float(np.arctan2(ahead[0], ahead[1]))
        stride = _ease((now - start) / 0.5) * min(1.0, pace / 1.4)
        z = KERB * _ease((abs(where[0]) - HALF + 0.15) / 0.3)
        phase = offset + 2 * np.pi * gone / (0.84 * person.height)
        return bodies.person(identity, float(where[0]), float(where[1]), heading, z, person, phase, stride)

    return at
