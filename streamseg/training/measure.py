"""How good a run is: validations on the way, and a page of curves and pictures at its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamseg.evaluation.page import Curve, write_page
from streamseg.evaluation.report import RANKING_THRESHOLD, DataReport, evaluate_data
from streamseg.models import load_model
from streamseg.models.checkpoint import amend_checkpoint
from streamseg.segmenter import Segmenter
from streamseg.sinks.staging import cannot_write
from streamseg.training.coco import CocoData
from streamseg.training.journal import LOG, VALIDATION, read_rows
from streamseg.training.loop import BEST

PAGE = "page.html"


class Validator:
    """Measures checkpoints on one data set, exactly as ``streamseg evaluate`` does.

    Which of a checkpoint's scores is neutral is written into it, for the tracker.

    Args:
        data: The truth.
        device: Where to run, as torch names it.
        report: Called with the pictures done and in all.

    Attributes:
        best: The report of the checkpoint with the best mask AP; None before the first.
        best_step: The step of that checkpoint.
    """

    def __init__(
        self, data: CocoData, device: str, report: Callable[[int, int], None] = lambda done, all: None
    ) -> None:
        self.data, self._device, self._report = data, device, report
        self.best: DataReport | None = None
        self.best_step = 0

    def __call__(self, weights: Path, step: int) -> dict[str, float]:
        """The figures of a checkpoint: ``mask_ap`` and others over all classes, then mask AP by class.

        Raises:
            UserError: A picture cannot be read, or the checkpoint cannot be written.
        """
        segmenter = Segmenter(load_model(weights=weights), self._device, score_threshold=RANKING_THRESHOLD)
        report = evaluate_data(segmenter, self.data, self._report)
        if report.neutral_score is not None:
            try:
                amend_checkpoint(weights, {"neutral_score": round(report.neutral_score, 3)})
            except OSError as error:
                raise cannot_write(weights, error, "a checkpoint before it stays whole; ") from error
        mask, box = report.mask["all"], report.box["all"]
        if self.best is None or mask.ap > self.best.mask["all"].ap:
            self.best, self.best_step = report, step
        return {
            "mask_ap": mask.ap,
            "mask_ap50": mask.ap50,
            "mask_ap75": mask.ap75,
            "box_ap": box.ap,
            "box_ap50": box.ap50,
            **{f"mask_ap {name}": one.ap for name, one in report.mask.items() if name != "all"},
        }


def write_run_page(folder: Path, title: str, validator: Validator | None, best_step: int) -> Path:
    """Writes the page of a run from its curves and its best checkpoint; returns the file.

    Args:
        folder: Of the run.
        title: The page's heading.
        validator: What measured it; None for a page of curves only.
        best_step: The step of the best checkpoint; where the run was resumed, the validator may not have seen it.

    Raises:
        UserError: The page cannot be written.
    """
    report = data = None
    if validator is not None:
        if validator.best_step != best_step:
            validator.best = None
            validator(folder / BEST, best_step)
        report, data = validator.best, validator.data
    write_page(folder / PAGE, title, report, data, _curves(folder))
    return folder / PAGE


def _curves(folder: Path) -> list[Curve]:
    losses, figures = read_rows(folder / LOG), read_rows(folder / VALIDATION)
    charts = [
        ("Loss", losses, lambda name: name == "loss"),
        ("Losses by part", losses, lambda name: name.startswith("loss_")),
        ("Learning rate", losses, lambda name: name == "learning_rate"),
        ("Validation", figures, lambda name: name != "step" and " " not in name),
        ("Validation, mask AP by class", figures, lambda name: name.startswith("mask_ap ")),
    ]
    return [
        Curve(
            title,
            "step",
            {
                name.removeprefix("loss_").removeprefix("mask_ap "): [(row["step"], row[name]) for row in rows]
                for name in rows[0]
                if wanted(name)
            },
        )
        for title, rows, wanted in charts
        if rows
    ]
