"""Which kinds of file can be written; a new one is a file in this folder and one registration here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from streamseg.errors import UserError
from streamseg.sinks.base import Sink


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file that results can be written to.

    Attributes:
        name: What people call it.
        matches: Whether an output's name is of this kind.
        module: Has ``check(path, sources, overwrite=…)``; imported only when it is used.
        sink: Name of the class in it, made with ``(path, overwrite=…, …)``.
    """

    name: str
    matches: Callable[[str], bool]
    module: str
    sink: str


def _by_suffix(*suffixes: str) -> Callable[[str], bool]:
    return lambda path: Path(path).suffix.lower() in suffixes and not is_folder(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether an output is a folder: one that is there, or a name that ends in a slash."""
    return os.fspath(path).endswith(("/", os.sep)) or Path(path).is_dir()


IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_is_image = _by_suffix(*IMAGE_SUFFIXES)

KINDS: list[Kind] = [
    Kind("video", _by_suffix(".mp4", ".m4v", ".mov", ".mkv"), "streamseg.sinks.video", "VideoFileSink"),
    Kind(
        "records",
        lambda path: path == "-" or _by_suffix(".jsonl", ".ndjson")(path),
        "streamseg.sinks.records",
        "RecordsSink",
    ),
    Kind("MOTChallenge rows", _by_suffix(".txt"), "streamseg.sinks.mot", "MotSink"),
    Kind("images", lambda path: is_folder(path) or _is_image(path), "streamseg.sinks.images", "ImageSink"),
]


def register(kind: Kind) -> None:
    """Add a kind of file; it is asked before those that are there already."""
    KINDS.insert(0, kind)


def make_sink(path: str | os.PathLike[str], *, overwrite: bool = False, **choices: Any) -> Sink:
    """The sink that an output's name asks for: a video, records, rows, an image, or a folder of images.

    Args:
        path: The file or folder; its suffix decides.
        overwrite: Replace what exists.
        choices: What that kind of sink takes besides, for example ``crf``.

    Raises:
        UserError: No kind of file ends so, or it cannot be written.
    """
    kind = _kind(path)
    sink: Sink = getattr(import_module(kind.module), kind.sink)(path, overwrite=overwrite, **choices)
    return sink


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that ``path`` can be written to, before anything costly begins.

    Args:
        path: The file or folder to be.
        sources: What is read; none of it may be the output itself, through links neither.
        overwrite: Whether older files may be replaced.

    Raises:
        UserError: It cannot, and why.
    """
    import_module(_kind(path).module).check(path, sources, overwrite=overwrite)


def _kind(path: str | os.PathLike[str]) -> Kind:
    for kind in KINDS:
        if kind.matches(os.fspath(path)):
            return kind
    raise UserError(f"{path}: nothing is written under such a name; end it in .mp4, .mkv, .jsonl, .txt or .png")
