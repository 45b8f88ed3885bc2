"""True objects as a network would have found them: some missed, cut roughly, doubled or merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from streamseg.instances import Instances
from streamseg.scenes import SceneFrame, TrueObject
from streamseg.scenes.truth import LABELS

LOW = 0.1
"""Least score of a detection."""
_CELLS = 28
_WINDOW = 1.0  # seconds before and after, in which an object's largest view tells how much of it is hidden
_STEADY = np.array([0.9, 0.6, 0.6, 0.6, 0.6])  # correlation of the errors of score and sides with the frame before
_FALSE = 13.0  # false detections per frame
_MERGED = 0.3  # of those, two objects as one


def perturbed(frames: Sequence[SceneFrame], seed: int) -> Iterator[Instances]:
    """Detections made of the truth of a clip, with errors of the size that the ``street`` model makes in crossings.

    Scores fall with what is hidden and with small size, and what falls below ``LOW`` is missed. Sides of boxes and
    outlines stray, masks take in parts of what is in front, and there are false detections upon and between objects.
    All numbers were fitted to what the model makes of ``streamseg.scenes.render_crossings`` (seeds 0 to 5).

    Args:
        frames: Of one clip, in order.
        seed: The same seed gives the same errors.
    """
    rng = np.random.default_rng(seed)
    whole = _largest_views(frames)
    strayed: dict[int, np.ndarray] = defaultdict(lambda: rng.standard_normal(5))  # score, and sides of the box
    for frame, largest in zip(frames, whole, strict=True):
        size = frame.image.shape[:2]
        owners = np.zeros(size, np.int32)
        for found in frame.objects:
            owners[found.mask.slices][found.mask.pixels] = found.id
        detections = []
        for found in frame.objects:
            fresh = rng.standard_normal(5) * np.sqrt(1 - _STEADY**2)
            error = strayed[found.id] = _STEADY * strayed[found.id] + fresh
            seen = min(1.0, np.count_nonzero(found.mask.pixels) / largest[found.id])
            detections.append(_detected(found, seen, error, owners, rng))
        detections += [_false(frame.objects, owners, rng) for _ in range(rng.poisson(_FALSE) if frame.objects else 0)]
        yield _together([one for one in detections if one[1] >= LOW])


_Detection = tuple[np.ndarray, float, str, np.ndarray]  # box, score, label, mask


def _detected(
    found: TrueObject, seen: float, error: np.ndarray, owners: np.ndarray, rng: np.random.Generator
) -> _Detection:
    box = np.array(found.box)
    sides = box[2:] - box[:2]
    hidden, octaves = 1 - seen, float(np.log2(np.sqrt(sides.prod()) / 40))
    certainty = 6.5 + 4.5 * octaves - (20 if found.label == "vehicle" else 31) * hidden + 7 * error[0]
    stray = np.array([0.07 + 0.2 * hidden, 0.035 + 0.08 * hidden])
    box = _inside(box + error[1:] * np.tile(stray * sides, 2), owners.shape)
    # What is in front belongs to the object a little, the more the less there is of itself.
    leak = float(rng.uniform(0, 0.3 + 0.5 * hidden))
    own, other = owners == found.id, (owners > 0) & (owners != found.id)
    return box, _sigmoid(certainty), found.label, _mask(box, own, other, leak, rng)


def _false(objects: Sequence[TrueObject], owners: np.ndarray, rng: np.random.Generator) -> _Detection:
    """A part of an object, or two neighbours as one."""
    found = objects[int(rng.integers(len(objects)))]
    box, score = np.array(found.box), LOW + float(rng.exponential(0.2))
    own = owners == found.id
    if rng.random() < _MERGED and len(objects) > 1:
        distance = [np.abs(np.array(one.box) - box).sum() if one is not found else np.inf for one in objects]
        near = objects[int(np.argmin(distance))]
        box = np.concatenate([np.minimum(box[:2], near.box[:2]), np.maximum(box[2:], near.box[2:])])
        own |= owners == near.id
    else:
        middle, sides = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * rng.uniform(0.4, 1.1, 2)
        middle = middle + (box[2:] - box[:2]) * rng.uniform(-0.3, 0.3, 2)
        box = np.concatenate([middle - sides / 2, middle + sides / 2])
    box = _inside(box, owners.shape)
    return box, min(score, 0.9), found.label, _mask(box, own, owners > 0, float(rng.uniform(0, 1)), rng)


def _mask(box: np.ndarray, own: np.ndarray, other: np.ndarray, leak: float, rng: np.random.Generator) -> np.ndarray:
    """float32 [28, 28], what the head of a network would say of the pixels in a box."""
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.maximum(np.ceil(box[2:]).astype(int), [left + 1, top + 1])
    part = (slice(top, bottom), slice(left, right))
    inside = own[part].astype(np.float32) + leak * (other[part] & ~own[part])
    cells = cv2.resize(inside, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    cells = cv2.GaussianBlur(cells, (0, 0), 1.5)
    rough = cv2.resize(rng.standard_normal((7, 7)).astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_CUBIC)
    swollen = float(rng.normal(0, 0.12))
    return np.asarray(1 / (1 + np.exp(-10 * (cells - 0.5 + swollen + 0.22 * rough))), np.float32)


def _largest_views(frames: Sequence[SceneFrame]) -> list[dict[int, float]]:
    """How many pixels of each object are seen at most around each frame: by identity, per frame."""
    views: dict[int, dict[int, int]] = defaultdict(dict)
    for index, frame in enumerate(frames):
        for found in frame.objects:
            views[found.id][index] = int(np.count_nonzero(found.mask.pixels))
    times = np.array([frame.seconds for frame in frames])
    firsts, lasts = np.searchsorted(times, times - _WINDOW), np.searchsorted(times, times + _WINDOW)
    return [
        {found.id: float(max(views[found.id].get(near, 0) for near in range(first, last))) for found in frame.objects}
        for frame, first, last in zip(frames, firsts, lasts, strict=True)
    ]


def _inside(box: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The part of a box in the frame, at least 2 pixels wide and high."""
    limit = np.array([size[1], size[0]], float)
    low = np.clip(box[:2], 0, limit - 2)
    return np.concatenate([low, np.clip(box[2:], low + 2, limit)])


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def _together(detections: Sequence[_Detection]) -> Instances:
    if not detections:
        return Instances.empty(LABELS)
    boxes, scores, labels, masks = zip(*detections, strict=True)
    return Instances(
        boxes=np.array(boxes, np.float32),
        scores=np.array(scores, np.float32),
        labels=np.array([LABELS.index(label) for label in labels], np.int64),
        masks=np.stack(masks),
        ids=np.zeros(len(boxes), np.int64),
        class_names=LABELS,
    )
