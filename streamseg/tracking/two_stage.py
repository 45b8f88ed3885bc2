"""Follows objects by motion and overlap: confident detections first, then the doubtful ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from streamseg.instances import Instances
from streamseg.planes import Picture
from streamseg.tracking.belief import Belief
from streamseg.tracking.drift import common_motion
from streamseg.tracking.likeness import SAME_KIND, likeness
from streamseg.tracking.motion import Motion, Noise
from streamseg.tracking.observation import Observation
from streamseg.tracking.overlap import (
    Shapes,
    area,
    box_overlap,
    covered,
    intersection,
    mask_overlap,
    near_overlap,
    over_union,
)
from streamseg.tracking.tracks import Tracks

if TYPE_CHECKING:
    from streamseg.tracking.camera import CameraMotion


@dataclass(frozen=True, slots=True)
class Rules:
    """What continues a track, and when it dies. Times are in seconds, overlaps and scores 0 to 1.

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
    doubt: float = 2.0


@dataclass(slots=True, eq=False)
class TwoStageTracker:
    """A ``Tracker`` after ByteTrack (Zhang et al., ECCV 2022), with masks, labels, evidence and time in seconds.

    A track begins with any confident detection and is believed, and given its identity, when its detections have given
    enough evidence (see ``Belief``). It dies when it has been out of sight for too long, or has left the frame.
    Whatever the frame rate, it gets at least one chance to be found again before it dies. Identities count from 1 in
    the order in which tracks are believed and are never used again.

    Where the camera moves, all tracks move with it: by what is seen in the picture, or, where there is none, by what
    all detections have moved together.

    What ``update`` returns, in the order of the input: every detection of a believed track, with its identity and the
    track's label (the vote of its life), however low its score; and every other detection from ``high_score`` on,
    with identity 0. Boxes, scores and masks are the detector's own. ``carry`` moves each of them by what its track has
    moved since then, for as long as an object may be out of sight, or until twice the time between updates is over.
    """

    rules: Rules = field(default_factory=Rules)
    noise: Noise = field(default_factory=Noise)
    belief: Belief = field(default_factory=Belief)
    camera: CameraMotion | None = None
    _motion: Motion = field(init=False)
    _tracks: Tracks = field(init=False, default_factory=Tracks.none)
    _last_id: int = field(init=False, default=0)
    _last_number: int = field(init=False, default=0)
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
        self.observe(instances, seconds, size, picture)
        return self._shown

    def observe(
        self, instances: Instances, seconds: float, size: tuple[int, int], picture: Picture | None = None
    ) -> Observation:
        """The same with all that the tracker knows (see ``streamseg.tracking.Tracker.observe``)."""
        elapsed = seconds - self._now
        self._now, self._pace = max(seconds, self._now), elapsed
        order = _canonical_order(instances)
        found = instances[order]
        shapes = Shapes.of(found.boxes, found.masks > 0.5)
        camera = self._follow_camera(picture, found.boxes)
        self._motion.predict(elapsed)
        self._bury(size)
        if self.camera is None or picture is None:
            camera = self._drift(found, shapes, size)
        single = self._single(found, shapes)
        chosen = self._match(found, shapes, single)
        self.belief.see(found.scores)
        self._tracks.missed += 1
        self._tracks.belief *= self.belief.kept(elapsed)
        self._take_in(found, shapes, chosen, elapsed)
        self._give_birth(found, shapes, chosen, single)
        named = self._believe()
        return self._result(instances, order, chosen, single, named, camera)

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

    def _follow_camera(self, picture: Picture | None, boxes: np.ndarray) -> np.ndarray:
        """Move the tracks with the camera, forget them where it shows something else; how it moved."""
        if self.camera is None or picture is None:
            return np.eye(2, 3)
        transform = self.camera.update(picture, boxes)
        if self.camera.cut:
            self._keep(np.zeros(len(self._tracks), bool))
        self._motion.move(transform)
        return transform

    def _drift(self, found: Instances, shapes: Shapes, size: tuple[int, int]) -> np.ndarray:
        """Move the tracks by what all detections have moved together; that motion."""
        tracks, rules = self._tracks, self.rules
        rows = np.flatnonzero((tracks.missed == 0) & (tracks.hits >= 3))
        columns = np.flatnonzero(found.scores >= rules.high_score)
        expected, detected = self._motion.boxes[rows], shapes.boxes[columns]
        near = near_overlap(expected, detected, self._slack()[rows])
        row, column = _assign(np.where(near >= rules.least_overlap, near, 0.0))
        transform = common_motion(expected[row], detected[column], size[1])
        if transform is None:
            return np.eye(2, 3)
        self._motion.move(transform)
        return transform

    def _slack(self) -> np.ndarray:
        """How far boxes are grown: where the place is uncertain, being near is worth something too."""
        return np.minimum(self.rules.slack * self._motion.spread, self.rules.most_slack)

    def _single(self, found: Instances, shapes: Shapes) -> np.ndarray:
        """Which detections are not a better one found again, by their masks: bool [N]; the best come first."""
        if not self._reads_masks(found):
            return np.ones(len(found), bool)
        same = likeness(found.class_names)[found.labels[:, None], found.labels] >= SAME_KIND
        return ~covered(shapes, np.tri(len(found), k=-1, dtype=bool) & same, self.rules.inside)

    def _reads_masks(self, found: Instances) -> bool:
        return self.rules.mask_share > 0 and found.has_masks

    def _match(self, found: Instances, shapes: Shapes, single: np.ndarray) -> np.ndarray:
        """The track of each detection, int [N], -1 for none."""
        rules, chosen = self.rules, np.full(len(found), -1)
        if not len(found) or not len(self._tracks):
            return chosen
        high = single & (found.scores >= rules.high_score)
        low = ~high & (found.scores >= rules.low_score)
        anywhere, in_sight = np.ones(len(self._tracks), bool), self._tracks.missed <= 1
        stages = ((anywhere, high, rules.least_overlap), (in_sight, low, rules.least_overlap_low))
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
        expected = Shapes.of(self._motion.boxes, self._tracks.masks)
        near = near_overlap(expected.boxes, shapes.boxes, self._slack())
        alike = likeness(found.class_names)[self._tracks.labels[:, None], found.labels]
        worth = near * alike
        if self._reads_masks(found):
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

    def _take_in(self, found: Instances, shapes: Shapes, chosen: np.ndarray, elapsed: float) -> None:
        """Bring the tracks that were seen up to date."""
        tracks, seen = self._tracks, chosen >= 0
        rows, scores = chosen[seen], found.scores[seen]
        self._motion.correct(rows, shapes.boxes[seen], 1 + self.rules.doubt * (1 - scores))
        tracks.missed[rows] = 0
        tracks.seen[rows] = self._now
        tracks.hits[rows] += 1
        if len(rows):
            tracks.masks[rows] = shapes.masks[seen]
        tracks.votes[rows, found.labels[seen]] += scores
        tracks.belief[rows] += self.belief.weight(elapsed) * self.belief.evidence(scores)

    def _give_birth(self, found: Instances, shapes: Shapes, chosen: np.ndarray, single: np.ndarray) -> None:
        """Start tracks for confident detections that continue none; ``chosen`` is changed to name them."""
        fresh = np.flatnonzero((chosen < 0) & single & (found.scores >= self.rules.high_score))
        taken = np.flatnonzero(chosen >= 0)
        if len(fresh) and len(taken):
            alike = likeness(found.class_names)[np.ix_(found.labels[fresh], found.labels[taken])]
            doubled = box_overlap(shapes.boxes[fresh], shapes.boxes[taken]) * alike >= self.rules.double
            fresh = fresh[~doubled.any(axis=1)]
        count = len(fresh)
        if not count:
            return
        scores = found.scores[fresh]
        votes = np.zeros((count, len(found.class_names)))
        votes[np.arange(count), found.labels[fresh]] = scores
        chosen[fresh] = len(self._tracks) + np.arange(count)
        self._motion.add(shapes.boxes[fresh])
        self._tracks.add(
            Tracks(
                masks=shapes.masks[fresh],
                votes=votes,
                seen=np.full(count, self._now),
                hits=np.ones(count, int),
                missed=np.zeros(count, int),
                belief=self.belief.evidence(scores),
                numbers=self._last_number + 1 + np.arange(count),
                ids=np.zeros(count, int),
            )
        )
        self._last_number += count

    def _believe(self) -> dict[int, int]:
        """Give identities to the tracks for which there is enough evidence now; those, by number of the track."""
        tracks = self._tracks
        rows = np.flatnonzero((tracks.ids == 0) & (tracks.belief >= self.belief.enough))
        tracks.ids[rows] = self._last_id + 1 + np.arange(len(rows))
        self._last_id += len(rows)
        return dict(zip(tracks.numbers[rows].tolist(), tracks.ids[rows].tolist(), strict=True))

    def _bury(self, size: tuple[int, int]) -> None:
        """Forget tracks that were not found again in time, or have left the frame."""
        tracks, boxes = self._tracks, self._motion.boxes
        inside = np.minimum(boxes[:, 2:], size[::-1]) - np.maximum(boxes[:, :2], 0)
        limit = np.where(tracks.ids > 0, self.rules.lost_seconds, self.rules.doubted_seconds)
        late = (tracks.missed > 0) & (self._now - tracks.seen > limit)
        self._keep((inside > 0).all(axis=1) & ~late)

    def _keep(self, alive: np.ndarray) -> None:
        if not alive.all():
            self._motion.keep(alive)
            self._tracks.keep(alive)

    def _result(
        self,
        instances: Instances,
        order: np.ndarray,
        chosen: np.ndarray,
        single: np.ndarray,
        named: dict[int, int],
        camera: np.ndarray,
    ) -> Observation:
        """What was found and is on a track, or worth showing without one."""
        rows, worthy = np.full(len(instances), -1), np.zeros(len(instances), bool)
        rows[order], worthy[order] = chosen, single
        worthy &= instances.scores >= self.rules.high_score
        on_track = rows >= 0
        kept = on_track | worthy
        ids, numbers, labels = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64), instances.labels.copy()
        ids[on_track] = self._tracks.ids[rows[on_track]]
        numbers[on_track] = self._tracks.numbers[rows[on_track]]
        known = ids > 0
        labels[known] = self._tracks.labels[rows[known]]
        seen = replace(instances, ids=ids, labels=labels)[kept]
        shown = (seen.ids > 0) | worthy[kept]
        self._shown, self._rows = seen[shown], rows[kept][shown]
        return Observation(seen, numbers[kept], shown, camera, named)


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
