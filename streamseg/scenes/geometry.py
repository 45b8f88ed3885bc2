"""The pinhole camera of a scene, and clipping against what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera in world metres: x to the right of the street, y along it, z up.

    Attributes:
        width: Columns of the canvas, pixels.
        height: Rows of the canvas, pixels.
        focal: Focal length, pixels.
        position: float [3], metres.
        rotation: float [3, 3], rows are the camera's right, down and forward axes in the world.
    """

    width: int
    height: int
    focal: float
    position: np.ndarray
    rotation: np.ndarray

    @classmethod
    def looking(
        cls,
        width: int,
        height: int,
        focal: float,
        position: tuple[float, float, float],
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
    ) -> Camera:
        """A camera that looks along +y, turned right by ``yaw``, up by ``pitch``, clockwise by ``roll``; radians."""
        forward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)])
        right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
        down = np.cross(forward, right)
        c, s = np.cos(roll), np.sin(roll)
        rotation = np.stack([c * right + s * down, -s * right + c * down, forward])
        return cls(width, height, focal, np.asarray(position, float), rotation)

    def scaled(self, factor: int) -> Camera:
        """The same view on a canvas ``factor`` times as large."""
        return Camera(self.width * factor, self.height * factor, self.focal * factor, self.position, self.rotation)

    def to_view(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] in camera axes (right, down, forward), metres."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] as [..., 3] column, row, depth; pixels, pixels, metres. Depth is held above 1 cm."""
        view = self.to_view(points)
        depth = np.maximum(view[..., 2:3], 0.01)
        centre = np.array([self.width / 2, self.height / 2])
        return np.concatenate([view[..., :2] * (self.focal / depth) + centre, view[..., 2:3]], axis=-1)

    def plane_homography(self, origin: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The 3 x 3 matrix from plane coordinates (a, b, 1) of origin + a u + b v to homogeneous pixels."""
        columns = np.stack([self.rotation @ u, self.rotation @ v, self.rotation @ (origin - self.position)], axis=1)
        intrinsic = np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1.0]])
        return intrinsic @ columns

    def clip(self, polygon: np.ndarray, near: float = NEAR, far: float = np.inf) -> np.ndarray:
        """Pixels [K, 2] of the part of a world polygon [N, 3] inside the view, with a margin; K may be 0."""
        half_w, half_h = 0.55 * self.width / self.focal, 0.55 * self.height / self.focal
        planes = np.array(
            [
                [0, 0, 1, -near],
                [1, 0, half_w, 0],
                [-1, 0, half_w, 0],
                [0, 1, half_h, 0],
                [0, -1, half_h, 0],
                [0, 0, -1, far],
            ]
        )
        points = self.to_view(polygon)
        inside = points @ planes[:, :3].T + planes[:, 3] >= 0
        if not inside.any(axis=0).all():
            return np.zeros((0, 2))
        for plane in planes[~inside.all(axis=0)]:
            points = _clip_half_space(points, plane[:3], plane[3])
            if len(points) < 3:
                return np.zeros((0, 2))
        return points[:, :2] * (self.focal / points[:, 2:3]) + [self.width / 2, self.height / 2]


def _clip_half_space(points: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """Sutherland-Hodgman: the part of a polygon [N, 3] where ``normal . p + offset >= 0``."""
    side = points @ normal + offset
    if (side >= 0).all():
        return points
    kept = []
    for i in range(len(points)):
        j = (i + 1) % len(points)
        if side[i] >= 0:
            kept.append(points[i])
        if (side[i] >= 0) != (side[j] >= 0):
            t = side[i] / (side[i] - side[j])
            kept.append(points[i] + t * (points[j] - points[i]))
    return np.array(kept) if kept else np.zeros((0, 3))


def place(points: np.ndarray, x: float, y: float, heading: float, z: float = 0.0) -> np.ndarray:
    """Local points [..., 3] (ahead, left, up) in the world; ``heading`` 0 looks along +y, turning right is positive."""
    s, c = np.sin(heading), np.cos(heading)
    turn = np.array([[s, c, 0], [-c, s, 0], [0, 0, 1.0]])
    return points @ turn + np.array([x, y, z])
