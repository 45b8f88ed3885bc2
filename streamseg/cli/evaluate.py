"""``streamseg evaluate``: how good a model is on labelled pictures, or its tracks on a video with truth."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.errors import UserError

if TYPE_CHECKING:
    from streamseg.evaluation.coco import CocoFigures

# COCO ranks everything a model is able to find, not only what is worth showing.
RANKING_THRESHOLD = 0.02


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
    from streamseg.evaluation.coco import average_precision, coco_results
    from streamseg.models import load_model
    from streamseg.segmenter import Segmenter, choose_device

    if args.predictions is not None and not args.predictions.resolve().parent.is_dir():
        raise UserError(f"{args.predictions}: its folder does not exist; make it first")
    device = str(choose_device(args.device))
    model = load_model(args.model, args.weights, device=device)
    segmenter = Segmenter(model, device, args.precision, score_threshold=RANKING_THRESHOLD)
    print(segmenter.description)
    begun = time.perf_counter()
    results = coco_results(segmenter, args.data, args.images)
    seconds = time.perf_counter() - begun
    figures = average_precision(results, args.data)
    if args.predictions is not None:
        args.predictions.write_text(json.dumps(results))
    print_figures(figures)
    print(f"{figures.images} pictures in {seconds:.1f} s, {1000 * seconds / max(1, figures.images):.0f} ms each")
    return 0


def print_figures(figures: CocoFigures) -> None:
    """A table of average precision per class, to standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table("class", *(f"{kind} {name}" for kind in ("mask", "box") for name in ("AP", "AP50", "AP75")))
    for name, mask in figures.mask.items():
        box = figures.box[name]
        table.add_row(name, *(f"{value:.3f}" for value in (mask.ap, mask.ap50, mask.ap75, box.ap, box.ap50, box.ap75)))
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
