"""TrackEval's measures of tracks: HOTA, CLEAR (MOTA, switches, fragmentations) and Identity (IDF1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Frame = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Identities of truth, int [N], and result, int [K], and their overlap, float64 [N, K], 0 to 1."""

_TABLES = 1 << 30  # bytes of HOTA's tables of truth by result tracks, of which it has one for each threshold
_TRACKS = 1000  # about as many in each of Identity's tables, which it assigns in the time of their number cubed


@dataclass(frozen=True, slots=True, eq=False)
class TrackScores:
    """What TrackEval counts in one class of one video, or in several taken together, and what follows from it.

    Attributes:
        at_overlaps: All fields of its ``HOTA``; those that are arrays have a value for each of 19 overlaps.
        clear: All fields of its ``CLEAR``.
        identity: All fields of its ``Identity``.
    """

    at_overlaps: dict[str, Any]
    clear: dict[str, Any]
    identity: dict[str, Any]

    @property
    def hota(self) -> float:
        """Geometric mean of ``deta`` and ``assa``, averaged over overlaps, 0 to 1 (Luiten et al., IJCV 2021)."""
        return float(np.mean(self.at_overlaps["HOTA"]))

    @property
    def deta(self) -> float:
        """How well objects are found, 0 to 1."""
        return float(np.mean(self.at_overlaps["DetA"]))

    @property
    def assa(self) -> float:
        """How well those found are followed, 0 to 1."""
        return float(np.mean(self.at_overlaps["AssA"]))

    @property
    def truth(self) -> int:
        """Objects to find, counted once per frame."""
        return self.matched + self.misses

    @property
    def result(self) -> int:
        """Tracked detections that were judged, counted once per frame."""
        return self.matched + self.false_positives

    @property
    def matched(self) -> int:
        """Objects found."""
        return int(self.clear["CLR_TP"])

    @property
    def misses(self) -> int:
        """Objects that were not found."""
        return int(self.clear["CLR_FN"])

    @property
    def false_positives(self) -> int:
        """Detections on no object."""
        return int(self.clear["CLR_FP"])

    @property
    def switches(self) -> int:
        """Objects found under another identity than when they were last found."""
        return int(self.clear["IDSW"])

    @property
    def fragmentations(self) -> int:
        """How often an object was found again after frames in which it was not, or was not there."""
        return int(self.clear["Frag"])

    @property
    def mostly_tracked(self) -> int:
        """Objects, each counted once, that were found in more than four fifths of their frames."""
        return int(self.clear["MT"])

    @property
    def mostly_lost(self) -> int:
        """Objects, each counted once, that were found in less than a fifth of their frames."""
        return int(self.clear["ML"])

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / objects; below 0 where errors outnumber objects.

        Bernardin and Stiefelhagen, EURASIP J. Image and Video Processing 2008.
        """
        return float(self.clear["MOTA"])

    @property
    def motp(self) -> float:
        """Mean overlap of the objects found, 0 to 1; of the paper above, as MOTChallenge counts it."""
        return float(self.clear["MOTP"])

    @property
    def identity_matched(self) -> int:
        """Objects found under the one identity that belongs to them."""
        return int(self.identity["IDTP"])

    @property
    def idf1(self) -> float:
        """Part of objects and detections whose identities agree, 0 to 1 (Ristani et al., ECCV workshops 2016)."""
        return float(self.identity["IDF1"])


def score_frames(frames: Sequence[Frame], threshold: float = 0.5) -> TrackScores:
    """Measures the tracks of one class of one video.

    Args:
        frames: What counts; no identity twice in a frame.
        threshold: Overlap from which CLEAR and Identity take an object for found, above 0, to 1; HOTA has its own.
    """
    from trackeval.metrics import CLEAR, Identity

    data = _trackeval(frames)
    config = {"THRESHOLD": threshold, "PRINT_CONFIG": False}
    identity = Identity(dict(config))
    parts = [identity.eval_sequence(part) for part in _apart(data, threshold)]
    return TrackScores(
        at_overlaps=_hota(data),
        clear=CLEAR(dict(config)).eval_sequence(data),
        identity=identity.combine_sequences(dict(enumerate(parts))),
    )


def combined(scores: Iterable[TrackScores]) -> TrackScores:
    """Several classes or videos as one: counts are added, association is weighted by the objects found."""
    from trackeval.metrics import CLEAR, HOTA, Identity

    several = list(scores) or [score_frames([])]
    quiet = {"PRINT_CONFIG": False}
    fields = {"at_overlaps": HOTA(), "clear": CLEAR(dict(quiet)), "identity": Identity(dict(quiet))}
    return TrackScores(
        **{
            name: metric.combine_sequences({place: getattr(one, name) for place, one in enumerate(several)})
            for name, metric in fields.items()
        }
    )


def _trackeval(frames: Sequence[Frame]) -> dict[str, Any]:
    """The frames as TrackEval's measures take them: identities from 0 without gaps."""
    data: dict[str, Any] = {"num_timesteps": len(frames), "similarity_scores": [overlap for *_, overlap in frames]}
    for side, name in enumerate(("gt", "tracker")):
        identities = [frame[side] for frame in frames]
        names, numbers = np.unique(np.concatenate([np.zeros(0, int), *identities]), return_inverse=True)
        ends = np.cumsum([len(one) for one in identities])[:-1]
        data[f"{name}_ids"] = np.split(numbers.astype(int), ends) if frames else []
        data[f"num_{name}_ids"], data[f"num_{name}_dets"] = len(names), len(numbers)
    return data


def _hota(data: dict[str, Any]) -> dict[str, Any]:
    """HOTA, as many thresholds at a time as there is room for: hours of video have thousands of tracks."""
    from trackeval.metrics import HOTA

    metric = HOTA()
    at_once = max(1, _TABLES // (8 * data["num_gt_ids"] * data["num_tracker_ids"] + 1))
    parts = []
    for thresholds in np.array_split(metric.array_labels, -(-len(metric.array_labels) // at_once)):
        metric.array_labels = thresholds
        parts.append(metric.eval_sequence(data))
    arrays = (*metric.integer_array_fields, *metric.float_array_fields)
    # What is one number is of the first threshold.
    return parts[0] | {name: np.concatenate([part[name] for part in parts]) for name in arrays}


def _apart(data: dict[str, Any], least: float) -> list[dict[str, Any]]:
    """The same in parts that Identity may measure each by itself: no track of one ever meets a track of another."""
    truths, tracks = data["num_gt_ids"], data["num_tracker_ids"]
    if truths + tracks <= _TRACKS:
        return [data]
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    frames = list(zip(data["gt_ids"], data["tracker_ids"], data["similarity_scores"], strict=True))
    met = [(truth[i], result[j]) for truth, result, overlap in frames for i, j in [np.nonzero(overlap >= least)]]
    rows, columns = (np.concatenate(side) for side in zip(*met, strict=True))
    edges = coo_matrix((np.ones(len(rows), bool), (rows, truths + columns)), shape=(truths + tracks,) * 2)
    _, group = connected_components(edges, directed=False)
    part = (np.cumsum(np.bincount(group)) // _TRACKS)[group]
    parts: dict[int, list[Frame]] = {}
    for truth, result, overlap in frames:
        left, right = part[truth], part[truths + result]
        for one in np.unique(np.concatenate([left, right])).tolist():
            i, j = left == one, right == one
            parts.setdefault(one, []).append((truth[i], result[j], overlap[np.ix_(i, j)]))
    return [_trackeval(part) for part in parts.values()]
