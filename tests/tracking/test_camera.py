from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.planes import Planes
from streamseg.tracking.camera import CameraMotion
from streamseg.tracking.state import to_bytes

HEIGHT, WIDTH = 360, 640
NOTHING = np.zeros((0, 4))
STANDS = np.eye(2, 3)


def texture(seed, height=HEIGHT, width=WIDTH):
    """Rectangles of many greys and sizes, with the soft edges that a lens gives."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width), 110, np.uint8)
    for _ in range(400):
        x, y = int(rng.integers(-40, width)), int(rng.integers(-40, height))
        w, h = rng.integers(6, 90, 2).tolist()
        picture[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = rng.integers(40, 200)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


def similarity(zoom=1.0, turn=0.0, shift=(0.0, 0.0), size=(HEIGHT, WIDTH)):
    """Around the middle of a picture; turn in radians, shift in pixels: float64 [2, 3] in box coordinates."""
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array(size[::-1]) / 2
    return np.column_stack([linear, middle - linear @ middle + shift])


def warped(luma, transform, noise=2.0, seed=0):
    at_centres = transform.copy()  # OpenCV counts from the centre of the first pixel
    at_centres[:, 2] += transform[:, :2] @ [0.5, 0.5] - 0.5
    moved = cv2.warpAffine(luma, at_centres, luma.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(moved + np.random.default_rng(seed).normal(0, noise, luma.shape), 0, 255).astype(np.uint8)


def planes(luma):
    grey = np.full((-(-luma.shape[0] // 2), -(-luma.shape[1] // 2)), 128, np.uint8)
    return Planes(luma, grey, grey)


def rgb(luma):
    return np.ascontiguousarray(np.repeat(luma[..., None], 3, axis=2))


def error(found, transform, size=(HEIGHT, WIDTH)):
    """The most that a corner of the picture is off, pixels."""
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    return float(np.abs(corners @ (found - transform).T).max())


def motions(pictures, boxes=NOTHING):
    """The camera after it has seen the pictures, and its answers."""
    camera = CameraMotion()
    return camera, [camera.update(planes(picture), boxes) for picture in pictures]


@pytest.mark.parametrize("kind", [planes, rgb])
@pytest.mark.parametrize(
    "size", [(HEIGHT, WIDTH), (720, 1280), (181, 243), (1080, 1920)], ids=lambda size: f"{size[1]}x{size[0]}"
)
@pytest.mark.parametrize(
    "asked",
    [{}, {"shift": (7.3, -4.6)}, {"shift": (0.4, 0.3)}, {"zoom": 1.03}, {"turn": 0.02}, {"zoom": 0.97, "turn": -0.015}],
    ids=str,
)
def test_a_known_motion_is_found(kind, size, asked):
    luma, transform = texture(1, *size), similarity(size=size, **asked)
    camera = CameraMotion()
    assert np.array_equal(camera.update(kind(luma), NOTHING), STANDS)
    found = camera.update(kind(warped(luma, transform)), NOTHING)
    assert found.shape == (2, 3) and found.dtype == np.float64
    assert error(found, transform, size) < 0.5 and not camera.cut


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0.93, 1.07), st.floats(-0.04, 0.04), st.tuples(st.floats(-40, 40), st.floats(-25, 25)), st.integers(0, 9)
)
def test_any_moderate_motion_is_found(zoom, turn, shift, seed):
    luma, transform = texture(seed), similarity(zoom, turn, shift)
    _, (_, found) = motions([luma, warped(luma, transform, seed=seed)])
    assert error(found, transform) < 0.5


def scene(transform, car, seed=0):
    """A background moved by ``transform``, and a car, 260 pixels wide, whose left edge is at ``car``."""
    picture = warped(texture(2), transform, seed=seed)
    picture[100:300, car : car + 260] = texture(3, 200, 260)
    return picture


def test_what_moves_by_itself_is_left_out():
    transform = similarity(shift=(6.0, 2.0))
    camera = CameraMotion()
    camera.update(planes(scene(similarity(), 200)), np.array([[200.0, 100, 460, 300]]))
    found = camera.update(planes(scene(transform, 175)), np.array([[175.0, 100, 435, 300]]))
    assert error(found, transform) < 0.3
    # A quarter of the picture that nobody has detected does no harm, either.
    _, (_, found) = motions([scene(similarity(), 200), scene(transform, 175)])
    assert error(found, transform) < 0.3


def test_nothing_outside_of_objects_is_no_motion():
    whole = np.array([[0.0, 0, WIDTH, HEIGHT]])
    camera, (_, found) = motions([texture(1), warped(texture(1), similarity(shift=(9.0, 0.0)))], whole)
    assert np.array_equal(found, STANDS) and not camera.cut


def test_three_steps_make_one_of_three_frames():
    luma = texture(4)
    way = [similarity(1.01**k, 0.003 * k, (4.0 * k, -2.0 * k)) for k in range(4)]
    pictures = [warped(luma, transform, seed=k) for k, transform in enumerate(way)]
    _, steps = motions(pictures)
    _, (_, at_once) = motions(pictures[::3])
    total = np.eye(3)
    for step in steps:
        total = np.vstack([step, [0, 0, 1]]) @ total
    assert error(total[:2], way[3]) < 1 and error(at_once, way[3]) < 0.5


def test_the_same_pictures_give_the_same_answers_whatever_the_order_of_boxes():
    rng = np.random.default_rng(5)
    corner = rng.uniform((0, 0), (WIDTH - 90, HEIGHT - 90), (12, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 90, (12, 2))], axis=1)
    pictures = [warped(texture(5), similarity(shift=(3.0 * k, 0)), seed=k) for k in range(5)]
    _, first = motions(pictures, boxes)
    _, second = motions(pictures, boxes[::-1])
    np.testing.assert_array_equal(first, second)


def test_a_camera_that_stands_is_only_watched_until_it_moves():
    luma = texture(6)
    camera, answers = motions([warped(luma, similarity(), seed=k) for k in range(11)])
    assert camera.still and error(answers[-1], STANDS) < 0.3
    for k in range(20, 40):
        assert np.array_equal(camera.update(planes(warped(luma, similarity(), seed=k)), NOTHING), STANDS)
        assert camera.still
    transform = similarity(shift=(2.0, 1.0))
    found = camera.update(planes(warped(luma, transform)), NOTHING)  # noticed in the same update
    assert error(found, transform) < 0.3 and not camera.still


def test_objects_and_light_leave_a_standing_camera_standing():
    camera = CameraMotion()
    for k in range(60):
        car = 4 * k
        picture = scene(similarity(), car, seed=k)
        picture = np.clip(picture.astype(float) + 0.3 * k, 0, 255).astype(np.uint8)
        found = camera.update(planes(picture), np.array([[car, 100.0, car + 260, 300]]))
        assert error(found, STANDS) < 0.5
    assert camera.still


def test_a_camera_that_creeps_is_followed_within_two_pixels():
    camera, total = CameraMotion(), np.eye(3)
    for k in range(60):
        creep = similarity(shift=(0.15 * max(0, k - 15), 0.0))
        total = np.vstack([camera.update(planes(warped(texture(7), creep, seed=k)), NOTHING), [0, 0, 1]]) @ total
        assert error(total[:2], creep) < 2


def test_a_camera_that_shakes_never_stands():
    camera, total = CameraMotion(), np.eye(3)
    for k in range(30):
        shaken = similarity(shift=(2.5 * np.sin(2.1 * k), 1.5 * np.sin(1.3 * k)))
        total = np.vstack([camera.update(planes(warped(texture(8), shaken, seed=k)), NOTHING), [0, 0, 1]]) @ total
        assert not camera.still and error(total[:2], shaken) < 1


def test_a_cut_is_told_and_no_motion():
    camera, answers = motions([texture(1), warped(texture(1), similarity(shift=(5.0, 0))), texture(9)])
    assert camera.cut and np.array_equal(answers[-1], STANDS)
    camera.update(planes(texture(9)), NOTHING)
    assert not camera.cut


def test_a_cut_wakes_a_camera_that_stood():
    camera, _ = motions([warped(texture(1), similarity(), seed=k) for k in range(15)])
    assert camera.still
    assert np.array_equal(camera.update(planes(texture(9)), NOTHING), STANDS)
    assert camera.cut and not camera.still


def flash(luma):
    return np.clip(luma.astype(float) * 0.6 + 90, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (texture(1), flash(texture(1))),
        (texture(1), np.full((HEIGHT, WIDTH), 16, np.uint8)),
        (np.full((HEIGHT, WIDTH), 16, np.uint8), texture(1)),
        (np.full((HEIGHT, WIDTH), 16, np.uint8), np.full((HEIGHT, WIDTH), 16, np.uint8)),
        (
            warped(np.full((HEIGHT, WIDTH), 20, np.uint8), STANDS),
            warped(np.full((HEIGHT, WIDTH), 20, np.uint8), STANDS, 2, 1),
        ),
    ],
    ids=["flash", "into the dark", "out of the dark", "dark", "dark with noise"],
)
def test_light_and_darkness_are_no_motion_and_no_cut(first, second):
    camera, (_, found) = motions([first, second])
    assert error(found, STANDS) < 0.3 and not camera.cut


@pytest.mark.parametrize("kind", [planes, rgb])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (64, 4096), (3, 5000), (33, 35)])
def test_pictures_too_small_to_look_at_are_no_motion(kind, size):
    camera = CameraMotion()
    rng = np.random.default_rng(0)
    for _ in range(4):
        picture = kind(rng.integers(0, 256, size, dtype=np.uint8))
        assert np.array_equal(camera.update(picture, np.array([[0.0, 0, 5, 5]])), STANDS) and not camera.cut


def test_a_change_of_size_is_a_change_of_scale():
    camera, _ = motions([warped(texture(1), similarity(), seed=k) for k in range(15)])
    small = cv2.resize(texture(1), (320, 180), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(camera.update(planes(small), NOTHING), [[0.5, 0, 0], [0, 0.5, 0]])
    transform = similarity(shift=(3.0, 0), size=(180, 320))
    assert error(camera.update(planes(warped(small, transform)), NOTHING), transform, (180, 320)) < 0.3
    assert np.array_equal(camera.update(planes(texture(1, 300, 300)), NOTHING), STANDS)  # other proportions


def test_boxes_may_be_anything():
    wild = np.array([[-1e12, -5, 1e12, 40], [np.nan, 0, 9, 9], [0, 0, np.inf, 10], [50, 50, 40, 40]])
    transform = similarity(shift=(4.0, 2.0))
    _, (_, found) = motions([texture(1), warped(texture(1), transform)], wild)
    assert error(found, transform) < 0.5


def test_it_does_not_matter_where_in_memory_pictures_lie():
    pictures, states = [warped(texture(6), similarity(), seed=k) for k in range(12)], set()
    for attempt in range(24):
        waste = [np.zeros(997 * (attempt + 1), np.uint8) for _ in range(attempt)]
        camera, _ = motions([picture.copy() for picture in pictures])
        assert camera.still and len(waste) == attempt
        states.add(to_bytes(camera.state()))
    assert len(states) == 1
