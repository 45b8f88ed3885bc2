"""The picture being painted, back to front: colours and, in a fourth channel, whose pixel it is."""

from __future__ import annotations

import cv2
import numpy as np

from streamseg.scenes import mesh as meshes
from streamseg.scenes.geometry import NEAR, Camera
from streamseg.scenes.mesh import Mesh
from streamseg.scenes.weather import Light

SUPERSAMPLING = 2
MAX_SLOTS = 255
_SHIFT = 4
_LIMIT = 30000 * (1 << _SHIFT) // 2


class Canvas:
    """A picture at twice its size whose fourth channel holds the slot of the object seen at each pixel, 0 for none.

    Args:
        camera: The view at the picture's own size.
        light: What shines on the scene.
    """

    def __init__(self, camera: Camera, light: Light) -> None:
        self.camera = camera.scaled(SUPERSAMPLING)
        self.light = light
        self.pixels = np.zeros((self.camera.height, self.camera.width, 4), np.uint8)

    def mesh(self, mesh: Mesh, faces: np.ndarray, slot: int = 0, sunny: float = 1.0) -> None:
        """Paint a mesh whose corners in the world are ``faces`` [F, 4, 3]; ``sunny`` is its share of sun, 0 to 1."""
        eye = self.camera.position
        centres = faces.mean(1)
        normal = meshes.normals(faces)
        view = eye - centres
        distance = np.linalg.norm(view, axis=1)
        view /= np.maximum(distance[:, None], 1e-6)
        points = self.camera.project(faces)
        u, v, depth = points[..., 0], points[..., 1], points[..., 2]
        seen = ((normal * view).sum(1) > 0) & (depth.min(1) > NEAR)
        seen &= (u.max(1) >= 0) & (u.min(1) < self.camera.width) & (v.max(1) >= 0) & (v.min(1) < self.camera.height)
        keep = np.flatnonzero(seen)
        if not len(keep):
            return
        whole = np.floor(mesh.layers[keep])
        order = keep[np.lexsort((mesh.layers[keep] - whole - distance[keep], whole))]
        colours = self.light.shade(mesh.colours[order], normal[order], view[order], mesh.materials[order], sunny)
        colours = self.light.veil(colours, distance[order])
        corners = _fixed(points[order, :, :2])
        for corner, (r, g, b) in zip(corners, np.clip(colours, 0, 255).tolist(), strict=True):
            cv2.fillConvexPoly(self.pixels, corner, (r, g, b, slot), cv2.LINE_8, _SHIFT)

    def claim(self, polygon: np.ndarray, slot: int) -> None:
        """Give the pixels inside a world polygon [N, 3] to ``slot`` without painting them (the inside of a wheel)."""
        shape = self.camera.clip(polygon)
        if len(shape) < 3:
            return
        low, high = self._bounds(shape)
        if (high - low < 1).any():
            return
        mask = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(mask, [_fixed(shape - low)], 255, cv2.LINE_8, _SHIFT)
        self.pixels[low[1] : high[1], low[0] : high[0], 3][mask > 0] = slot

    def _bounds(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last-but-one corner (column, row) of the part of the canvas that a shape [K, 2] touches."""
        low = np.maximum(np.floor(shape.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(shape.max(0)).astype(int) + 1, [self.camera.width, self.camera.height])
        return low, high

    def polygon(self, polygon: np.ndarray, colour: np.ndarray | tuple[float, ...], slot: int = 0) -> None:
        """Fill a world polygon [N, 3] with a colour as it reaches the lens."""
        shape = self.camera.clip(np.asarray(polygon, float))
        if len(shape) >= 3:
            r, g, b = (float(c) for c in np.clip(colour, 0, 255))
            cv2.fillPoly(self.pixels, [_fixed(shape)], (r, g, b, slot), cv2.LINE_8, _SHIFT)

    def plane(
        self,
        texture: list[np.ndarray],
        scale: float,
        origin: np.ndarray,
        u: np.ndarray,
        v: np.ndarray,
        outline: np.ndarray,
        factor: np.ndarray,
        span: tuple[float, float] = (NEAR, np.inf),
        slot: int = 0,
    ) -> None:
        """Paint a textured flat polygon.

        Args:
            texture: uint8 [h, w, 3] pictures, each half the size of the one before; they repeat.
            scale: Pixels of the first picture per metre.
            origin: float [3], where the texture begins.
            u: float [3], unit vector along the texture's columns.
            v: float [3], unit vector along the texture's rows.
            outline: float [N, 2], the polygon in metres along u and v.
            factor: float [3], the light on it.
            span: Only what lies between these two depths, metres.
            slot: Whose pixels these are.
        """
        world = origin + outline[:, :1] * u + outline[:, 1:] * v
        shape = self.camera.clip(world, *span)
        if len(shape) < 3:
            return
        low, high = self._bounds(shape)
        if (high - low < 1).any():
            return
        middle = self.camera.to_view(world).mean(0)
        depth = max(span[0], min(span[1], float(np.linalg.norm(middle))))
        if np.isfinite(span[1]):
            depth = float(np.sqrt(span[0] * span[1]))
        ratio = scale * depth / self.camera.focal
        level = int(np.clip(round(np.log2(max(ratio, 1e-3))), 0, len(texture) - 1))
        picture = texture[level]
        to_texture = np.diag(
            [scale * picture.shape[1] / texture[0].shape[1], scale * picture.shape[0] / texture[0].shape[0], 1]
        )
        homography = to_texture @ np.linalg.inv(self.camera.plane_homography(origin, u, v))
        homography = homography @ np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1.0]])
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpPerspective(picture, homography, size, flags=flags, borderMode=cv2.BORDER_WRAP)
        clear = float(np.exp2(-depth / self.light.haze))
        lit = np.arange(256)[:, None] * factor * clear + self.light.horizon * (0.92 * (1 - clear))
        warped = cv2.LUT(warped, np.clip(lit, 0, 255).astype(np.uint8)[:, None])
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [_fixed(shape - low)], 255, cv2.LINE_8, _SHIFT)
        area = self.pixels[low[1] : high[1], low[0] : high[0]]
        cv2.copyTo(cv2.merge([*cv2.split(warped), np.full_like(mask, slot)]), mask, area)

    def ground(
        self, texture: list[np.ndarray], scale: float, outline: np.ndarray, factor: np.ndarray, z: float = 0.0
    ) -> None:
        """Paint a polygon [N, 2] (x, y in metres) of the ground, with less detail farther away."""
        origin, u, v = np.array([0, 0, z]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
        for span in ((NEAR, 6.0), (5.9, 16.0), (15.7, 45.0), (44.0, 400.0)):
            self.plane(texture, scale, origin, u, v, outline, factor, span)

    def sprite(self, picture: np.ndarray, foot: np.ndarray, height: float, factor: np.ndarray, slot: int = 0) -> None:
        """Paint an upright cut-out (uint8 [h, w, 4], the last channel its opacity) standing on a world point [3]."""
        u, v, depth = self.camera.project(foot)
        if depth < 1.0:
            return
        size_y = height * self.camera.focal / depth
        size_x = size_y * picture.shape[1] / picture.shape[0]
        x1, y1 = u - size_x / 2, v - size_y
        rows, columns = self.pixels.shape[:2]
        low = np.array([max(0, int(x1)), max(0, int(y1))])
        high = np.array([min(columns, int(x1 + size_x) + 1), min(rows, int(v) + 1)])
        if (high - low < 1).any():
            return
        while picture.shape[0] > 2.5 * size_y and picture.shape[0] > 16:
            picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        matrix = np.array([[picture.shape[1] / size_x, 0, 0], [0, picture.shape[0] / size_y, 0.0]])
        matrix[:, 2] = matrix[:, :2] @ (low - [x1, y1])
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        patch = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        solid = patch[..., 3] > 110
        colours = self.light.veil(patch[solid][:, :3] * factor, np.full(1, depth))
        area = self.pixels[low[1] : high[1], low[0] : high[0]]
        area[solid] = np.concatenate(
            [np.clip(colours, 0, 255).astype(np.uint8), np.full((len(colours), 1), slot, np.uint8)], 1
        )

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture uint8 [H, W, 3] and the slots uint8 [H, W] at the picture's own size."""
        size = (self.camera.width // SUPERSAMPLING, self.camera.height // SUPERSAMPLING)
        image = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)[..., :3]
        return np.ascontiguousarray(image), np.ascontiguousarray(self.pixels[::SUPERSAMPLING, ::SUPERSAMPLING, 3])


def pyramid(texture: np.ndarray, levels: int = 5) -> list[np.ndarray]:
    """A texture and its halvings, down to 8 pixels."""
    pictures = [texture]
    while len(pictures) < levels and min(pictures[-1].shape[:2]) >= 16:
        pictures.append(cv2.resize(pictures[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return pictures


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels as OpenCV's fixed-point integers, held inside what it can draw; the half moves to pixel centres."""
    return np.clip(np.rint((points - 0.5) * (1 << _SHIFT)), -_LIMIT, _LIMIT).astype(np.int32)
