"""``streamseg track``: the tracker by itself, on detections that are there already."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from streamseg.cli import flags
from streamseg.cli.signals import Interrupts
from streamseg.errors import UserError
from streamseg.settings import Settings, read_config

if TYPE_CHECKING:
    from streamseg.detections.job import Job
    from streamseg.detections.sequences import Sequence

SETTINGS = (
    *("records", "records_format", "tracks", "crf", "preset", "overwrite"),
    *("tracker", "track_lost_seconds", "track_neutral_score", "track_masks", "track_camera", "track_appearance"),
    "track_delay",
    *("mask_opacity", "outlines", "boxes", "labels", "trails"),
    *("codec", "config", "quiet"),
)
_LINES = (".txt", ".jsonl", ".ndjson")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--detections",
        type=Path,
        required=True,
        metavar="FILE",
        help="MOTChallenge rows (frame,id,left,top,width,height,score[,class,…]) or streamseg's records; or a folder,"
        " of which every det.txt is followed by itself",
    )
    parser.add_argument(
        "--video",
        metavar="WHAT",
        help="the video or the images that the detections are of: tells times, the camera's motion and colours",
    )
    parser.add_argument(
        "--fps", type=_rate, metavar="F", help="frames per second (default: the video's, else those of seqinfo.ini)"
    )
    parser.add_argument(
        "--size",
        type=_size,
        metavar="WxH",
        help="pixels of the frames (default: the video's, else those of seqinfo.ini, else what the boxes reach)",
    )
    parser.add_argument(
        "--output",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="what to write, by its name: .txt MOTChallenge rows, .jsonl records, with --video .mp4 the annotated"
        " video; for a folder of detections a folder (there already, or ending in /), with a file for each of them",
    )
    parser.add_argument(
        "--score-threshold",
        dest="score_threshold",
        default=argparse.SUPPRESS,
        metavar="X",
        help="least score that begins a track; half of it continues one (0 to 1; default: the tracker's own)",
    )
    flags.add_flags(parser, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Follow; everything for people goes to standard error.

    Raises:
        UserError: Something that the user can put right.
        StageError: A stage failed.
    """
    given = vars(args)
    settings = flags.settings_from(args)
    config = read_config(settings.config) if settings.config is not None else {}
    own_scores = "score_threshold" not in given and "score_threshold" not in config
    if settings.output is None and settings.records is None and settings.tracks is None:
        raise UserError("nothing to write; say where by --output, for example --output tracks.txt")
    from streamseg.detections.job import Job
    from streamseg.detections.sequences import read_sequences

    images = args.video is not None and (Path(args.video).is_dir() or "*" in args.video)
    if args.fps is not None and args.video is not None and not images:
        raise UserError("--fps: the video tells its own times; leave one of --fps and --video out")
    sequences = read_sequences(args.detections, args.fps, args.size, timed=args.video is not None)
    if args.video is not None and len(sequences) > 1:
        raise UserError(f"--video belongs to one file of detections; {args.detections} has {len(sequences)}")
    placed = [_placed(settings, sequence, args.video is not None, len(sequences)) for sequence in sequences]
    jobs = [Job(each, own, args.video, own_scores) for each, own in zip(sequences, placed, strict=True)]
    for job in jobs:
        _follow(job, settings, args.interrupts, alone=len(jobs) == 1)
        if args.interrupts.status:
            break
    return 0


def _placed(settings: Settings, sequence: Sequence, video: bool, count: int) -> Settings:
    """The settings for one of ``count`` sequences: where its records, video and table of tracks go."""
    from streamseg.pipeline.outputs import records_format
    from streamseg.sinks.kinds import is_folder

    output, records, tracks = settings.output, settings.records, settings.tracks
    if output is not None and (is_folder(output) or output == "-" or Path(output).suffix.lower() in _LINES):
        if records is not None:
            raise UserError(f"--output {output} and --records {records} are both for records; give one of them")
        output, records = None, output
    if output is not None and not video:
        raise UserError(f"--output {output}: there is no picture to draw on without --video; end it in .txt or .jsonl")
    form = settings.records_format
    if form == "auto" and records is not None:
        form = "mot" if is_folder(records) else records_format(replace(settings, records=records))
    suffix = ".jsonl" if form == "jsonl" else ".txt"
    return replace(
        settings,
        output=output,
        records=_file(records, "records" if settings.records else "output", sequence, suffix, count),
        records_format=form,
        tracks=_file(tracks, "tracks", sequence, ".csv", count),
    )


def _file(path: str | None, what: str, sequence: Sequence, suffix: str, count: int) -> str | None:
    """The file of one of ``count`` sequences: ``path``, or in the folder of that name."""
    from streamseg.pipeline.outputs import make_folder
    from streamseg.sinks.kinds import is_folder

    if path is None:
        return None
    if is_folder(path):
        make_folder(path, f"--{what}")
        return str(Path(path) / f"{sequence.name}{suffix}")
    if count > 1:
        raise UserError(f"--{what} {path}: {count} sequences need a folder; add a slash to have one made")
    return path


def _follow(job: Job, settings: Settings, interrupts: Interrupts, alone: bool) -> None:
    from streamseg.cli.run import progress
    from streamseg.cli.summary import counts, summary

    pipeline = job.pipeline()
    with interrupts.stopping(pipeline.interrupt):
        try:
            with progress(settings, pipeline.statistics):
                pipeline.run()
        finally:
            if alone and (pipeline.error is None or pipeline.statistics.frames):
                print(summary(pipeline.statistics), file=sys.stderr, flush=True)
    if not alone:
        notes = [note for note in pipeline.statistics.notes if not note.startswith("wrote ")]
        if not settings.quiet:
            notes.insert(0, f"{job.name}: {counts(pipeline.statistics)}")
        print("".join(f"{note}\n" for note in notes), end="", file=sys.stderr, flush=True)


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, up to 1000")
    return rate


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    if match is None or "0" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} must be width and height in pixels, for example 1920x1080")
    return int(match[1]), int(match[2])
