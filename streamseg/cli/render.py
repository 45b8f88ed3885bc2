"""``streamseg render``: street scenes with exact truth, as clips or as stills."""

from __future__ import annotations

import argparse
from pathlib import Path

from streamseg.cli.counting import counted
from streamseg.cli.values import number
from streamseg.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    whole = number(int, 1)
    parser.add_argument("--output", type=Path, required=True, help="MP4 to write; with --stills a folder")
    parser.add_argument("--truth", type=Path, help="JSON lines with the truth (default: beside it, NAME.truth.jsonl)")
    parser.add_argument(
        "--seed", type=number(int, 0), help="which scene; stills count up from it (default: the sample's, else 0)"
    )
    parser.add_argument("--seconds", type=number(float, 0.1), help="length of the clip (default: 10, crossings 20)")
    parser.add_argument("--width", type=whole, help="columns, pixels (default: 1280, crossings 640, stills 512)")
    parser.add_argument("--height", type=whole, help="rows, pixels (default: 720, crossings 360, stills 320)")
    parser.add_argument("--rate", type=whole, help="frames per second of the clip (default: 30, crossings 12)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--crossings",
        action="store_true",
        help="a crowd that hides one another again and again, for trackers; every third seed has a moving camera",
    )
    kind.add_argument("--stills", type=whole, metavar="COUNT", help="write this many pictures of random scenes instead")
    parser.add_argument("--drives", action="store_true", help="with --stills: take them from clips like the sample")


def run(args: argparse.Namespace) -> int:
    """Render.

    Raises:
        UserError: The arguments do not belong together, or the files cannot be written.
    """
    sizes = {name: getattr(args, name) for name in ("width", "height") if getattr(args, name) is not None}
    if args.stills is not None:
        return _stills(args, sizes)
    if args.drives:
        raise UserError("--drives belongs to --stills, say how many pictures")
    if not args.output.resolve().parent.is_dir():
        raise UserError(f"{args.output}: there is no folder {args.output.parent}; make it first")
    from streamseg.scenes import write_crossings, write_sample

    truth = args.truth or args.output.with_suffix(".truth.jsonl")
    given = {name: getattr(args, name) for name in ("seed", "seconds", "rate") if getattr(args, name) is not None}
    with counted("frames") as progress:
        write = write_crossings if args.crossings else write_sample
        write(args.output, truth, progress=progress, **given, **sizes)
    print(f"wrote {args.output} and {truth}")
    return 0


def _stills(args: argparse.Namespace, sizes: dict[str, int]) -> int:
    for name in ("truth", "seconds", "rate"):
        if getattr(args, name) is not None:
            raise UserError(f"--{name} belongs to a clip; leave it out with --stills")
    from streamseg.scenes import write_stills

    with counted("pictures") as progress:
        path = write_stills(args.output, args.stills, args.seed or 0, drives=args.drives, progress=progress, **sizes)
    print(f"wrote {args.stills} pictures and {path}")
    return 0
