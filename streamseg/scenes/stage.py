"""Paints a street with everything in it, back to front, and says whose pixel each one is."""

from __future__ import annotations

import cv2
import numpy as np

from streamseg.scenes.bodies import Body, cast, hull
from streamseg.scenes.canvas import MAX_SLOTS, Canvas
from streamseg.scenes.geometry import NEAR, Camera, place
from streamseg.scenes.mesh import GLOW, MATTE, Builder, Mesh, box, disc, tubes
from streamseg.scenes.street import KERB, Block, Post, Street
from streamseg.scenes.weather import Light, paint_sky


def paint(
    street: Street, bodies: list[Body], camera: Camera, light: Light, clouds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Body]]:
    """Paint one moment.

    Returns:
        The picture uint8 [H, W, 3]; the slots uint8 [H, W]; the bodies, the one at position i owning slot i + 1.
    """
    canvas = Canvas(camera, light)
    paint_sky(canvas.pixels, canvas.camera.focal, camera.rotation, light, clouds)
    street.paint_ground(canvas)
    eye = camera.position
    shown = [body for body in bodies if in_view(camera, body)][:MAX_SLOTS]
    meshes: dict[int, tuple[Mesh, np.ndarray]] = {}
    for index, body in enumerate(shown):
        distance = float(np.hypot(body.x - eye[0], body.y - eye[1]))
        mesh = body.build(_detail(1.7 * canvas.camera.focal / max(distance, 0.5)))
        meshes[index] = (mesh, place(mesh.faces, body.x, body.y, body.heading, body.z))
    shades = _building_shadows(street, light)
    _paint_shadows(canvas, street, shown, meshes, shades)
    things: list[tuple[float, int, object]] = []
    for block in street.blocks:
        nearest = np.clip(eye[1], block.y1, block.y2)
        things.append((float(np.hypot(block.x1 - eye[0], nearest - eye[1])) + 1e4, 0, block))
    for post in street.posts:
        things.append((float(np.hypot(post.x - eye[0], post.y - eye[1])), 0, post))
    for index, body in enumerate(shown):
        things.append((_distance(body, eye), index + 1, body))
    for _, slot, thing in sorted(things, key=lambda item: -item[0]):
        if isinstance(thing, Block):
            street.paint_block(canvas, thing)
        elif isinstance(thing, Post):
            _paint_post(canvas, street, thing)
        elif isinstance(thing, Body):
            mesh, faces = meshes[slot - 1]
            thing.paint(canvas, slot, mesh, faces, 0.12 if _shaded(shades, thing.x, thing.y) else 1.0)
    image, slots = canvas.finish()
    return image, slots, shown


def _detail(tall: float) -> int:
    """Sides per limb for a person this many canvas pixels tall."""
    return 4 if tall < 50 else 6 if tall < 130 else 9 if tall < 400 else 14


def _distance(body: Body, eye: np.ndarray) -> float:
    """Distance to the nearest point of its middle line, so that a long bus does not sort behind what it hides."""
    ahead = np.array([np.sin(body.heading), np.cos(body.heading)])
    offset = eye[:2] - [body.x, body.y]
    reach = max(0.0, (body.size[0] - body.size[1]) / 2)
    along = float(np.clip(offset @ ahead, -reach, reach))
    nearest = float(np.hypot(*(offset - along * ahead)))
    return 0.5 * nearest + 0.5 * float(np.hypot(*offset))


def in_view(camera: Camera, body: Body) -> bool:
    """Whether any of it can be seen, as far as its place and size tell."""
    corners = camera.to_view(np.concatenate([body.footprint(0.3), body.footprint(0.3) + np.array([0, 0, 3.4])]))
    depth = corners[:, 2]
    if depth.max() < NEAR * 2 or depth.min() > 160:
        return False
    limit = 0.5 * camera.width / camera.focal * np.maximum(depth, 0.01)
    return bool((corners[:, 0] < limit).any() and (corners[:, 0] > -limit).any())


