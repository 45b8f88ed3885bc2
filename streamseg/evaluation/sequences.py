"""Tracks against their truth, of one video or of every sequence of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from streamseg.errors import UserError
from streamseg.evaluation.clip import Clip
from streamseg.evaluation.pair import Pair, pair, read_result, read_truth
from streamseg.evaluation.scores import TrackScores, combined
from streamseg.evaluation.tracking import By, check_height, evaluate_tracks, overall

Tracks = dict[By, dict[str, TrackScores]]
"""By what overlapped, ``"box"`` and where there are masks ``"mask"``, and by class name."""


@dataclass(frozen=True, slots=True, eq=False)
class SequenceReport:
    """How good the tracks of one video are.

    Attributes:
        name: What the video is called.
        data_set: What the data set is called that it belongs to.
        frames: Number of frames compared.
        tracks: What was measured.
        left_out: Classes of the tracks that the truth is not about.
        missing: Whether there is no file of its tracks, which counts as nothing tracked.
    """

    name: str
    data_set: str
    frames: int
    tracks: Tracks
    left_out: tuple[str, ...] = ()
    missing: bool = False

    def overall(self, by: By) -> TrackScores:
        """All classes together."""
        return overall(self.tracks[by])


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkReport:
    """How good the tracks of several videos are, in the order of their names.

    Attributes:
        sequences: Each by itself.
    """

    sequences: tuple[SequenceReport, ...]

    @property
    def kinds(self) -> tuple[By, ...]:
        """What overlapped in all of them."""
        return tuple(by for by in self.sequences[0].tracks if all(by in one.tracks for one in self.sequences))

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return tuple(dict.fromkeys(one.data_set for one in self.sequences))

    def combined(self, by: By, data_set: str | None = None) -> TrackScores:
        """All classes of all sequences together, or of those of a data set."""
        several = (one for one in self.sequences if data_set in (None, one.data_set))
        return combined(scores for one in several for scores in one.tracks[by].values())

    def classes(self, by: By) -> dict[str, TrackScores]:
        """All sequences together, class by class."""
        labels = sorted({label for one in self.sequences for label in one.tracks[by]})
        return {
            label: combined(one.tracks[by][label] for one in self.sequences if label in one.tracks[by])
            for label in labels
        }


def evaluate_sequence(truth: Path, tracks: Path, by: By | None = None, min_height: float = 0.0) -> SequenceReport:
    """Compares the tracks of a video with what is there.

    Args:
        truth: See :func:`streamseg.evaluation.pair.read_truth`.
        tracks: See :func:`streamseg.evaluation.pair.read_result`.
        by: What overlaps: ``"mask"`` or ``"box"``; None for boxes, and masks too where both files have them.
        min_height: See :func:`streamseg.evaluation.tracking.evaluate_tracks`.

    Raises:
        UserError: A file cannot be read, lacks masks that were asked for, or does not belong to the other.
    """
    check_height(min_height)
    found = read_result(tracks)
    both = pair(read_truth(truth), found)
    return SequenceReport(truth.stem, "", both.frames, _measure(both, by, min_height), both.left_out)


def evaluate_folder(truth: Path, tracks: Path, by: By | None = None, min_height: float = 0.0) -> BenchmarkReport:
    """Compares the tracks of every sequence of a benchmark with its truth.

    Args:
        truth: Folder with ``<sequence>/gt.txt`` or ``<sequence>/gt/gt.txt`` on any level; the folder above that of a
            sequence is its data set. Where there is none, a folder with ``<sequence>.txt`` (as KITTI's MOTS) or
            ``<sequence>.jsonl``.
        tracks: Folder with ``<sequence>.txt`` or ``<sequence>.jsonl``; a missing file counts as nothing tracked.
        by: See :func:`evaluate_sequence`.
        min_height: See :func:`streamseg.evaluation.tracking.evaluate_tracks`.

    Raises:
        UserError: As in :func:`evaluate_sequence`, or the folders hold no sequences, or none in common.
    """
    check_height(min_height)
    files = _sequences(truth)
    found = {name: _tracks(tracks, name) for name in files}
    if not any(found.values()):
        name = next(iter(files))
        raise UserError(f"{tracks}: has no tracks of {truth}; for example, {name}.txt or {name}.jsonl is missing")
    clips = {name: read_truth(file) for name, (_, file) in files.items()}
    labels = _labels((files[name][0], clip) for name, clip in clips.items() if clip.mots)
    reports = []
    for name, (data_set, _) in files.items():
        expected, path = clips.pop(name), found[name]
        if expected.mots:
            expected = replace(expected, labels=labels[data_set])
        both = pair(expected, read_result(path) if path else Clip(tracks, {}, None))
        measured = _measure(both, by, min_height)
        reports.append(SequenceReport(name, data_set, both.frames, measured, both.left_out, path is None))
    return BenchmarkReport(tuple(reports))


def _measure(both: Pair, by: By | None, min_height: float) -> Tracks:
    kinds: list[By] = [by] if by else ["box", "mask"] if both.has_masks else ["box"]
    return {one: evaluate_tracks(both.truth, both.result, one, min_height=min_height) for one in kinds}


def _sequences(folder: Path) -> dict[str, tuple[str, Path]]:
    """Data set and truth of every sequence below a folder, by name."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; tracks of a folder need the truth of one")
    found: list[tuple[str, str, Path]] = []
    # Not rglob, which follows no links: benchmarks are large, and lie elsewhere.
    for file in sorted({file for depth in range(5) for file in folder.glob("*/" * depth + "gt.txt")}):
        sequence = (file.parent.parent if file.parent.name == "gt" else file.parent).absolute()
        found.append((sequence.name, sequence.parent.name, file))
    if not found:
        files = sorted((*folder.glob("*.txt"), *folder.glob("*.jsonl")))
        found = [(file.stem, folder.absolute().name, file) for file in files]
    if not found:
        raise UserError(f"{folder}: holds no sequence, neither <sequence>/gt.txt nor <sequence>/gt/gt.txt nor files")
    sequences: dict[str, tuple[str, Path]] = {}
    for name, data_set, file in found:
        if name in sequences:
            raise UserError(f"{file} and {sequences[name][1]}: two sequences called {name}; measure them one by one")
        sequences[name] = (data_set, file)
    return sequences


def _tracks(folder: Path, name: str) -> Path | None:
    files = (folder / f"{name}{suffix}" for suffix in (".txt", ".jsonl"))
    return next((file for file in files if file.is_file()), None)


def _labels(clips: Iterable[tuple[str, Clip]]) -> dict[str, tuple[str, ...]]:
    """The classes that each data set is about: those of any of its sequences."""
    labels: dict[str, set[str]] = {}
    for data_set, clip in clips:
        labels.setdefault(data_set, set()).update(clip.labels or ())
    return {data_set: tuple(sorted(names)) for data_set, names in labels.items()}
