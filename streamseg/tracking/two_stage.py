"""Follows objects by motion and overlap: confident detections first, then the doubtful ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from streamseg.instances import Instances
from streamseg.tracking.likeness import likeness
from streamseg.tracking.motion import Motion, Noise
from streamseg.tracking.overlap import box_overlap, mask_overlap, near_overlap


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
class Track:
    """The life of one object.

    Attributes:
        mask: bool [M, M], as last detected.
        votes: float64 [C], sum of the scores per label.
        seen: When it was last detected, seconds.
        hits: Number of detections.
        missed: Number of updates since the last detection.
        id: From 1; 0 while it is not believed.
    """

    mask: np.ndarray
    votes: np.ndarray
    seen: float
    hits: int = 1
    missed: int = 0
    id: int = 0

    @property
    def label(self) -> int:
        """The label with most votes."""
        return int(self.votes.argmax())


@dataclass(slots=True, eq=False)
class TwoStageTracker:
    """A ``Tracker`` after ByteTrack (Zhang et al., ECCV 2022), with masks, labels and time in seconds.

    Birth: what is confident in the first frame gets its identity at once; later a track is believed after one sure
    detection, or after ``birth_hits`` not more than ``birth_seconds`` apart. Death: out of sight for ``lost_seconds``,
    or out of the frame. Whatever the frame rate, a track gets at least one chance to be found again before it dies.
    Identities count from 1 in order of birth and are never used again.

    What ``update`` returns, in the order of the input: every detection of a believed track, with its identity and the
    track's label (the vote of its life), however low its score; and every other detection from ``high_score`` on,
    with identity 0. Boxes, scores and masks are the detector's own.
    """

    rules: Rules = field(default_factory=Rules)
    noise: Noise = field(default_factory=Noise)
    _motion: Motion = field(init=False)
    _tracks: list[Track] = field(init=False, default_factory=list)
    _last_id: int = field(init=False, default=0)
    _now: float = field(init=False, default=-np.inf)

    def __post_init__(self) -> None:
        self._motion = Motion(self.noise)

    def update(self, instances: Instances, seconds: float, size: tuple[int, int]) -> Instances:
        """Give the objects of the next frame their identities (see ``streamseg.tracking.Tracker.update``)."""
        first, elapsed = self._now == -np.inf, seconds - self._now
        self._now = max(seconds, self._now)
        order = _canonical_order(instances)
        found = instances[order]
        self._motion.predict(elapsed)
        self._bury(size)
        chosen = self._match(found)
        self._take_in(found, chosen)
        self._give_birth(found, chosen, at_once=first)
        return self._result(instances, order, chosen)

    def _match(self, found: Instances) -> np.ndarray:
        """The track of each detection, int [N], -1 for none."""
        rules, chosen = self.rules, np.full(len(found), -1)
        if not len(found) or not self._tracks:
            return chosen
        likely = self._similarity(found)
        high = found.scores >= rules.high_score
        low = ~high & (found.scores >= rules.low_score)
        believed = np.array([track.id > 0 for track in self._tracks])
        in_sight = np.array([track.missed == 0 for track in self._tracks])
        for tracks, detections, least in (
            (believed, high, rules.least_overlap),
            (believed & in_sight, low, rules.least_overlap_low),
            (~believed, high, rules.least_overlap_new),
        ):
            free = np.ones(len(self._tracks), bool)
            free[chosen[chosen >= 0]] = False
            rows, columns = np.flatnonzero(tracks & free), np.flatnonzero(detections & (chosen < 0))
            for row, column in _assign(likely[np.ix_(rows, columns)], least):
                chosen[columns[column]] = rows[row]
        return chosen

    def _similarity(self, found: Instances) -> np.ndarray:
        """How well each detection continues each track: float64 [T, N], 0 to 1."""
        rules, expected = self.rules, self._motion.boxes
        # Where the place is uncertain, being near is worth something too.
        slack = np.minimum(rules.slack * self._motion.spread, rules.most_slack)
        likely = near_overlap(expected, found.boxes, slack)
        both = box_overlap(expected, found.boxes)
        row, column = np.nonzero(both)
        if rules.mask_share > 0 and len(row):
            known = np.stack([track.mask for track in self._tracks])
            covered = mask_overlap(expected[row], known[row], found.boxes[column], found.masks[column] > 0.5)
            # What matters is whether the masks overlap better or worse than the boxes do.
            likely[row, column] *= 1 - rules.mask_share + rules.mask_share * covered / both[row, column]
            likely = np.minimum(likely, 1)
        labels = np.array([track.label for track in self._tracks])
        return likely * likeness(found.class_names)[np.ix_(labels, found.labels)]

    def _take_in(self, found: Instances, chosen: np.ndarray) -> None:
        """Bring the tracks that were seen up to date."""
        columns = np.flatnonzero(chosen >= 0)
        self._motion.correct(chosen[columns], found.boxes[columns], 1 + (1 - found.scores[columns]))
        for track in self._tracks:
            track.missed += 1
        for column in columns:
            track = self._tracks[chosen[column]]
            track.mask = found.masks[column] > 0.5
            track.votes[found.labels[column]] += found.scores[column]
            track.seen, track.missed, track.hits = self._now, 0, track.hits + 1
            if track.id == 0 and (track.hits >= self.rules.birth_hits or found.scores[column] >= self.rules.sure_score):
                self._baptise(track)

    def _give_birth(self, found: Instances, chosen: np.ndarray, at_once: bool) -> None:
        """Start tracks for confident detections that continue none; ``chosen`` is changed to name them."""
        fresh = np.flatnonzero((chosen < 0) & (found.scores >= self.rules.high_score))
        taken = np.flatnonzero(chosen >= 0)
        if len(fresh) and len(taken):
            alike = likeness(found.class_names)[np.ix_(found.labels[fresh], found.labels[taken])]
            doubled = box_overlap(found.boxes[fresh], found.boxes[taken]) * alike >= self.rules.double
            fresh = fresh[~doubled.any(axis=1)]
        self._motion.add(found.boxes[fresh])
        for column in fresh:
            votes = np.zeros(len(found.class_names))
            votes[found.labels[column]] = found.scores[column]
            track = Track(found.masks[column] > 0.5, votes, self._now)
            if at_once or self.rules.birth_hits <= 1 or found.scores[column] >= self.rules.sure_score:
                self._baptise(track)
            chosen[column] = len(self._tracks)
            self._tracks.append(track)

    def _bury(self, size: tuple[int, int]) -> None:
        """Forget tracks that were not found again in time, or have left the frame."""
        boxes = self._motion.boxes
        inside = np.minimum(boxes[:, 2:], size[::-1]) - np.maximum(boxes[:, :2], 0)
        gone = (inside <= 0).any(axis=1)
        alive = np.array([not gone[row] and not self._late(track) for row, track in enumerate(self._tracks)], bool)
        self._motion.keep(alive)
        self._tracks = [track for track, lives in zip(self._tracks, alive, strict=True) if lives]

    def _late(self, track: Track) -> bool:
        limit = self.rules.lost_seconds if track.id else self.rules.birth_seconds
        return track.missed > 0 and self._now - track.seen > limit

    def _baptise(self, track: Track) -> None:
        self._last_id += 1
        track.id = self._last_id

    def _result(self, instances: Instances, order: np.ndarray, chosen: np.ndarray) -> Instances:
        ids, labels = np.zeros(len(instances), np.int64), instances.labels.copy()
        for column in np.flatnonzero(chosen >= 0):
            track = self._tracks[chosen[column]]
            ids[order[column]] = track.id
            if track.id:
                labels[order[column]] = track.label
        kept = (ids > 0) | (instances.scores >= self.rules.high_score)
        return replace(instances, ids=ids, labels=labels)[kept]


def _canonical_order(instances: Instances) -> np.ndarray:
    """Best score first, ties by box and label: identities must not depend on the detector's order."""
    keys = (instances.labels, *instances.boxes.T[::-1], -instances.scores)
    return np.lexsort(keys)


def _assign(likely: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Pairs of row and column with the greatest sum, none below ``least``."""
    if not likely.size:
        return []
    from scipy.optimize import linear_sum_assignment

    worth = np.where(likely >= least, likely, 0.0)
    pairs = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return [(int(row), int(column)) for row, column in pairs if worth[row, column] > 0]
