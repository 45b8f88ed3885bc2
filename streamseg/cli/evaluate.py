"""``streamseg evaluate``: how good a model is on labelled pictures, or its tracks on a video with truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.errors import UserError

if TYPE_CHECKING:
    from streamseg.evaluation.coco import Precision


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="COCO instance file: box and mask AP per class")
    what.add_argument("--truth", type=Path, help="records with the truth: IDF1, MOTA and ID switches of --records")
    parser.add_argument("--images", type=Path, help="folder of the pictures (default: images beside the file)")
    parser.add_argument("--predictions", type=Path, help="also write what was found, in COCO's results format")
    parser.add_argument("--records", type=Path, help="records to score against --truth")
    parser.add_argument("--by", choices=("mask", "box"), default="mask", help="overlap by mask or box (default: mask)")
    parser.add_argument(
        "--min-height", type=float, default=0.0, help="forgive truth objects lower than this, pixels (default: 0)"
    )
    parser.add_argument("--model", help="a model of the registry (default: street, or read from --weights)")
    parser.add_argument("--weights", type=Path, help="a checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, … (default: auto)")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16, fp16 (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status.

    Raises:
        UserError: Files or model are not as they must be.
    """
    if args.truth is not None:
        return _tracks(args)
    return _detections(args)


def _detections(args: argparse.Namespace) -> int:
    from streamseg.evaluation.report import RANKING_THRESHOLD, evaluate_data
    from streamseg.models import load_model
    from streamseg.segmenter import Segmenter, choose_device
    from streamseg.training.coco import CocoData

    if args.predictions is not None and not args.predictions.resolve().parent.is_dir():
        raise UserError(f"{args.predictions}: its folder does not exist; make it first")
    device = str(choose_device(args.device))
    model = load_model(args.model, args.weights, device=device)
    segmenter = Segmenter(model, device, args.precision, score_threshold=RANKING_THRESHOLD)
    print(segmenter.description)
    report = evaluate_data(segmenter, CocoData.read(args.data, args.images))
    if args.predictions is not None:
        args.predictions.write_text(json.dumps(report.results))
    print_precision(report.mask, report.box)
    print(f"{report.images} pictures, {report.median_ms:.0f} ms each (95 % within {report.p95_ms:.0f} ms)")
    return 0


def print_precision(mask: dict[str, Precision], box: dict[str, Precision]) -> None:
    """A table of average precision per class, to standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table("class", *(f"{kind} {name}" for kind in ("mask", "box") for name in ("AP", "AP50", "AP75")))
    for name, one in mask.items():
        values = (one.ap, one.ap50, one.ap75, box[name].ap, box[name].ap50, box[name].ap75)
        table.add_row(name, *(f"{value:.3f}" for value in values))
    Console().print(table)


def _tracks(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from streamseg.evaluation.tracking import evaluate_tracks

    if args.records is None:
        raise UserError("--truth needs --records, the records to score against it")
    report = evaluate_tracks(args.truth, args.records, args.by, min_height=args.min_height)
    table = Table("class", "IDF1", "MOTA", "ID switches", "found", "missed", "false")
    for name, scores in [*report.classes.items(), ("all", report.overall)]:
        counts = (scores.switches, scores.matched, scores.misses, scores.false_positives)
        table.add_row(name, f"{scores.idf1:.3f}", f"{scores.mota:.3f}", *map(str, counts))
    Console().print(table)
    return 0
