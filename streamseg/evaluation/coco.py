"""Average precision of boxes and masks on a COCO-format data set, by pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from streamseg.errors import UserError
from streamseg.instances import Instances

Segment = Callable[[Sequence[np.ndarray]], list[Instances]]


@dataclass(frozen=True, slots=True)
class Precision:
    """COCO's average precision, 0 to 1; NaN where there is no truth.

    Attributes:
        ap: Mean over IoU 0.50 to 0.95.
        ap50: At IoU 0.50.
        ap75: At IoU 0.75.
    """

    ap: float
    ap50: float
    ap75: float


@dataclass(frozen=True, slots=True)
class CocoFigures:
    """Average precision overall and per class.

    Attributes:
        images: Number of pictures.
        mask: By class name; ``"all"`` is the mean over classes.
        box: Likewise.
    """

    images: int
    mask: dict[str, Precision]
    box: dict[str, Precision]


def coco_results(
    segment: Segment,
    file: Path,
    folder: Path | None = None,
    report: Callable[[int, int], None] = lambda done, all: None,
) -> list[dict[str, Any]]:
    """Every object that ``segment`` finds in the pictures of ``file``, in COCO's results format.

    Args:
        segment: Finds objects; run it with a low score threshold, COCO wants the whole ranking.
        file: COCO instance file.
        folder: Its pictures, see :meth:`streamseg.training.coco.CocoData.read`.
        report: Called with the number of pictures done and in all.

    Raises:
        UserError: A class of the data set is unknown to the model, or the data set cannot be read.
    """
    from streamseg.training.coco import CocoData

    data = CocoData.read(file, folder)
    category = dict(zip(data.class_names, data.category_ids, strict=True))
    results: list[dict[str, Any]] = []
    for index, entry in enumerate(data.images):
        image = data.image(index)
        found = segment([image])[0]
        if not index and not set(category) & set(found.class_names):
            raise UserError(f"{file}: none of its classes ({', '.join(category)}) is known to the model")
        for name, box, score, rle in zip(
            found.names, found.boxes, found.scores, found.to_rle(*image.shape[:2]), strict=True
        ):
            if name not in category:
                continue
            x1, y1, x2, y2 = (float(value) for value in box)
            results.append(
                {
                    "image_id": entry["id"],
                    "category_id": category[name],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(score),
                    "segmentation": rle,
                }
            )
        report(index + 1, len(data.images))
    return results


def average_precision(results: list[dict[str, Any]], file: Path) -> CocoFigures:
    """Scores results in COCO's format against the truth in ``file``."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        figures = {kind: _evaluate(truth, results, kind) for kind in ("segm", "bbox")}
    return CocoFigures(len(truth.imgs), figures["segm"], figures["bbox"])


def _evaluate(truth: COCO, results: list[dict[str, Any]], kind: str) -> dict[str, Precision]:
    categories = truth.loadCats(sorted(truth.getCatIds()))
    if not results:
        return {name: Precision(0.0, 0.0, 0.0) for name in ["all", *(item["name"] for item in categories)]}
    evaluator = COCOeval(truth, truth.loadRes(results), kind)
    evaluator.evaluate()
    evaluator.accumulate()
    # [IoU threshold, recall, class, area range, detections limit]; the first area range is "all".
    precision = evaluator.eval["precision"][:, :, :, 0, -1]
    figures = {"all": _mean(precision)}
    for position, item in enumerate(categories):
        figures[item["name"]] = _mean(precision[:, :, position])
    return figures


def _mean(precision: np.ndarray) -> Precision:
    def mean(values: np.ndarray) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else float("nan")

    return Precision(mean(precision), mean(precision[0]), mean(precision[5]))
