"""Reads truth and result of one video so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from streamseg.errors import UserError
from streamseg.evaluation.clip import Clip, lines_of, read_records
from streamseg.evaluation.mot import read_mot_results, read_mot_truth
from streamseg.evaluation.mots import is_mots_row, read_mots

SUFFIXES = (".txt", ".csv")
ALL = "all classes"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Truth and result with the same labels and the same numbers of frames.

    Attributes:
        truth: What is really there.
        result: What was found.
        left_out: Classes of the result that the truth is not about.
    """

    truth: Clip
    result: Clip
    left_out: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames compared."""
        return self.truth.length or len(self.truth.frames)

    @property
    def has_masks(self) -> bool:
        """Whether masks can be compared."""
        return self.truth.has_masks and self.result.has_masks


def read_truth(path: Path) -> Clip:
    """What is really there.

    Args:
        path: streamseg's records, MOTChallenge or MOTS rows (``.txt``), or the folder of a sequence with ``gt/gt.txt``
            or ``gt.txt``.

    Raises:
        UserError: It cannot be read.
    """
    file = path
    if path.is_dir():
        file = next((one for one in (path / "gt" / "gt.txt", path / "gt.txt") if one.is_file()), path / "gt" / "gt.txt")
    if file.suffix not in SUFFIXES:
        return read_records(file)
    return read_mots(file) if _is_mots(file) else read_mot_truth(file)


def read_result(path: Path) -> Clip:
    """What was found: streamseg's records, or a tracker's MOTChallenge or MOTS rows (``.txt``).

    Raises:
        UserError: It cannot be read.
    """
    if path.suffix not in SUFFIXES:
        return read_records(path)
    return read_mots(path) if _is_mots(path) else read_mot_results(path)


def pair(truth: Clip, result: Clip) -> Pair:
    """Brings both together.

    Classes belong together by name. Where classes of the result have no names (MOTChallenge rows of trackers tell
    none, MOTS has names for two only), it is compared with the only class of the truth, or with all of them as one.
    Truth of benchmarks is about some classes only; what the result holds of others is left out.

    Raises:
        UserError: One does not belong to the other.
    """
    # KITTI numbers the first frame 0, MOTSChallenge 1.
    first = -any(-1 in {*clip.frames, *clip.mask_regions} for clip in (truth, result))
    truth, result = (clip.moved(-first) if clip.mots else clip for clip in (truth, result))
    _check_frames(truth, result)
    return _same_labels(truth, result)


def _is_mots(path: Path) -> bool:
    return is_mots_row(next((line for _, line in lines_of(path)), ""))


def _check_frames(truth: Clip, result: Clip) -> None:
    for clip in (truth, result):
        # A tracker's file may be empty, and so may the truth of a sequence whose length is known.
        if not clip.frames and clip.labels is not None and not clip.length:
            raise UserError(f"{clip.path}: is empty; give the records, or the truth, of a whole video")
    if truth.exhaustive:
        strange = sorted(set(result.frames) - set(truth.frames))
    else:
        strange = sorted(number for number in result.frames if truth.length and number >= truth.length)
    if strange:
        raise UserError(
            f"{result.path} has frame {strange[0]} (from 0), which {truth.path} lacks: compare records of one video"
        )


def _same_labels(truth: Clip, result: Clip) -> Pair:
    assert truth.labels is not None
    if not result.frames:
        return Pair(truth, result, ())
    strange = tuple(label for label in result.labels or () if label not in truth.labels)
    if result.labels is None or (truth.exhaustive and any(label.startswith("class ") for label in strange)):
        if len(truth.labels) == 1:
            return Pair(truth, result.relabelled(truth.labels[0]), ())
        return Pair(truth.relabelled(ALL), result.relabelled(ALL), ())
    if truth.exhaustive or not strange:
        return Pair(truth, result, ())
    if len(strange) == len(result.labels):
        raise UserError(
            f"{result.path}: none of its classes ({', '.join(strange)}) is in {truth.path},"
            f" which is about {', '.join(truth.labels)}"
        )
    kept = {
        number: {label: objects for label, objects in labelled.items() if label in truth.labels}
        for number, labelled in result.frames.items()
    }
    return Pair(truth, replace(result, frames=kept), strange)
