"""Single pictures of random scenes: many cameras, streets, lights and crowds, for training."""

from __future__ import annotations

import numpy as np

from streamseg.scenes import bodies, cycles, people
from streamseg.scenes.bodies import Body
from streamseg.scenes.geometry import Camera
from streamseg.scenes.lens import expose, metered, random_lens
from streamseg.scenes.mesh import Mesh
from streamseg.scenes.stage import in_view, paint
from streamseg.scenes.street import KERB, Street, random_street
from streamseg.scenes.truth import SceneFrame, visible
from streamseg.scenes.weather import Light, cloud_map, random_light

NOTHING = Mesh(np.zeros((0, 4, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0))


def render_still(seed: int, width: int = 512, height: int = 320) -> SceneFrame:
    """One frame of a random scene.

    Args:
        seed: The same seed gives the same picture and truth.
        width: Columns, pixels.
        height: Rows, pixels.
    """
    rng = np.random.default_rng(seed)
    light = random_light(rng)
    street = random_street(rng, light, scale=22, fronts=4)
    camera = _camera(rng, street, width, height)
    crowd = _crowd(rng, street, camera, light)
    image, slots, shown = paint(street, crowd, camera, light, cloud_map(rng))
    lens = metered(random_lens(rng), image, float(rng.uniform(60, 90) if light.dusk else rng.uniform(95, 135)))
    image = expose(image, lens, rng)
    return SceneFrame(image, visible(slots, [(body.id, body.label) for body in shown]), 0.0)


def _camera(rng: np.random.Generator, street: Street, width: int, height: int) -> Camera:
    focal = width * float(rng.uniform(0.65, 1.5))
    kind = rng.choice(["dash", "walker", "security"], p=[0.45, 0.33, 0.22])
    edge = street.half + street.pavement
    roll = float(rng.normal(0, 0.012))
    if kind == "dash":
        place = (float(rng.uniform(-0.75, 0.75) * street.half * 0.7), 0.0, float(rng.uniform(1.1, 2.2)))
        return Camera.looking(
            width, height, focal, place, float(rng.normal(0, 0.12)), float(rng.uniform(-0.10, 0.03)), roll
        )
    if kind == "walker":
        x = float(rng.choice([-1, 1]) * rng.uniform(street.half * 0.7, edge - 0.4))
        yaw = -np.sign(x) * float(rng.uniform(-0.15, 1.5))
        return Camera.looking(
            width, height, focal, (x, 0.0, float(rng.uniform(1.3, 1.8))), yaw, float(rng.uniform(-0.12, 0.05)), roll
        )
    x = float(rng.choice([-1, 1]) * rng.uniform(0, edge - 0.3))
    tall = float(rng.uniform(2.6, 7.5))
    yaw = -np.sign(x) * float(rng.uniform(-0.2, 1.3))
    return Camera.looking(
        width, height, focal, (x, 0.0, tall), yaw, -float(rng.uniform(0.08, 0.30) + tall * 0.02), roll
    )


class _Cast:
    """Hands out identities and keeps bodies from standing in one another."""

    def __init__(self, camera: Camera) -> None:
        self.bodies: list[Body] = []
        self.camera = camera

    def add(self, body: Body, gap: float = 0.15) -> bool:
        if np.hypot(body.x - self.camera.position[0], body.y - self.camera.position[1]) < 1.2 + body.size[0] / 2:
            return False
        for other in self.bodies:
            if _touch(body, other, gap):
                return False
        body.id = len(self.bodies) + 1
        self.bodies.append(body)
        return True


def _touch(a: Body, b: Body, gap: float) -> bool:
    """Whether two footprints overlap, each taken as a row of circles."""
    reach = (a.size[0] + b.size[0]) / 2 + gap
    if np.hypot(a.x - b.x, a.y - b.y) > reach:
        return False

    def circles(body: Body) -> np.ndarray:
        half = max(0.0, (body.size[0] - body.size[1]) / 2)
        along = np.linspace(-half, half, max(1, int(np.ceil(body.size[0] / body.size[1]))))
        return np.stack([body.x + along * np.sin(body.heading), body.y + along * np.cos(body.heading)], 1)

    apart = np.linalg.norm(circles(a)[:, None] - circles(b)[None], axis=2).min()
    return bool(apart < (a.size[1] + b.size[1]) / 2 + gap)


def _spot(rng: np.random.Generator, camera: Camera, near: float, far: float) -> tuple[float, float]:
    """A point on the ground inside the view, nearer ones more often."""
    depth = near * (far / near) ** rng.random()
    aside = rng.uniform(-0.5, 0.5) * camera.width / camera.focal * depth
    forward, right = camera.rotation[2], camera.rotation[0]
    flat = forward[:2] / max(np.linalg.norm(forward[:2]), 1e-6)
    place = camera.position[:2] + flat * depth + right[:2] * aside
    return float(place[0]), float(place[1])


def _crowd(rng: np.random.Generator, street: Street, camera: Camera, light: Light) -> list[Body]:
    cast = _Cast(camera)
    lit = light.dusk or rng.random() < 0.15
    if rng.random() < 0.4:
        _subject(rng, street, camera, cast, lit)
    _parked(rng, street, camera, cast)
    _moving(rng, street, camera, cast, lit)
    edge = street.half + street.pavement + street.verge
    for _ in range(int(rng.choice([0, 1, 2, 4, 7, 11, 16], p=[0.06, 0.14, 0.2, 0.24, 0.18, 0.12, 0.06]))):
        x, y = _spot(rng, camera, 2.5, 45)
        offset = x - float(street.at(y))
        on_road = abs(offset) < street.half
        if abs(offset) > edge - 0.3 or (on_road and rng.random() < 0.6):
            continue
        along = float(rng.choice([0, np.pi])) + street.heading(y)
        heading = (
            float(rng.uniform(0, 2 * np.pi)) if rng.random() < 0.3 or on_road else along + float(rng.normal(0, 0.2))
        )
        walks = rng.random() < 0.75
        z = 0.0 if on_road else KERB
        group = 1 + int(rng.random() < 0.25) + int(rng.random() < 0.08)
        for member in range(group):
            stride = float(rng.uniform(0.5, 1.0)) if walks else 0.0
            aside = member * 0.62
            px, py = x + aside * float(np.cos(heading)), y - aside * float(np.sin(heading))
            cast.add(bodies.person(0, px, py, heading, z, people.look(rng), float(rng.uniform(0, 6.28)), stride), 0.0)
    for _ in range(int(rng.choice([0, 1, 2, 3, 5], p=[0.36, 0.28, 0.18, 0.12, 0.06]))):
        x, y = _spot(rng, camera, 3.0, 40)
        offset = x - float(street.at(y))
        if abs(offset) > edge - 0.5:
            continue
        on_road = abs(offset) < street.half
        parked = not on_road and rng.random() < 0.5
        heading = (
            float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.15))
            if rng.random() < 0.75
            else float(rng.uniform(0, 6.28))
        )
        rider = cycles.random_rider(rng, parked)
        cast.add(bodies.cycle(0, x, y, heading, 0.0 if on_road else KERB, rider, float(rng.uniform(0, 6.28))))
    return cast.bodies


