"""Names of files, folders and globs, and what they stand for."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from streamseg.errors import UserError

IMAGE_SUFFIXES = frozenset(
    [
        ".avif",
        ".bmp",
        ".dib",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".ras",
        ".sr",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
VIDEO_SUFFIXES = frozenset(
    [
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".dv",
        ".f4v",
        ".flv",
        ".h264",
        ".h265",
        ".hevc",
        ".ivf",
        ".m2ts",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".nut",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    ]
)


def is_image(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def is_video(path: Path) -> bool:
    """Whether the name is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_pattern(spec: str) -> bool:
    """Whether ``spec`` is a glob; an existing path of that very name is not."""
    return glob.has_magic(spec) and not Path(spec).exists()


def natural_key(path: Path) -> list[tuple[list[str | int], str]]:
    """Sort key under which ``frame10`` comes after ``frame9``, folder by folder."""

    def parts(text: str) -> list[str | int]:
        # Splitting by digits alternates text and number, so that only like is compared with like.
        return [int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(re.split(r"(\d+)", text))]

    return [(parts(part), part) for part in path.parts]


def find_images(spec: str) -> list[Path]:
    """The images that a folder or a glob holds, in natural order."""
    return [path for path in _members(spec) if is_image(path)]


def find_videos(spec: str) -> list[Path]:
    """The videos that a folder or a glob holds, in natural order."""
    return [path for path in _members(spec) if is_video(path)]


def expand(specs: Sequence[str]) -> list[str]:
    """Replace each folder and glob by the sources in it, in natural order (10 after 9).

    All images of one folder or glob are one source, named by the folder or the glob itself; each video is one more.
    Everything else, and everything that exists under exactly that name as a file, stays as it is.

    Raises:
        UserError: A folder or glob holds neither videos nor images.
    """
    expanded: list[str] = []
    for spec in specs:
        if not (Path(spec).is_dir() or is_pattern(spec)) or "://" in spec:
            expanded.append(spec)
            continue
        videos = [str(path) for path in find_videos(spec)]
        images = [spec] if find_images(spec) else []
        if not videos and not images:
            where = "no video and no image in this folder" if Path(spec).is_dir() else "no video and no image matches"
            raise UserError(f"{spec}: {where}; check the path")
        expanded += images + videos
    return expanded


def _members(spec: str) -> list[Path]:
    folder = Path(spec)
    found: Iterable[Path]
    if folder.is_dir():
        try:
            found = list(folder.iterdir())
        except OSError as error:
            raise UserError(f"{spec}: cannot list this folder ({error.strerror}); check its permissions") from None
    else:
        found = [Path(name) for name in glob.glob(spec, recursive=True)]
    return sorted((path for path in found if not path.name.startswith(".") and path.is_file()), key=natural_key)
