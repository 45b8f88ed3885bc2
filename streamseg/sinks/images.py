"""Annotated images, each under the name of the image it was made from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import Ending
from streamseg.sinks.kinds import IMAGE_SUFFIXES, is_folder
from streamseg.sinks.staging import cannot_write, check_file

JPEG_QUALITY = 95


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that images can be written to ``path``, a file or a folder.

    Raises:
        UserError: It is a source itself, exists already, or cannot be written to.
    """
    if not is_folder(path):
        check_file(Path(path), sources, overwrite=overwrite)
        return
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{path}: is a file, not a folder; give another name")
    if not folder.exists() and not folder.parent.is_dir():
        raise UserError(f"{path}: there is no folder {folder.parent}; make it first")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK):
        raise UserError(f"{path}: this folder cannot be written to; check its permissions or give another")
    for source in sources:
        if folder.exists() and os.path.isdir(source) and os.path.samefile(folder, source):
            raise UserError(f"{path}: is the source itself; give the output another folder")


class ImageSink:
    """Writes each annotated image under its source's file name into a folder, or the only one to a file.

    Args:
        path: A folder (there already, or with a slash at its end to be made), or a file for a single image.
        overwrite: Replace older files.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = True
    wants_masks = False
    on_main_thread = False

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        check(path, overwrite=overwrite)
        self._path = Path(os.path.abspath(path))
        self._to_folder = is_folder(path)
        self._overwrite = overwrite
        self._targets: dict[str, list[Path]] = {}
        self._taken: set[str] = set()
        self._written = 0

    @property
    def targets(self) -> list[Path]:
        """The files that are written for all streams that were opened."""
        return [target for targets in self._targets.values() for target in targets]

    def open(self, info: StreamInfo) -> None:
        """Choose the files' names.

        Raises:
            UserError: The stream is not made of images, there are several for one file, or a file exists already.
        """
        if not info.files:
            raise UserError(f"{self._path}: takes images, but {info.name} is a video; give a name that ends in .mp4")
        if not self._to_folder:
            if len(info.files) > 1 or self._targets:
                raise UserError(f"{self._path}: holds one image, but there are several; give a folder")
            targets = [self._path]
        else:
            try:
                self._path.mkdir(exist_ok=True)
            except OSError as error:
                raise cannot_write(self._path, error) from None
            targets = [self._path / self._free_name(file) for file in info.files]
        for target, file in zip(targets, info.files, strict=True):
            check_file(target, [str(file)], overwrite=self._overwrite)
        self._targets[info.name] = targets

    def write(self, result: Result) -> None:
        """Write one annotated image; its place among the source's files is the frame's ``pts``.

        Raises:
            UserError: The disk is full, for example.
        """
        target = self._targets[result.frame.source][result.frame.pts]
        part = target.with_name(f".{target.name}.part")
        picture = cv2.cvtColor(result.annotated(), cv2.COLOR_RGB2BGR)
        # OpenCV warns on standard error of a quality for a format that has none.
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if target.suffix.lower() in (".jpg", ".jpeg") else []
        _, data = cv2.imencode(target.suffix, picture, quality)
        try:
            np.asarray(data).tofile(part)
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise cannot_write(target, error) from None
        self._written += 1

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Say how many were written; each was whole as soon as it was there."""
        written, self._written = self._written, 0
        if not written:
            return []
        return [f"wrote {written} images to {self._path}" if self._to_folder else f"wrote {self._path}"]

    def _free_name(self, file: Path) -> str:
        """The file's own name, as PNG where its format cannot be written; numbered where two files share it."""
        suffix = file.suffix if file.suffix.lower() in IMAGE_SUFFIXES else ".png"
        name, number = f"{file.stem}{suffix}", 1
        while name.lower() in self._taken:
            number += 1
            name = f"{file.stem}-{number}{suffix}"
        self._taken.add(name.lower())
        return name
