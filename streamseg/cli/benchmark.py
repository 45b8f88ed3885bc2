"""``streamseg benchmark``: the pipeline against the obvious loop, and each stage alone."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from streamseg.benchmark.report import PARTS, SLOW_PARTS
from streamseg.cli import flags
from streamseg.cli.counting import counted
from streamseg.cli.values import number
from streamseg.errors import UserError

MODEL = ("model", "weights", "class_names", "device", "precision", "batch_size", "input_size", "score_threshold")
SMALLEST = 32  # pixels of a side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    whole = number(int, 1)
    parser.add_argument(
        "--source",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="video to run on (default: the sample of a clone, else a clip rendered first)",
    )
    parser.add_argument(
        "--size", type=_size, metavar="WxH", help="bring the clip to this size first (default: its own)"
    )
    parser.add_argument(
        "--frames", type=whole, metavar="N", help="frames of the pipeline in a round (default: about 10 seconds' worth)"
    )
    parser.add_argument(
        "--rounds",
        type=whole,
        default=3,
        metavar="N",
        help="how often pipeline and loop take turns, and how many scenes identities are measured on (default: 3)",
    )
    parser.add_argument(
        "--parts",
        type=_parts,
        default=PARTS,
        metavar="WORDS",
        help=f"what to measure: some of {','.join(PARTS)} (default: all of these) and {','.join(SLOW_PARTS)}",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures as one JSON object; - is standard output")
    flags.add_flags(parser, (*MODEL, "stride", "tracker", "crf", "preset", "quiet"))


def run(args: argparse.Namespace) -> int:
    """Measure and tell; returns the exit status.

    Raises:
        UserError: The clip, the model or the device is not to be had, or the figures cannot be written.
    """
    settings = flags.settings_from(args)
    if any("://" in source for source in settings.source):
        raise UserError("the benchmark reads its clip again and again; give --source a video file, not a stream")
    file = Path(args.json) if args.json not in (None, "-") else None
    if file is not None:
        from streamseg.sinks.staging import check_file

        check_file(file, settings.source, overwrite=True)
    from streamseg.benchmark.measure import Options, measure
    from streamseg.cli.benchmark_tables import print_report
    from streamseg.evaluation.files import write_whole

    def tell(line: str) -> None:
        print(f"streamseg: {line}", file=sys.stderr, flush=True)

    with counted("measuring", settings.quiet) as progress:
        report = measure(settings, Options(args.frames, args.rounds, args.size, args.parts), tell, progress)
    figures = json.dumps(report.figures(), indent=1, ensure_ascii=False, allow_nan=False)
    if file is not None:
        write_whole(file, figures + "\n")
    if args.json == "-":
        print(figures)
    else:
        print_report(report)
    return 0


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if min(size) < SMALLEST or any(side % 2 for side in size):
        raise argparse.ArgumentTypeError(f"{text!r} must be two even numbers, {SMALLEST} or more, as in 1920x1080")
    return size


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    for part in parts:
        if part not in PARTS + SLOW_PARTS:
            raise argparse.ArgumentTypeError(f"{part!r} must be one of {', '.join(PARTS + SLOW_PARTS)}")
    return parts
