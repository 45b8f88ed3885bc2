"""Follows objects by motion and overlap: confident detections first, then the doubtful ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from streamseg.instances import Instances
from streamseg.planes import Picture
from streamseg.tracking.appearance import LENGTH, describe
from streamseg.tracking.association import Rules, Sights, assign, match, slack_of
from streamseg.tracking.belief import Belief
from streamseg.tracking.between import placed
from streamseg.tracking.camera import CameraMotion
from streamseg.tracking.drift import common_motion
from streamseg.tracking.gallery import Gallery, Plausible, Portraits, recognised
from streamseg.tracking.likeness import likeness
from streamseg.tracking.motion import Motion, Noise
from streamseg.tracking.observation import Observation
from streamseg.tracking.overlap import box_overlap, near_overlap
from streamseg.tracking.stateful import Stateful
from streamseg.tracking.tracks import Tracks

_ANOTHER_CLOCK = 1.0  # seconds by which time runs back where recordings are joined; less is disorder
_LOOK_RATE = 0.15  # share of what is seen now in what a track is known to look like


@dataclass(slots=True, eq=False)
class TwoStageTracker(Stateful):
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
    gallery: Gallery | None = None
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

    def check(self) -> None:
        """Raise ValueError where tracks, their motion and what is shown of them do not belong together."""
        exist = (self._rows >= -1) & (self._rows < len(self._tracks))
        if len(self._motion) != len(self._tracks) or len(self._rows) != len(self._shown) or not exist.all():
            raise ValueError("objects and tracks that do not belong together")

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
        seconds = float(seconds)  # else whole seconds would make whole numbers of the tracks' times
        if seconds < self._now - _ANOTHER_CLOCK:
            self._keep(np.zeros(len(self._tracks), bool))
            self._now = -np.inf
        elapsed = seconds - self._now
        self._now, self._pace = max(seconds, self._now), elapsed
        order = _canonical_order(instances)
        found = instances[order]
        sights = Sights.of(found, self._looks(found, picture), self.rules)
        camera = self._follow_camera(picture, found.boxes)
        self._motion.predict(elapsed)
        self._bury(size)
        if self.camera is None or picture is None:
            camera = self._drift(sights, size)
        chosen = match(self._tracks, self._motion, sights, self.rules)
        self._recognise(sights, chosen)
        self.belief.see(found.scores)
        self._tracks.missed += 1
        self._tracks.belief *= self.belief.kept(elapsed)
        self._take_in(sights, chosen, elapsed)
        self._give_birth(sights, chosen)
        named = self._believe()
        return self._result(instances, order, sights, chosen, named, camera)

    def carry(self, seconds: float, size: tuple[int, int]) -> Instances:
        """What the last update returned, moved on (see ``streamseg.tracking.Tracker.carry``)."""
        elapsed, moving = max(0.0, seconds - self._now), self._rows >= 0
        if elapsed > max(self.rules.lost_seconds, 2 * self._pace):
            return self._shown[:0]
        boxes = self._shown.boxes.copy()
        boxes[moving] = self._motion.carried(self._rows[moving], boxes[moving], elapsed)
        return placed(self._shown, boxes, size)

    def _follow_camera(self, picture: Picture | None, boxes: np.ndarray) -> np.ndarray:
        """Move the tracks with the camera, forget them where it shows something else; how it moved."""
        if self.camera is None or picture is None:
            return np.eye(2, 3)
        transform = self.camera.update(picture, boxes)
        if self.camera.cut:
            self._keep(np.zeros(len(self._tracks), bool))
        self._motion.move(transform)
        if self.gallery is not None:
            self.gallery.move(transform)
        return transform

    def _drift(self, sights: Sights, size: tuple[int, int]) -> np.ndarray:
        """Move the tracks by what all detections have moved together; that motion."""
        tracks, rules = self._tracks, self.rules
        rows = np.flatnonzero((tracks.missed == 0) & (tracks.hits >= 3))
        columns = np.flatnonzero(sights.found.scores >= rules.high_score)
        expected, detected = self._motion.boxes[rows], sights.shapes.boxes[columns]
        near = near_overlap(expected, detected, slack_of(self._motion, rules)[rows])
        row, column = assign(np.where(near >= rules.least_overlap, near, 0.0))
        transform = common_motion(expected[row], detected[column], size[1])
        if transform is None:
            return np.eye(2, 3)
        self._motion.move(transform)
        return transform

    def _looks(self, found: Instances, picture: Picture | None) -> np.ndarray:
        """What each detection looks like; zeros where nobody asks."""
        if self.gallery is None or picture is None:
            return np.zeros((len(found), LENGTH), np.float32)
        return describe(picture, found)

    def _recognise(self, sights: Sights, chosen: np.ndarray) -> None:
        """Find tracks out of sight by their looks where no overlap tells; ``chosen`` is changed."""
        if self.gallery is None:
            return
        tracks, scores = self._tracks, sights.found.scores
        free = np.ones(len(tracks), bool)
        free[chosen[chosen >= 0]] = False
        rows = np.flatnonzero(free & (tracks.missed > 0) & (tracks.ids > 0))
        columns = np.flatnonzero((chosen < 0) & sights.single & (scores >= self.rules.high_score))
        if not len(rows) or not len(columns):
            return
        seen = Portraits(
            np.zeros(len(columns), np.int64),
            sights.found.labels[columns],
            sights.looks[columns],
            sights.shapes.boxes[columns],
            np.full(len(columns), self._now),
        )
        known = recognised(self._portraits(rows), seen, Plausible())
        chosen[columns[known >= 0]] = rows[known[known >= 0]]

    def _portraits(self, rows: np.ndarray) -> Portraits:
        tracks = self._tracks
        return Portraits(
            tracks.ids[rows], tracks.labels[rows], tracks.looks[rows], self._motion.boxes[rows], tracks.seen[rows]
        )

    def _take_in(self, sights: Sights, chosen: np.ndarray, elapsed: float) -> None:
        """Bring the tracks that were seen up to date."""
        tracks, seen = self._tracks, chosen >= 0
        rows, scores = chosen[seen], sights.found.scores[seen]
        if not len(rows):
            return
        self._motion.correct(rows, sights.shapes.boxes[seen], 1 + self.rules.doubt * (1 - scores))
        tracks.missed[rows] = 0
        tracks.seen[rows] = self._now
        tracks.hits[rows] += 1
        tracks.masks[rows] = sights.shapes.masks[seen]
        if self.gallery is not None:
            tracks.looks[rows] = _remembered(tracks.looks[rows], sights.looks[seen])
        tracks.votes[rows, sights.found.labels[seen]] += scores
        tracks.belief[rows] += self.belief.weight(elapsed) * self.belief.evidence(scores)

    def _give_birth(self, sights: Sights, chosen: np.ndarray) -> None:
        """Start tracks for confident detections that continue none; ``chosen`` is changed to name them."""
        found, boxes = sights.found, sights.shapes.boxes
        fresh = np.flatnonzero((chosen < 0) & sights.single & (found.scores >= self.rules.high_score))
        taken = np.flatnonzero(chosen >= 0)
        if len(fresh) and len(taken):
            similar = likeness(found.class_names)[np.ix_(found.labels[fresh], found.labels[taken])]
            doubled = box_overlap(boxes[fresh], boxes[taken]) * similar >= self.rules.double
            fresh = fresh[~doubled.any(axis=1)]
        count = len(fresh)
        if not count:
            return
        scores = found.scores[fresh]
        votes = np.zeros((count, len(found.class_names)))
        votes[np.arange(count), found.labels[fresh]] = scores
        chosen[fresh] = len(self._tracks) + np.arange(count)
        self._motion.add(boxes[fresh])
        self._tracks.add(
            Tracks(
                masks=sights.shapes.masks[fresh],
                looks=sights.looks[fresh],
                votes=votes,
                born=np.full(count, self._now),
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
        if self.gallery is not None and len(rows):
            # Whoever was there before another had gone is not that one.
            tracks.ids[rows] = self.gallery.recall(replace(self._portraits(rows), seconds=tracks.born[rows]))
        new = rows[tracks.ids[rows] == 0]
        tracks.ids[new] = self._last_id + 1 + np.arange(len(new))
        self._last_id += len(new)
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
            if self.gallery is not None:
                self.gallery.put(self._portraits(np.flatnonzero(~alive & (self._tracks.ids > 0))))
            self._motion.keep(alive)
            self._tracks.keep(alive)

    def _result(
        self,
        instances: Instances,
        order: np.ndarray,
        sights: Sights,
        chosen: np.ndarray,
        named: dict[int, int],
        camera: np.ndarray,
    ) -> Observation:
        """What was found and is on a track, or worth showing without one."""
        rows, worthy = np.full(len(instances), -1), np.zeros(len(instances), bool)
        rows[order], worthy[order] = chosen, sights.single
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


def _remembered(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Looks [K, D] as known so far and as seen now, in one; unit vectors, or zeros where neither says anything."""
    known, seen = (np.any(looks, axis=1, keepdims=True) for looks in (before, now))
    mixture = np.where(known & seen, (1 - _LOOK_RATE) * before + _LOOK_RATE * now, before + now)
    norms: np.ndarray = np.linalg.norm(mixture, axis=1, keepdims=True)
    return np.asarray(mixture / np.maximum(norms, 1e-9), np.float32)
