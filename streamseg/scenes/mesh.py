"""Bodies made of four-sided faces: lofts, tubes, boxes and discs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

MATTE, PAINT, GLASS, GLOW = 0, 1, 2, 3
Colour = Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Faces of a body in its own axes: ahead, left, up; metres.

    Attributes:
        faces: float [F, 4, 3]; wound so that (p2 - p0) x (p3 - p1) points outwards.
        colours: float [F, 3], RGB 0 to 255.
        materials: int [F], one of ``MATTE``, ``PAINT``, ``GLASS``, ``GLOW``.
        layers: float [F]; a higher whole number is painted over every lower one. What is behind the point brings a face
            nearer by so many metres when faces of one layer are sorted.
    """

    faces: np.ndarray
    colours: np.ndarray
    materials: np.ndarray
    layers: np.ndarray


@dataclass(slots=True)
class Builder:
    """Collects faces and hands them out as one ``Mesh``."""

    faces: list[np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    materials: list[np.ndarray] = field(default_factory=list)
    layers: list[np.ndarray] = field(default_factory=list)

    def add(self, faces: np.ndarray, colour: np.ndarray | Colour, material: int = MATTE, layer: float = 0) -> None:
        """Add faces [F, 4, 3] (or one, [4, 3]) of one colour, or of F colours [F, 3]."""
        faces = np.asarray(faces, float).reshape(-1, 4, 3)
        count = len(faces)
        self.faces.append(faces)
        self.colours.append(np.broadcast_to(np.asarray(colour, float), (count, 3)))
        self.materials.append(np.full(count, material))
        self.layers.append(np.full(count, layer))

    def append(self, mesh: Mesh, faces: np.ndarray) -> None:
        """Add the faces of another mesh in another place ([F, 4, 3])."""
        self.faces.append(faces)
        self.colours.append(mesh.colours)
        self.materials.append(mesh.materials)
        self.layers.append(mesh.layers)

    def mesh(self) -> Mesh:
        """Everything added so far."""
        return Mesh(
            np.concatenate(self.faces),
            np.concatenate(self.colours),
            np.concatenate(self.materials),
            np.concatenate(self.layers),
        )


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows [N, 3]; numpy's own spends most of its time on checking axes."""
    return a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]


def normals(faces: np.ndarray) -> np.ndarray:
    """Unit normals [F, 3] of faces [F, 4, 3], zero where a face has no area."""
    cross = _cross(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
    return cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-9)


def outward(faces: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """Faces wound so that their normals point away from ``centre`` ([3]; default: the mean corner)."""
    middle = faces.reshape(-1, 3).mean(0) if centre is None else centre
    cross = _cross(faces[:, 2] - faces[:, 0], faces[:, 3] - faces[:, 1])
    inward = ((faces.mean(1) - middle) * cross).sum(1) < 0
    faces = faces.copy()
    faces[inward] = faces[inward][:, ::-1]
    return faces


def loft(rings: np.ndarray, caps: bool = True) -> np.ndarray:
    """Skin over rings [S, K, 3] of K points each; faces [F, 4, 3] pointing outwards, with closed ends if ``caps``."""
    following = np.roll(rings, -1, axis=1)
    skin = np.stack([rings[:-1], following[:-1], following[1:], rings[1:]], axis=2).reshape(-1, 4, 3)
    ring_centres = rings.mean(1)
    centres = np.repeat((ring_centres[:-1] + ring_centres[1:]) / 2, rings.shape[1], axis=0)
    cross = _cross(skin[:, 2] - skin[:, 0], skin[:, 3] - skin[:, 1])
    inward = ((skin.mean(1) - centres) * cross).sum(1) < 0
    skin[inward] = skin[inward][:, ::-1]
    if not caps:
        return skin
    middle = ring_centres.mean(0)
    ends = [outward(np.concatenate([cap_faces(rings[0])]), middle), outward(cap_faces(rings[-1]), middle)]
    return np.concatenate([skin, *ends])


def cap_faces(ring: np.ndarray) -> np.ndarray:
    """Faces [F, 4, 3] that fill a flat ring [K, 3], K even."""
    k = len(ring)
    return np.stack([ring[[i, i + 1, k - 2 - i, k - 1 - i]] for i in range(k // 2 - 1)])


def tubes(start: np.ndarray, end: np.ndarray, r_start: np.ndarray, r_end: np.ndarray, sides: int = 8) -> np.ndarray:
    """Rounded limbs between points [N, 3] with radii [N]; faces [N, F, 4, 3], metres.

    Their ends are closed where there are more than 8 sides; further away nobody sees the hole.
    """
    axis = end - start
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(axis[:, :1]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    side = _cross(axis, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = _cross(axis, side)
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    rs, re = r_start[:, None, None], r_end[:, None, None]
    a, b, along = start[:, None], end[:, None], axis[:, None]
    stations = [
        a - along * rs * 0.7 + circle * rs * 0.6,
        a + circle * rs,
        b + circle * re,
        b + along * re * 0.7 + circle * re * 0.6,
    ]
    if sides > 8:
        stations = [a - along * rs + circle * rs * 0.02, *stations, b + along * re + circle * re * 0.02]
    rings = np.stack(stations, axis=1)
    following = np.roll(rings, -1, axis=2)
    faces = np.stack([rings[:, :-1], following[:, :-1], following[:, 1:], rings[:, 1:]], axis=3)
    return faces.reshape(len(start), -1, 4, 3)


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], slices: int = 1) -> np.ndarray:
    """A box with its long sides cut into ``slices``; faces [F, 4, 3]."""
    ring = [[y[0], z[0]], [y[1], z[0]], [y[1], z[1]], [y[0], z[1]]]
    rings = np.stack([[[station, *point] for point in ring] for station in np.linspace(*x, slices + 1)])
    return loft(rings)


def disc(centre: Sequence[float], radius: float, out: float, sides: int = 18, span: float = 1.0) -> np.ndarray:
    """A disc standing along the body, facing left (``out`` = 1) or right (-1); faces [F, 4, 3].

    ``span`` below 1 keeps only the upper part of it, as a wheel arch needs.
    """
    angle = np.linspace(np.pi / 2 - span * np.pi, np.pi / 2 + span * np.pi, sides + 1)
    rim = np.stack([np.cos(angle) * radius, np.zeros_like(angle), np.sin(angle) * radius], axis=1) + centre
    middle = np.broadcast_to(np.asarray(centre, float), rim[:-1].shape)
    faces = np.stack([middle, rim[:-1], rim[1:], middle], axis=1)
    return outward(faces, np.asarray(centre, float) - np.array([0, out, 0]))


def on_quad(quad: np.ndarray, u: tuple[float, float], v: tuple[float, float], strips: int = 1) -> np.ndarray:
    """A window on a face [4, 3]: u from p0 to p1, v from p0 to p3, both 0 to 1, cut into ``strips`` along v."""
    levels = np.linspace(*v, strips + 1)

    def at(a: float, b: float) -> np.ndarray:
        return (quad[0] * (1 - a) + quad[1] * a) * (1 - b) + (quad[3] * (1 - a) + quad[2] * a) * b

    return np.stack([[at(u[0], lo), at(u[1], lo), at(u[1], hi), at(u[0], hi)] for lo, hi in itertools.pairwise(levels)])