def _building_shadows(street: Street, light: Light) -> list[np.ndarray]:
    """Outlines float32 [K, 2] on the ground that houses keep in shadow."""
    if light.direct.max() < 0.3:
        return []
    found = []
    for block in street.blocks:
        if light.sun[0] * block.side <= 0:
            continue
        back = block.side * 9.0
        foot = np.array(
            [
                [block.x1, block.y1, 0],
                [block.x2, block.y2, 0],
                [block.x2 + back, block.y2, 0],
                [block.x1 + back, block.y1, 0],
            ]
        )
        top = cast(foot + np.array([0, 0, block.height]), light.sun, 0.0)
        found.append(hull(np.concatenate([foot, top]))[:, :2].astype(np.float32))
    return found


def _shaded(shades: list[np.ndarray], x: float, y: float) -> bool:
    return any(cv2.pointPolygonTest(shade, (x, y), False) >= 0 for shade in shades)


def _paint_shadows(
    canvas: Canvas,
    street: Street,
    bodies: list[Body],
    meshes: dict[int, tuple[Mesh, np.ndarray]],
    shades: list[np.ndarray],
) -> None:
    """Darken the ground: sunlight kept away by things, and skylight kept away underneath them."""
    light, camera = canvas.light, canvas.camera
    height, width = camera.height // 2, camera.width // 2
    sun = np.zeros((height, width), np.uint8)
    under = np.zeros((height, width), np.uint8)

    def fill(mask: np.ndarray, outline: np.ndarray, value: int) -> None:
        shape = camera.clip(outline)
        if len(shape) >= 3:
            cv2.fillPoly(mask, [np.clip(shape * 8, -200000, 200000).astype(np.int32)], value, cv2.LINE_AA, 4)

    sunny = float(light.direct.max()) > 0.2
    for shade in shades:
        fill(sun, np.concatenate([shade, np.zeros((len(shade), 1), np.float32)], 1).astype(float), 255)
    for index, body in enumerate(bodies):
        faces = meshes[index][1]
        vehicle = body.label == "vehicle"
        fill(under, body.footprint(0.12 if vehicle else -0.08) + np.array([0, 0, 0.01]), 235 if vehicle else 130)
        if sunny:
            corners = faces.reshape(-1, 3)
            if vehicle:
                fill(sun, hull(cast(corners, light.sun, body.z + 0.01)), 255)
            else:
                for group in np.array_split(corners, 12):
                    fill(sun, hull(cast(group, light.sun, body.z + 0.01)), 255)
    for post in street.posts if sunny else []:
        foot = np.array([[post.x, post.y, KERB]])
        top = cast(foot + np.array([0, 0, post.height]), light.sun, KERB)
        aside = np.array([light.sun[1], -light.sun[0], 0]) * (0.07 if post.kind != "tree" else 0.15)
        fill(sun, np.concatenate([foot - aside, foot + aside, top + aside, top - aside]), 255)
        if post.kind == "tree":
            angle = np.linspace(0, 2 * np.pi, 14)[:-1]
            crown = (
                foot
                + np.stack([np.cos(angle), np.zeros(13), np.sin(angle)], 1) * post.height * 0.3
                + [0, 0, post.height * 0.66]
            )
            fill(
                sun,
                hull(
                    np.concatenate([cast(crown, light.sun, KERB), cast(crown + np.array([0, 0.8, 0]), light.sun, KERB)])
                ),
                220,
            )
    sunless = cv2.GaussianBlur(sun, (0, 0), max(0.6, width / 700))
    sheltered = cv2.GaussianBlur(under, (0, 0), max(0.8, width / 260))
    up = light.ambient + light.direct * max(float(light.sun[2]), 0)
    kept = (light.ambient / up).mean()
    rest = (1 - sunless.astype(np.float32) * ((1 - kept) * 0.92 / 255)) * (
        1 - sheltered.astype(np.float32) * (0.78 / 255)
    )
    if rest.min() > 0.99:
        return
    full = cv2.resize((rest * 255).astype(np.uint8), (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(canvas.pixels, cv2.merge([full] * 4), dst=canvas.pixels, scale=1 / 255)


def _paint_post(canvas: Canvas, street: Street, post: Post) -> None:
    foot = np.array([post.x, post.y, KERB])
    if post.kind == "tree":
        view = canvas.camera.to_view(foot)
        if view[2] > 1:
            factor = canvas.light.ambient * 0.9 + canvas.light.direct * 0.7
            canvas.sprite(street.trees[post.variant], foot, post.height, factor)
        return
    view = canvas.camera.to_view(foot)
    if view[2] < NEAR or abs(view[0]) > view[2] * canvas.camera.width / canvas.camera.focal + 2:
        return
    mesh = _post_mesh(post, street, canvas.light.dusk)
    canvas.mesh(mesh, mesh.faces + foot)


def _post_mesh(post: Post, street: Street, dusk: bool) -> Mesh:
    builder = Builder()
    grey = np.array([96.0, 100, 104])

    def rod(a: list[float], b: list[float], r1: float, r2: float, colour: np.ndarray) -> None:
        builder.add(tubes(np.array([a]), np.array([b]), np.array([r1]), np.array([r2]), 8)[0], colour)

    if post.kind == "bollard":
        rod([0, 0, 0], [0, 0, 0.9], 0.07, 0.06, np.array([40.0, 42, 44]))
        rod([0, 0, 0.74], [0, 0, 0.8], 0.075, 0.075, np.array([220.0, 220, 216]))
    elif post.kind == "bin":
        rod(
            [0, 0, 0.08],
            [0, 0, 0.85],
            0.26,
            0.30,
            np.array([[40.0, 70, 50], [60, 62, 66], [90, 60, 40], [30, 50, 90]])[post.variant],
        )
        rod([0, 0, 0.88], [0, 0, 0.95], 0.31, 0.26, np.array([40.0, 40, 42]))
    elif post.kind == "cabinet":
        tall, tone = 1.1 + 0.2 * post.variant, 96.0 + 24 * post.variant
        builder.add(box((-0.25, 0.25), (-0.5, 0.5), (0, tall)), (tone, tone + 6, tone - 4))
        builder.add(box((-0.27, 0.27), (-0.52, 0.52), (tall, tall + 0.05)), (tone * 0.7,) * 3, MATTE, 1)
    elif post.kind == "lamp":
        out = -post.variant * 1.4
        rod([0, 0, 0], [0, 0, 1.0], 0.10, 0.09, grey)
        rod([0, 0, 1.0], [0, 0, post.height], 0.065, 0.045, grey)
        rod([0, 0, post.height], [out, 0, post.height + 0.35], 0.04, 0.035, grey)
        ends = sorted((out * 0.8, out * 1.3))
        head = box((ends[0], ends[1]), (-0.11, 0.11), (post.height + 0.28, post.height + 0.40))
        builder.add(head, (255, 236, 180) if dusk else (190, 192, 194), GLOW if dusk else MATTE)
    else:
        rod([0, 0, 0], [0, 0, post.height], 0.035, 0.035, grey)
        plate = disc((0, 0, post.height - 0.25), 0.32, 1, 16 if post.variant % 2 else 4)
        plate = plate[..., [1, 0, 2]][:, ::-1]
        faced = np.concatenate([plate - [0, 0.05, 0], plate[:, ::-1] + [0, 0.05, 0]])
        colour = np.array([[196, 30, 34], [30, 70, 160], [230, 200, 40], [230, 230, 226]], float)[post.variant]
        builder.add(faced, colour, MATTE, 1)
        inner = plate * [0.68, 1, 1] + [0, -0.06, 0]
        inner[..., 2] = (inner[..., 2] - (post.height - 0.25)) * 0.68 + post.height - 0.25
        builder.add(inner, (236, 236, 232), MATTE, 2)
    return builder.mesh()
