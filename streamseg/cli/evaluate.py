"""``streamseg evaluate``: how good a model is on labelled pictures, or what it found in a video with truth."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

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
        help="truth of a video to measure --tracks or --records against: records, MOTS rows, MOTChallenge's gt.txt or"
        " sequence folder; for --tracks also a folder of sequences",
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
        "--tracks",
        type=Path,
        default=unset,
        metavar="FILE",
        help="tracks to measure: MOTChallenge or MOTS rows (.txt) or records (.jsonl); or a folder with such a file for"
        " each sequence of the folder --truth",
    )
    video.add_argument(
        "--records",
        type=Path,
        default=unset,
        metavar="FILE",
        help="the same of one video, and AP too, which knows no more than the file holds: write it with a low"
        " --score-threshold, for example 0.05",
    )
    video.add_argument(
        "--by",
        choices=("mask", "box"),
        default=unset,
        help="overlap in HOTA, MOTA, IDF1 (default: both with --tracks, else mask, if there are masks)",
    )
    video.add_argument("--per-sequence", action="store_true", default=unset, help="show each sequence of a folder, too")
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
        "data": ("tracks", "records", "by", "per_sequence", "min_height"),
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
    given = vars(args)
    if ("records" in given) == ("tracks" in given):
        raise UserError("--truth needs either --tracks or --records, to be measured against it")
    how = (given.get("by"), given.get("min_height", 0.0))
    several = "tracks" in given and args.tracks.is_dir()
    if "per_sequence" in given and not several:
        raise UserError("--per-sequence goes with a folder of --tracks")
    if several:
        return _folder(args, *how)
    return _tracks(args, *how) if "tracks" in given else _records(args, *how)


def _records(args: argparse.Namespace, *how: Any) -> int:
    from streamseg.cli import evaluate_tables as tables
    from streamseg.evaluation.video import evaluate_video

    report = evaluate_video(args.truth, args.records, *how)
    _tell_left_out(args.truth, report.left_out)
    if args.json:
        print(tables.video_json(report))
    else:
        tables.print_video(report)
    return 0


def _tracks(args: argparse.Namespace, *how: Any) -> int:
    from streamseg.cli import evaluate_tables as tables
    from streamseg.evaluation.sequences import evaluate_sequence

    report = evaluate_sequence(args.truth, args.tracks, *how)
    _tell_left_out(args.truth, report.left_out)
    if args.json:
        print(tables.sequence_json(report))
    else:
        tables.print_sequence(report)
    return 0


def _folder(args: argparse.Namespace, *how: Any) -> int:
    from streamseg.cli import evaluate_tables as tables
    from streamseg.evaluation.sequences import evaluate_folder

    report = evaluate_folder(args.truth, args.tracks, *how)
    _tell_left_out(args.truth, {label for one in report.sequences for label in one.left_out})
    missing = ", ".join(one.name for one in report.sequences if one.missing)
    if missing:
        print(f"streamseg: {args.tracks} has no tracks of {missing}: counted as nothing tracked", file=sys.stderr)
    if args.json:
        print(tables.benchmark_json(report))
    else:
        tables.print_benchmark(report, "per_sequence" in vars(args))
    return 0


def _tell_left_out(truth: Path, labels: Collection[str]) -> None:
    if labels:
        print(f"streamseg: left out, because {truth} is not about it: {', '.join(sorted(labels))}", file=sys.stderr)
