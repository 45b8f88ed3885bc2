"""MOTS files: tracks with masks, as truth and as results of trackers (Voigtlaender et al., CVPR 2019)."""

from __future__ import annotations

from pathlib import Path

from streamseg.errors import UserError
from streamseg.evaluation.clip import LARGEST_ID, Clip, Mask, check_mask, lines_of
from streamseg.motchallenge import MOTS_CLASSES, is_number, sequence_info

REGION = 10
_ROW = "a MOTS row is: frame id class height width run-lengths"


def is_mots_row(line: str) -> bool:
    """Whether a line is rather one of MOTS than one of MOTChallenge, which has numbers only."""
    words = line.split()
    return "," not in line and len(words) == 6 and not is_number(words[5])


def read_mots(path: Path) -> Clip:
    """Reads rows ``frame id class height width rle``; class 10 is a region in which nobody looked.

    Frames may count from 0 (KITTI) or from 1 (MOTSChallenge); here they are one less than in the file. Boxes are those
    around the masks. The number of frames is that of ``seqinfo.ini``, if there is one.

    Raises:
        UserError: The file cannot be read or is not as it must be; names file and line.
    """
    from pycocotools import mask as coco

    info = sequence_info(path)
    clip = Clip(path, {}, None, info.length if info else None, exhaustive=False, mots=True)
    taken: set[tuple[int, int]] = set()
    for where, line in lines_of(path):
        number, identity, kind, mask = _row(line, where)
        if kind == REGION:
            clip.mask_regions.setdefault(number, []).append(mask)
            continue
        if (number, identity) in taken:
            raise UserError(f"{where}: id {identity} appears twice in frame {number}")
        taken.add((number, identity))
        left, top, width, height = coco.toBbox(mask).tolist()
        label = MOTS_CLASSES.get(kind, f"class {kind}")
        clip.group(number, label).add(identity + 1, [left, top, left + width, top + height], mask=mask)
    clip.mask_regions = {number: [coco.merge(masks)] for number, masks in clip.mask_regions.items()}
    labels = {label for labelled in clip.frames.values() for label in labelled}
    clip.labels = tuple(sorted(labels or MOTS_CLASSES.values()))
    return clip.moved(-1)


def _row(line: str, where: str) -> tuple[int, int, int, Mask]:
    words = line.split()
    if len(words) != 6:
        raise UserError(f"{where}: {len(words)} columns; {_ROW}")
    try:
        number, identity, kind, height, width = map(int, words[:5])
    except ValueError:
        raise UserError(f"{where}: one of {' '.join(words[:5])} is no whole number; {_ROW}") from None
    if min(number, identity, kind) < 0 or min(height, width) < 1 or identity >= LARGEST_ID:
        raise UserError(f"{where}: one of {' '.join(words[:5])} is too small or too large; {_ROW}")
    return number, identity, kind, check_mask({"size": [height, width], "counts": words[5]}, where)
