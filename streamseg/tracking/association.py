"""Which detection continues which track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from streamseg.instances import Instances
from streamseg.tracking.appearance import alike
from streamseg.tracking.likeness import SAME_KIND, likeness
from streamseg.tracking.motion import Motion
from streamseg.tracking.overlap import Shapes, area, covered, intersection, mask_overlap, near_overlap, over_union
from streamseg.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Rules:
    """What continues a track, and when it dies. Times are in seconds, overlaps, looks and scores 0 to 1.

    Attributes:
        high_score: Detections from here on can start a track, and are matched first.
        low_score: Detections below are ignored; those between continue a track in sight, but never start one.
        lost_seconds: How long an object out of sight keeps its identity.
        doubted_seconds: How long a track that is not believed may be out of sight.
        least_overlap: With which a confident detection continues a track.
        least_overlap_low: The same of a doubtful detection.
        double: Overlap with a matched detection of the same kind from which a detection is its double, not a birth.
        inside: Share of a detection's mask inside that of a better one of its kind from which it is that one's double,
            a part of it or both at once: it starts nothing, and continues only what nothing else does. What is seen of
            two objects shares no pixels, however much their boxes overlap.
        mask_share: How much the masks have to say in an overlap; the rest is that of the boxes. 0: masks are not read.
        slack: How far both boxes are grown for each standard deviation of the expected place, sizes.
        most_slack: The most that they are grown.
        look_share: How much the looks have to say, as a factor on an overlap.
        least_alike: Below this it is somebody else.
        doubt: How much further than a sure detection's place that of an impossible one (score 0) may be off.
    """

    high_score: float = 0.5
    low_score: float = 0.2
    lost_seconds: float = 1.0
    doubted_seconds: float = 0.35
    least_overlap: float = 0.2
    least_overlap_low: float = 0.4
    double: float = 0.6
    inside: float = 0.3
    mask_share: float = 0.5
    slack: float = 0.75
    most_slack: float = 0.3
    look_share: float = 0.8
    least_alike: float = 0.1
    doubt: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Sights:
    """N detections of one frame, best first.

    Attributes:
        found: As detected.
        shapes: Their boxes and masks.
        looks: float32 [N, D], see :func:`streamseg.tracking.appearance.describe`.
        single: bool [N], whether it is no better one found again, by the masks.
        reads_masks: Whether masks are compared.
    """

    found: Instances
    shapes: Shapes
    looks: np.ndarray
    single: np.ndarray
    reads_masks: bool

    @classmethod
    def of(cls, found: Instances, looks: np.ndarray, rules: Rules) -> Sights:
        """Detections in order, best first."""
        shapes = Shapes.of(found.boxes, found.masks > 0.5)
        reads_masks = rules.mask_share > 0 and found.has_masks
        single = np.ones(len(found), bool)
        if reads_masks:
            same = likeness(found.class_names)[found.labels[:, None], found.labels] >= SAME_KIND
            single = ~covered(shapes, np.tri(len(found), k=-1, dtype=bool) & same, rules.inside)
        return cls(found, shapes, looks, single, reads_masks)


def match(tracks: Tracks, motion: Motion, sights: Sights, rules: Rules) -> np.ndarray:
    """The track of each detection: confident ones first, then the doubtful ones (ByteTrack, Zhang et al., ECCV 2022).

    Args:
        tracks: T tracks.
        motion: Where they are expected.
        sights: N detections.
        rules: What continues a track.

    Returns:
        int64 [N], row of the track, -1 for none; no row comes twice.
    """
    scores, chosen = sights.found.scores, np.full(len(sights.found), -1)
    if not len(scores) or not len(tracks):
        return chosen
    high = sights.single & (scores >= rules.high_score)
    low = ~high & (scores >= rules.low_score)
    anywhere, in_sight = np.ones(len(tracks), bool), tracks.missed <= 1
    stages = ((anywhere, high, rules.least_overlap), (in_sight, low, rules.least_overlap_low))
    least = np.full((len(tracks), len(scores)), np.inf)
    for allowed, detections, enough in stages:
        least[allowed[:, None] & detections] = enough
    worth, free = _worth(tracks, motion, sights, rules, least), np.ones(len(tracks), bool)
    for allowed, detections, _ in stages:
        rows, columns = np.flatnonzero(allowed & free), np.flatnonzero(detections & (chosen < 0))
        row, column = assign(worth[rows][:, columns])
        chosen[columns[column]] = rows[row]
        free[rows[row]] = False
    return chosen


def slack_of(motion: Motion, rules: Rules) -> np.ndarray:
    """How far boxes are grown, float64 [T]: where the place is uncertain, being near is worth something too."""
    return np.minimum(rules.slack * motion.spread, rules.most_slack)


def _worth(tracks: Tracks, motion: Motion, sights: Sights, rules: Rules, least: np.ndarray) -> np.ndarray:
    """How well each detection continues each track, 0 where by overlap it is less than ``least``: [T, N]."""
    found, shapes = sights.found, sights.shapes
    expected = Shapes.of(motion.boxes, tracks.masks)
    near = near_overlap(expected.boxes, shapes.boxes, slack_of(motion, rules))
    similar = likeness(found.class_names)[tracks.labels[:, None], found.labels]
    worth = near * similar
    if sights.reads_masks:
        shared = intersection(expected.boxes, shapes.boxes)
        both = over_union(shared, area(expected.boxes)[:, None], area(shapes.boxes))
        # The masks cannot share more than their boxes do, which settles most pairs without reading them.
        most = over_union(shared, expected.areas[:, None], shapes.areas)
        gain = np.divide(most, both, out=np.ones_like(both), where=both > 0)
        worth = _weighed(near, gain, rules) * similar
        pairs = np.nonzero((worth >= least) & (both > 0))
        gain = mask_overlap(expected[pairs[0]], shapes[pairs[1]]) / both[pairs]
        worth[pairs] = _weighed(near[pairs], gain, rules) * similar[pairs]
    worth = np.where(worth >= least, worth, 0.0)
    if sights.looks.any():
        looks = alike(tracks.looks, sights.looks)
        worth *= np.where(looks < rules.least_alike, 0.0, 1 + rules.look_share * (looks - 0.5))
    return worth


def _weighed(near: np.ndarray, gain: np.ndarray, rules: Rules) -> np.ndarray:
    """Overlaps of boxes, by how much better or worse (a factor) the masks overlap."""
    return np.minimum(near * (1 - rules.mask_share + rules.mask_share * gain), 1)


def assign(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pairs with the greatest sum, none that is worth nothing."""
    if not worth.any():
        return np.zeros(0, int), np.zeros(0, int)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    paid = worth[rows, columns] > 0
    return rows[paid], columns[paid]
