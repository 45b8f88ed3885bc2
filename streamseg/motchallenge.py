"""What the files of MOTChallenge and MOTS say in numbers: classes, and a sequence's rate, length and size."""

from __future__ import annotations

import configparser
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamseg.errors import UserError

MOT_CLASSES = {1: "person", 3: "car", 4: "bicycle", 5: "motorcycle"}
"""Classes of MOT16 and later under the names that COCO has for them, so that they meet those of models."""

MOTS_CLASSES = {1: "car", 2: "person"}
"""Classes of MOTS under the same names."""

UNKNOWN = -1
NO_CLASS = "object"
"""What an object of class ``UNKNOWN`` is called."""

_SAME = {"pedestrian": "person", "motorbike": "motorcycle"}
_WHOLE = ("seqLength", "imWidth", "imHeight")
_OTHERS = 101  # numbers of classes that no benchmark knows begin here, above every number that has a meaning


def class_name(number: int) -> str:
    """The name of a class of MOTChallenge; ``class 14`` where we have none."""
    return NO_CLASS if number == UNKNOWN else MOT_CLASSES.get(number, f"class {number}")


def mot_number(name: str, place: int) -> int:
    """The number of a class in MOTChallenge files.

    Args:
        name: The class; what ``class_name`` gave keeps its number.
        place: Its place among the model's classes, from 0; a class that the benchmark lacks is 101 plus that.
    """
    if name == NO_CLASS:
        return UNKNOWN
    numbered = re.fullmatch(r"class (\d{1,6})", name)
    return int(numbered[1]) if numbered else _number(name, place, MOT_CLASSES)


def mots_number(name: str, place: int) -> int:
    """The number of a class in MOTS files: 1 car, 2 person; others as in ``mot_number``."""
    return _number(name, place, MOTS_CLASSES)


def _number(name: str, place: int, classes: dict[int, str]) -> int:
    numbers = {known: number for number, known in classes.items()}
    return numbers.get(_SAME.get(name, name), _OTHERS + place)


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """What a ``seqinfo.ini`` says; None for what it leaves out.

    Attributes:
        path: The file.
        name: What the sequence is called.
        rate: Frames per second.
        length: Number of frames.
        width: Columns, pixels.
        height: Rows, pixels.
        min_height: Height of box, pixels, up to which what hits nothing does not count; 0 or more.
    """

    path: Path
    name: str | None = None
    rate: Fraction | None = None
    length: int | None = None
    width: int | None = None
    height: int | None = None
    min_height: float | None = None


def sequence_info(file: Path) -> SequenceInfo | None:
    """What is known of the sequence that a file of MOTChallenge belongs to.

    Args:
        file: Detections, truth or a result; its ``seqinfo.ini`` lies beside it, or beside its folder where that is
            called ``det`` or ``gt``.

    Returns:
        None where there is no ``seqinfo.ini``.

    Raises:
        UserError: The file cannot be read, or a value in it is no number above 0.
    """
    above = [file.parent.parent] if file.absolute().parent.name in ("det", "gt") else []
    path = next(
        (folder / "seqinfo.ini" for folder in (file.parent, *above) if (folder / "seqinfo.ini").is_file()), None
    )
    if path is None:
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8-sig")
        section = dict(parser["Sequence"])
    except (configparser.Error, KeyError, ValueError, OSError) as error:
        raise UserError(f"{path}: no [Sequence] that can be read ({' '.join(str(error).split())})") from None
    rate = _above_zero(path, section, "frameRate")
    sizes = (_above_zero(path, section, key) for key in _WHOLE)
    length, width, height = (None if size is None else int(size) for size in sizes)
    return SequenceInfo(
        path,
        section.get("name") or None,
        None if rate is None else Fraction(rate).limit_denominator(1001),
        length,
        width,
        height,
        _above_zero(path, section, "minHeight", or_zero=True),
    )


def _above_zero(path: Path, section: dict[str, str], key: str, or_zero: bool = False) -> float | None:
    text = section.get(key.lower())  # configparser does not care for case
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf or (or_zero and value == 0)) or (key in _WHOLE and value != int(value)):
        what = "a whole number" if key in _WHOLE else "a number"
        raise UserError(f"{path}: {key} {text!r} is not {what} above 0")
    return value


def is_number(word: str) -> bool:
    """Whether a word of a row can be read as a number; a heading cannot."""
    try:
        float(word)
    except ValueError:
        return False
    return True
