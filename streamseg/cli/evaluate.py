"""``streamseg evaluate``: how good a model is on labelled pictures, or what it found in a video with truth."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from streamseg.cli import flags
from streamseg.cli.counting import counted
from streamseg.errors import UserError

MODEL = ("model", "weights", "class_names", "device", "precision", "input_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, metavar="FILE", help="COCO instance file to measure a model on")
    what.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="truth of a video to measure --records against: records, or MOTChallenge's gt.txt or sequence folder",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")

    data = parser.add_argument_group("With --data")
    unset = argparse.SUPPRESS  # so that what was given can be told from what was not
    data.add_argument(
        "--images", type=Path, default=unset, metavar="FOLDER", help="the pictures (default: images beside the file)"
    )
    data.add_argument(
        "--report", type=Path, default=unset, metavar="FILE", help="write a page (HTML) with figures, curves, pictures"
    )
    data.add_argument(
        "--predictions", type=Path, default=unset, metavar="FILE", help="write what was found, in COCO's results format"
    )
    data.add_argument("--confusion", action="store_true", default=unset, help="print what was taken for what, too")
    data.add_argument(
        "--score-threshold",
        default=unset,
        metavar="X",
        help="least score in confusion, pixels and pictures, 0 to 1 (default: 0.5); AP takes everything",
    )
    data.add_argument("--skip-faults", action="store_true", default=unset, help="leave faulty entries of the data out")

    video = parser.add_argument_group("With --truth")
    video.add_argument(
        "--records",
        type=Path,
        default=unset,
        metavar="FILE",
        help="records of a run, or a tracker's MOTChallenge rows (.txt); AP knows no more than they hold, so"
        " write them with a low --score-threshold, for example 0.05",
    )
    video.add_argument(
        "--by", choices=("mask", "box"), default=unset, help="overlap in HOTA, MOTA, IDF1 (default: mask if there)"
    )
    video.add_argument(
        "--min-height", type=float, default=unset, metavar="X", help="forgive truth that is lower, pixels (default: 0)"
    )
    flags.add_flags(parser, (*MODEL, "quiet"))


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status.

    Raises:
        UserError: Files or model are not as they must be.
    """
    given = vars(args)
    wrong = {
        "truth": ("images", "report", "predictions", "confusion", "score_threshold", "skip_faults", *MODEL),
        "data": ("records", "by", "min_height"),
    }
    mode, other = ("truth", "--data") if args.truth is not None else ("data", "--truth")
    for name in wrong[mode]:
        if name in given:
            raise UserError(f"--{name.replace('_', '-')} goes with {other}, not with --{mode}")
    return _video(args) if mode == "truth" else _data(args)


def _data(args: argparse.Namespace) -> int:
    settings = flags.settings_from(args)
    given = vars(args)
    from streamseg.cli import evaluate_tables as tables
    from streamseg.evaluation.files import write_whole
    from streamseg.evaluation.page import write_page
    from streamseg.evaluation.report import RANKING_THRESHOLD, evaluate_data
    from streamseg.models import load_model
    from streamseg.segmenter import Segmenter, choose_device
    from streamseg.sinks.staging import check_file
    from streamseg.training.coco import CocoData
    from streamseg.training.faults import without_faults

    page, predictions = given.get("report"), given.get("predictions")
    for path in (page, predictions):
        if path is not None:
            check_file(path, [str(args.data), settings.weights or ""], overwrite=True)
    data = CocoData.read(args.data, given.get("images"))
    (data,) = without_faults([data], given.get("skip_faults", False), lambda line: print(line, file=sys.stderr))
    device = str(choose_device(settings.device))
    model = load_model(settings.model, settings.weights, settings.class_names or None, device)
    segmenter = Segmenter(
        model, device, settings.precision, score_threshold=RANKING_THRESHOLD, input_size=settings.input_size
    )
    print(f"streamseg: {segmenter.description}", file=sys.stderr, flush=True)
    with counted("pictures", settings.quiet) as progress:
        report = evaluate_data(segmenter, data, progress, settings.score_threshold)
    if report.unknown:
        unknown = ", ".join(report.unknown)
        print(f"streamseg: the model does not know {unknown}: what is there of it counts as missed", file=sys.stderr)
    if predictions is not None:
        write_whole(predictions, json.dumps(report.results))
    where = {"device": device, "precision": segmenter.number_format}
    if page is not None:
        write_page(page, f"{model.name} on {args.data.name} ({', '.join(where.values())})", report, data)
    if args.json:
        print(tables.data_json(report, data, {"model": segmenter.description, **where}))
    else:
        tables.print_data(report, given.get("confusion", False), " ".join(where.values()))
    return 0


def _video(args: argparse.Namespace) -> int:
    from streamseg.cli import evaluate_tables as tables
    from streamseg.evaluation.video import evaluate_video

    given = vars(args)
    if "records" not in given:
        raise UserError("--truth needs --records, the records to measure against it")
    report = evaluate_video(args.truth, args.records, given.get("by"), given.get("min_height", 0.0))
    if report.left_out:
        names = ", ".join(report.left_out)
        print(f"streamseg: left out, because {args.truth} is not about it: {names}", file=sys.stderr)
    if args.json:
        print(tables.video_json(report))
    else:
        tables.print_video(report)
    return 0
