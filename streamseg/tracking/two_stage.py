"""Follows objects by motion and overlap: confident detections first, then the doubtful ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from streamseg.instances import Instances
from streamseg.planes import Picture
from streamseg.tracking.likeness import likeness
from streamseg.tracking.motion import Motion, Noise
from streamseg.tracking.overlap import Shapes, area, box_overlap, intersection, mask_overlap, near_overlap, over_union
from streamseg.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Rules:
    """When tracks are born, what continues them, and when they die. Times are in seconds, overlaps and scores 0 to 1.

    Attributes:
        high_score: Detections from here on can start a track, and are matched first.
        low_score: Detections below are ignored; those between continue a track in sight, but never start one.
        sure_score: A single detection from here on is believed at once.
        birth_hits: Others are believed after this many detections.
        birth_seconds: The longest time between two of those.
        lost_seconds: How long an object out of sight keeps its identity.
        least_overlap: With which a confident detection continues a track.
        least_overlap_low: The same of a doubtful detection.
        least_overlap_new: The same of a confident detection and a track that is not believed yet.
        double: Overlap with a matched detection of the same kind from which a detection is its double, not a birth.
        mask_share: How much the masks have to say in an overlap; the rest is that of the boxes.
        slack: How far both boxes are grown for each standard deviation of the expected place, sizes.
        most_slack: The most that they are grown.
    """

    high_score: float = 0.5
    low_score: float = 0.1
    sure_score: float = 0.95
    birth_hits: int = 3
    birth_seconds: float = 0.35
    lost_seconds: float = 1.5
    least_overlap: float = 0.2
    least_overlap_low: float = 0.4
    least_overlap_new: float = 0.3
    double: float = 0.7
    mask_share: float = 0.5
    slack: float = 0.5
    most_slack: float = 0.3


@dataclass(slots=True, eq=False)
class TwoStageTracker:
    """A ``Tracker`` after ByteTrack (Zhang et al., ECCV 2022), with masks, labels and time in seconds.

    Birth: what is confident in the first frame gets its identity at once; later a track is believed after one sure
    detection, or after ``birth_hits`` not more than ``birth_seconds`` apart. Death: out of sight for ``lost_seconds``,
    or out of the frame. Whatever the frame rate, a track gets at least one chance to be found again before it dies.
    Identities count from 1 in order of birth and are never used again.

    What ``update`` returns, in the order of the input: every detection of a believed track, with its identity and the
    track's label (the vote of its life), however low its score; and every other detection from ``high_score`` on,
    with identity 0. Boxes, scores and masks are the detector's own. ``carry`` moves each of them by what its track has
    moved since then, for as long as an object may be out of sight, or until twice the time between updates is over.
    """

    rules: Rules = field(default_factory=Rules)
    noise: Noise = field(default_factory=Noise)
    _motion: Motion = field(init=False)
    _tracks: Tracks = field(init=False, default_factory=Tracks.none)
    _last_id: int = field(init=False, default=0)
    _now: float = field(init=False, default=-np.inf)
    _pace: float = field(init=False, default=np.inf)  # seconds between the last two updates
    _shown: Instances = field(init=False, default_factory=Instances.empty)  # what the last update returned
    _rows: np.ndarray = field(init=False, default_factory=lambda: np.zeros(0, int))  # their tracks, -1 for none

    def __post_init__(self) -> None:
        self._motion = Motion(self.noise)

    def update(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Instances:
        """Give the objects of the next frame their identities (see ``streamseg.tracking.Tracker.update``)."""
        first, elapsed = self._now == -np.inf, seconds - self._now
        self._now, self._pace = max(seconds, self._now), elapsed
        order = _canonical_order(instances)
        found = instances[order]
        shapes = Shapes.of(found.boxes, found.masks > 0.5)
        self._motion.predict(elapsed)
        self._bury(size)
        chosen = self._match(found, shapes)
        self._take_in(found, shapes, chosen)
        self._give_birth(found, shapes, chosen, at_once=first)
        self._shown, self._rows = self._result(instances, order, chosen)
        return self._shown

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        """What the last update returned, moved on (see ``streamseg.tracking.Tracker.carry``)."""
        elapsed, moving = max(0.0, seconds - self._now), self._rows >= 0
        boxes = self._shown.boxes.copy()
        boxes[moving] = self._motion.carried(self._rows[moving], boxes[moving], elapsed)
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, size[1])
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, size[0])
        inside = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        if elapsed > max(self.rules.lost_seconds, 2 * self._pace):
            inside[:] = False
        return replace(self._shown, boxes=boxes)[inside]

    def _match(self, found: Instances, shapes: Shapes) -> np.ndarray:
        """The track of each detection, int [N], -1 for none."""
        rules, chosen = self.rules, np.full(len(found), -1)
        if not len(found) or not len(self._tracks):
            return chosen
        high = found.scores >= rules.high_score
        low = ~high & (found.scores >= rules.low_score)
        believed, in_sight = self._tracks.ids > 0, self._tracks.missed == 0
        stages = (
            (believed, high, rules.least_overlap),
            (believed & in_sight, low, rules.least_overlap_low),
            (~believed, high, rules.least_overlap_new),
        )
        least = np.full((len(self._tracks), len(found)), np.inf)
        for tracks, detections, enough in stages:
            least[tracks[:, None] & detections] = enough
        worth, free = self._worth(found, shapes, least), np.ones(len(self._tracks), bool)
        for tracks, detections, _ in stages:
            rows, columns = np.flatnonzero(tracks & free), np.flatnonzero(detections & (chosen < 0))
            row, column = _assign(worth[rows][:, columns])
            chosen[columns[column]] = rows[row]
            free[rows[row]] = False
        return chosen

    def _worth(self, found: Instances, shapes: Shapes, least: np.ndarray) -> np.ndarray:
        """How well each detection continues each track, 0 to 1, where that is at least ``least``, else 0: [T, N]."""
        rules, expected = self.rules, Shapes.of(self._motion.boxes, self._tracks.masks)
        # Where the place is uncertain, being near is worth something too.
        slack = np.minimum(rules.slack * self._motion.spread, rules.most_slack)
        near = near_overlap(expected.boxes, shapes.boxes, slack)
        alike = likeness(found.class_names)[self._tracks.labels[:, None], found.labels]
        shared = intersection(expected.boxes, shapes.boxes)
        both = over_union(shared, area(expected.boxes)[:, None], area(shapes.boxes))
        # The masks cannot share more than their boxes do, which settles most pairs without reading them.
        most = over_union(shared, expected.areas[:, None], shapes.areas)
        gain = np.divide(most, both, out=np.ones_like(both), where=both > 0)
        worth = self._weighed(near, gain) * alike
        pairs = np.nonzero((worth >= least) & (both > 0))
        gain = mask_overlap(expected[pairs[0]], shapes[pairs[1]]) / both[pairs]
        worth[pairs] = self._weighed(near[pairs], gain) * alike[pairs]
        return np.where(worth >= least, worth, 0.0)

    def _weighed(self, near: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Overlaps of boxes, by how much better or worse (a factor) the masks overlap."""
        share = self.rules.mask_share
        return np.minimum(near * (1 - share + share * gain), 1)

    def _take_in(self, found: Instances, shapes: Shapes, chosen: np.ndarray) -> None:
        """Bring the tracks that were seen up to date."""
        tracks, seen = self._tracks, chosen >= 0
        rows, scores = chosen[seen], found.scores[seen]
        tracks.missed += 1
        if not len(rows):
            return
        self._motion.correct(rows, shapes.boxes[seen], 1 + (1 - scores))
        tracks.missed[rows] = 0
        tracks.seen[rows] = self._now
        tracks.hits[rows] += 1
        tracks.masks[rows] = shapes.masks[seen]
        tracks.votes[rows, found.labels[seen]] += scores
        sure = (tracks.hits[rows] >= self.rules.birth_hits) | (scores >= self.rules.sure_score)
        doubted = rows[sure & (tracks.ids[rows] == 0)]
        tracks.ids[doubted] = self._new_ids(len(doubted))

    def _give_birth(self, found: Instances, shapes: Shapes, chosen: np.ndarray, at_once: bool) -> None:
        """Start tracks for confident detections that continue none; ``chosen`` is changed to name them."""
        fresh = np.flatnonzero((chosen < 0) & (found.scores >= self.rules.high_score))
        taken = np.flatnonzero(chosen >= 0)
        if len(fresh) and len(taken):
            alike = likeness(found.class_names)[np.ix_(found.labels[fresh], found.labels[taken])]
            doubled = box_overlap(shapes.boxes[fresh], shapes.boxes[taken]) * alike >= self.rules.double
            fresh = fresh[~doubled.any(axis=1)]
        count = len(fresh)
        if not count:
            return
        votes, ids = np.zeros((count, len(found.class_names))), np.zeros(count, int)
        votes[np.arange(count), found.labels[fresh]] = found.scores[fresh]
        sure = (found.scores[fresh] >= self.rules.sure_score) | (at_once or self.rules.birth_hits <= 1)
        ids[sure] = self._new_ids(int(sure.sum()))
        seen, once = np.full(count, self._now), np.ones(count, int)
        chosen[fresh] = len(self._tracks) + np.arange(count)
        self._motion.add(shapes.boxes[fresh])
        self._tracks.add(Tracks(shapes.masks[fresh], votes, seen, once, np.zeros(count, int), ids))

    def _bury(self, size: tuple[int, int]) -> None:
        """Forget tracks that were not found again in time, or have left the frame."""
        tracks, boxes = self._tracks, self._motion.boxes
        inside = np.minimum(boxes[:, 2:], size[::-1]) - np.maximum(boxes[:, :2], 0)
        limit = np.where(tracks.ids > 0, self.rules.lost_seconds, self.rules.birth_seconds)
        late = (tracks.missed > 0) & (self._now - tracks.seen > limit)
        alive = (inside > 0).all(axis=1) & ~late
        if not alive.all():
            self._motion.keep(alive)
            tracks.keep(alive)

    def _new_ids(self, count: int) -> np.ndarray:
        self._last_id += count
        return np.arange(self._last_id - count, self._last_id) + 1

    def _result(self, instances: Instances, order: np.ndarray, chosen: np.ndarray) -> tuple[Instances, np.ndarray]:
        """The detections worth showing, and the track of each, int [K], -1 for none."""
        ids, labels = np.zeros(len(instances), np.int64), instances.labels.copy()
        rows, places = chosen[chosen >= 0], order[chosen >= 0]
        ids[places] = self._tracks.ids[rows]
        known = ids[places] > 0
        labels[places[known]] = self._tracks.labels[rows[known]]
        kept = (ids > 0) | (instances.scores >= self.rules.high_score)
        tracks = np.full(len(instances), -1)
        tracks[order] = chosen
        return replace(instances, ids=ids, labels=labels)[kept], tracks[kept]


def _canonical_order(instances: Instances) -> np.ndarray:
    """Best score first, ties by box and label: identities must not depend on the detector's order."""
    keys = (instances.labels, *instances.boxes.T[::-1], -instances.scores)
    return np.lexsort(keys)


def _assign(worth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pairs with the greatest sum, none that is worth nothing."""
    if not worth.any():
        return np.zeros(0, int), np.zeros(0, int)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    paid = worth[rows, columns] > 0
    return rows[paid], columns[paid]