def _subject(rng: np.random.Generator, street: Street, camera: Camera, cast: _Cast, lit: bool) -> None:
    """Somebody or something close to the camera, as large as the picture or cut off by its lower edge."""
    below = float(np.arctan2(camera.height / 2, camera.focal) - np.arcsin(camera.rotation[2, 2]))
    nearest = float(camera.position[2]) / np.tan(max(below, 0.1))
    kind = str(rng.choice(["person", "cycle", "vehicle"], p=[0.55, 0.3, 0.15]))
    depth = max(2.0, nearest * float(rng.uniform(0.75, 1.4))) + (3.0 if kind == "vehicle" else 0.6)
    x, y = _spot(rng, camera, depth, depth * 1.1)
    z = 0.0 if abs(x - float(street.at(y))) < street.half else KERB
    heading = float(rng.uniform(0, 2 * np.pi))
    phase = float(rng.uniform(0, 2 * np.pi))
    if kind == "person":
        stride = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.6 else 0.0
        cast.add(bodies.person(0, x, y, heading, z, people.look(rng), phase, stride))
    elif kind == "cycle":
        rider = cycles.random_rider(rng, bool(rng.random() < 0.15))
        cast.add(bodies.cycle(0, x, y, heading, z, rider, phase))
    else:
        mesh, size = bodies.random_vehicle(rng, lit, bool(rng.random() < 0.3))
        cast.add(bodies.vehicle(0, x, y, heading, z, mesh, size))


def _parked(rng: np.random.Generator, street: Street, camera: Camera, cast: _Cast) -> None:
    for side in (-1, 1):
        if rng.random() < 0.4 or street.half < 3.6:
            continue
        density = rng.uniform(0.2, 0.95)
        y = float(rng.uniform(-6, 4))
        while y < 70:
            y += float(rng.uniform(5.4, 7.0))
            if rng.random() > density:
                continue
            x = float(street.at(y)) + side * (street.half - 1.15)
            if not in_view(camera, _outline(x, y, street.heading(y))):
                continue
            mesh, size = bodies.random_vehicle(rng, False, kind="car" if rng.random() < 0.85 else "van")
            x += side * (0.9 - size[1] / 2)
            turn = street.heading(y) + (np.pi if rng.random() < 0.4 else 0) + float(rng.normal(0, 0.02))
            if abs(x - camera.position[0]) > size[1] / 2 + 0.5 or abs(y - camera.position[1]) > size[0] / 2 + 0.5:
                cast.add(bodies.vehicle(0, x, y, turn, 0.0, mesh, size))


def _outline(x: float, y: float, heading: float) -> Body:
    """Something of a car's size, to ask whether it would be seen."""
    return bodies.vehicle(0, x, y, heading, 0.0, NOTHING, (5.2, 2.0))


def _moving(rng: np.random.Generator, street: Street, camera: Camera, cast: _Cast, lit: bool) -> None:
    lane = street.half * 0.5 if street.half < 5 else street.half - 3.4
    for _ in range(int(rng.choice([0, 1, 2, 4, 6], p=[0.15, 0.3, 0.28, 0.19, 0.08]))):
        x, y = _spot(rng, camera, 5, 60)
        mesh, size = bodies.random_vehicle(rng, lit, bool(rng.random() < 0.3))
        crossing = rng.random() < 0.12
        if crossing:
            heading = float(rng.uniform(0, 2 * np.pi))
            x = float(np.clip(x, street.at(y) - street.half, street.at(y) + street.half))
        else:
            away = rng.random() < 0.5
            heading = street.heading(y) + (0.0 if away else np.pi) + float(rng.normal(0, 0.03))
            x = float(street.at(y)) + (lane if away else -lane) * 0.9 + float(rng.normal(0, 0.25))
        cast.add(bodies.vehicle(0, x, y, heading, 0.0, mesh, size), 0.4)
