"""Things that stand or move in the street, each ready to be painted: where it is, what it is, how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from streamseg.scenes import cars, cycles, heavy, people
from streamseg.scenes.canvas import Canvas
from streamseg.scenes.geometry import place
from streamseg.scenes.mesh import Mesh


@dataclass(slots=True, eq=False)
class Body:
    """One object at one moment.

    Attributes:
        id: Identity for the whole clip, from 1; 0 is scenery.
        label: ``"person"``, ``"vehicle"``, ``"cycle"``, or ``""`` for scenery.
        x: Metres to the right of the street's middle line.
        y: Metres along the street.
        heading: Radians; 0 looks along the street, positive turns right.
        z: Height of the ground under it, metres.
        size: Length and width of its footprint, metres.
        build: Makes its mesh with a number of sides per limb.
        claims: Outlines [N, 3] in its own axes whose insides are its too.
    """

    id: int
    label: str
    x: float
    y: float
    heading: float
    z: float
    size: tuple[float, float]
    build: Callable[[int], Mesh]
    claims: list[np.ndarray] = field(default_factory=list)

    def footprint(self, grow: float = 0.0) -> np.ndarray:
        """Corners [4, 3] of its outline on the ground."""
        a, b = self.size[0] / 2 + grow, self.size[1] / 2 + grow
        return place(np.array([[a, b, 0], [a, -b, 0], [-a, -b, 0], [-a, b, 0]]), self.x, self.y, self.heading, self.z)

    def paint(self, canvas: Canvas, slot: int, mesh: Mesh, faces: np.ndarray, sunny: float) -> None:
        """Paint it with its faces [F, 4, 3] in the world."""
        for outline in self.claims:
            canvas.claim(place(outline, self.x, self.y, self.heading, self.z), slot)
        canvas.mesh(mesh, faces, slot, sunny)


def person(
    id: int, x: float, y: float, heading: float, z: float, look: people.Look, phase: float, stride: float
) -> Body:
    """Somebody on foot."""
    return Body(id, "person", x, y, heading, z, (0.5, 0.5), lambda sides: people.walking(look, phase, stride, sides))


def vehicle(id: int, x: float, y: float, heading: float, z: float, mesh: Mesh, size: tuple[float, float]) -> Body:
    """A car, van, bus or lorry."""
    return Body(id, "vehicle", x, y, heading, z, size, lambda sides: mesh)


def cycle(id: int, x: float, y: float, heading: float, z: float, rider: cycles.Rider, phase: float) -> Body:
    """A bicycle or motorcycle with its rider."""
    claims = cycles.wheel_outlines(rider)
    return Body(id, "cycle", x, y, heading, z, (1.8, 0.5), lambda sides: cycles.riding(rider, phase, sides), claims)


def random_vehicle(
    rng: np.random.Generator, lit: bool, braking: bool = False, kind: str | None = None
) -> tuple[Mesh, tuple[float, float]]:
    """A vehicle by chance, mostly cars; returns its mesh and footprint (length, width) in metres."""
    kind = kind or str(rng.choice(["car", "van", "bus", "lorry"], p=[0.74, 0.13, 0.06, 0.07]))
    if kind == "car":
        mesh, shape = cars.car(rng, lit, braking)
        return mesh, (shape.length, shape.width)
    mesh, size = {"van": heavy.van, "bus": heavy.bus, "lorry": heavy.lorry}[kind](rng, lit, braking)
    return mesh, (size[0], size[1])


def cast(points: np.ndarray, sun: np.ndarray, ground: float) -> np.ndarray:
    """Where world points [N, 3] throw their shadows on the ground at height ``ground``; [N, 3]."""
    drop = (points[:, 2:3] - ground) / max(float(sun[2]), 0.08)
    fallen = points - drop * sun
    fallen[:, 2] = ground
    return fallen


def hull(points: np.ndarray) -> np.ndarray:
    """The convex outline [K, 3] of points [N, 3] lying on the ground."""
    outline = cv2.convexHull(np.ascontiguousarray(points[:, :2], np.float32))[:, 0]
    return np.concatenate([outline, np.full((len(outline), 1), points[0, 2])], axis=1).astype(float)
