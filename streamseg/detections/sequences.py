"""Sequences: files of detections, each with what is known of its video."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamseg.detections.found import Detections
from streamseg.detections.recorded import RecordedDetections
from streamseg.detections.rows import RowDetections
from streamseg.errors import UserError
from streamseg.evaluation.clip import lines_of
from streamseg.motchallenge import SequenceInfo, sequence_info


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Detections and what is known of their video.

    Attributes:
        name: What it is called, in names of files too.
        detections: What was found in it.
        rate: Frames per second; None where nothing tells.
        width: Columns of its frames, pixels.
        height: Rows of its frames, pixels.
        sized: Whether width and height are known, rather than what the boxes reach.
    """

    name: str
    detections: Detections
    rate: Fraction | None
    width: int
    height: int
    sized: bool


def read_sequences(
    path: Path, rate: Fraction | None = None, size: tuple[int, int] | None = None, timed: bool = False
) -> list[Sequence]:
    """The sequences that a file, or a folder, holds.

    Args:
        path: Rows of MOTChallenge, or records; or a folder, of which every ``det.txt`` is read, however deep it lies.
        rate: Frames per second; None for those of ``seqinfo.ini``, or for the records' own times.
        size: Width and height of the frames, pixels; None for those of ``seqinfo.ini``, of the masks, or as much as the
            boxes reach.
        timed: Whether a video tells when the frames are shown, so that no rate is needed.

    Raises:
        UserError: A file is missing or wrong, a rate is missing, or two sequences have one name.
    """
    files = [path]
    if path.is_dir():
        files = sorted(path.rglob("det.txt"))
        if not files:
            raise UserError(f"{path}: no det.txt in this folder or those below; name the file of detections")
    sequences = [_read(file, rate, size, timed) for file in files]
    named: dict[str, Path] = {}
    for sequence in sequences:
        other = named.setdefault(sequence.name.lower(), sequence.detections.path)
        if other != sequence.detections.path:
            raise UserError(f"{other} and {sequence.detections.path} are both called {sequence.name}; rename one")
    return sequences


def _read(path: Path, rate: Fraction | None, size: tuple[int, int] | None, timed: bool) -> Sequence:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; check the path")
    info = sequence_info(path) or SequenceInfo(path)
    first = next((line.lstrip() for _, line in lines_of(path)), "")
    detections: Detections = RecordedDetections(path) if first.startswith("{") else RowDetections(path, info.length)
    rate = rate or (info.rate if detections.seconds is None else None)
    if rate is None and detections.seconds is None and not timed:
        raise UserError(f"{path}: how many frames per second? say so by --fps, or by frameRate in a seqinfo.ini beside")
    known = size or detections.size or ((info.width, info.height) if info.width and info.height else None)
    return Sequence(_name(path, info), detections, rate, *(known or detections.extent), sized=known is not None)


def _name(path: Path, info: SequenceInfo) -> str:
    """The sequence's own name, else that of its folder or file."""
    folder = path.absolute().parent
    by_place = path.stem if path.stem != "det" else (folder.parent if folder.name == "det" else folder).name
    return re.sub(r"[^\w.+ -]+", "-", info.name or by_place).strip(" .-") or "sequence"
