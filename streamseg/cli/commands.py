"""Which commands there are, and the way to each.

A command is a module ``streamseg.cli.<name>`` with ``add_arguments(parser)`` and ``run(args) -> int``, and a line in
``COMMANDS``. It is imported when it is called.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
from pathlib import Path
from typing import NoReturn

from streamseg.cli import flags
from streamseg.cli.signals import Interrupts
from streamseg.errors import UserError

COMMANDS = {
    "train": "train a model on COCO-format data, by a recipe",
    "evaluate": "measure a model on labelled pictures, or tracks on a video with truth",
    "track": "follow the objects in detections that are there already",
    "benchmark": "time the pipeline against the obvious loop, and each stage alone",
    "models": "list the models, their classes, and whether their weights are here",
    "render": "render a street scene with its exact truth",
}

USAGE = "streamseg --source WHAT [--output FILE] [--records FILE] [--show] [more settings]"
_EPILOG = "Commands (each with --help):\n" + "".join(f"  {name:<10} {text}\n" for name, text in COMMANDS.items())


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Complain in one line.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{' '.join(message.split())}; see {self.prog} --help")


def dispatch(argv: list[str], interrupts: Interrupts) -> int:
    """Run the command that ``argv`` names; without a name, process the sources.

    Raises:
        UserError: The words make no sense.
    """
    if not argv:
        import sys

        print(f"usage: {USAGE}\n       streamseg {'|'.join(COMMANDS)} …\ntry: streamseg --help", file=sys.stderr)
        return 2
    if argv[0] in COMMANDS:
        module = importlib.import_module(f"streamseg.cli.{argv[0]}")
        parser = Parser(
            prog=f"streamseg {argv[0]}", description=f"{COMMANDS[argv[0]].capitalize()}.", allow_abbrev=False
        )
        module.add_arguments(parser)
        args = parse(parser, argv[1:])
        args.interrupts = interrupts
        with interrupts.raised():
            return module.run(args)
    if not argv[0].startswith("-"):
        raise UserError(_unknown_command(argv[0]))
    args = parse(main_parser(), argv)
    settings = flags.settings_from(args)
    from streamseg.cli.run import run

    return run(settings, interrupts)


def main_parser() -> Parser:
    """The parser of the main job: a flag per setting."""
    parser = Parser(
        prog="streamseg",
        usage=f"{USAGE}\n       streamseg COMMAND …",
        description="Find, outline and follow every object in a video, live or recorded.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    flags.add_flags(parser)
    return parser


def parse(parser: Parser, argv: list[str]) -> argparse.Namespace:
    """Parse the words after the command.

    Raises:
        UserError: A word that the parser does not know, or a value that it does not take.
    """
    args, rest = parser.parse_known_args(_joined(parser, argv))
    if not rest:
        return args
    word = rest[0].split("=")[0]
    if not word.startswith("-"):
        advice = f"; a source is given as --source {word}" if parser.prog == "streamseg" else ""
        raise UserError(f"unexpected {word!r}{advice}; see {parser.prog} --help")
    known = [flag for action in parser._actions for flag in action.option_strings]
    near = [flag for flag in known if flag.startswith(word)] or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    raise UserError(f"unknown flag {word}; " + (f"did you mean {near[0]}?" if near else f"see {parser.prog} --help"))


def _joined(parser: Parser, argv: list[str]) -> list[str]:
    """The words, a value that begins with a dash tied to its flag: ``--source -trip.mp4`` names a file."""
    flags = {flag: action.nargs is None for action in parser._actions for flag in action.option_strings}
    joined: list[str] = []
    words = iter(argv)
    for word in words:
        value = next(words, None) if flags.get(word) else None
        if value is None:
            joined.append(word)
        elif value.startswith("-") and not value.startswith("--") and value != "-" and value not in flags:
            joined.append(f"{word}={value}")
        else:
            joined += [word, value]
    return joined


class _Version(argparse.Action):
    """Looks the version up only when asked: reading package metadata takes time."""

    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        import streamseg

        print(f"streamseg {streamseg.__version__}")
        parser.exit()


def _unknown_command(word: str) -> str:
    if Path(word).exists():
        return f"unknown command {word!r}; a source is given as --source {word}"
    near = difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.6)
    return f"unknown command {word!r}; " + (f"did you mean {near[0]}?" if near else "see streamseg --help")
