"""Which sinks a run has, and which file each source is written to."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.pipeline.core import Outlet
from streamseg.settings import Settings
from streamseg.sinks import check
from streamseg.sinks.kinds import IMAGE_SUFFIXES, is_folder


class Outputs:
    """The sinks that the settings ask for.

    A folder gets an annotated video for each video and stream, and annotated images for images; a file holds one
    source, as a video or, by its suffix, as an image. Records and the window take all sources.

    Args:
        settings: What to write.
        infos: What is known of each source.
        show: Whether to show a window.

    Raises:
        UserError: Several sources, but the output is no folder.
    """

    def __init__(self, settings: Settings, infos: Sequence[StreamInfo], show: bool) -> None:
        self._settings = settings
        self._infos = infos
        self._show = show
        self._videos: dict[int, Path] = {}
        self._images: list[int] = []
        output = settings.output
        if output is None:
            return
        single = not is_folder(output) and Path(output).suffix.lower() in IMAGE_SUFFIXES
        paths = output_paths(output, [info.name for info in infos])
        self._images = [i for i, info in enumerate(infos) if single or (info.files and is_folder(output))]
        self._videos = {i: path for i, path in enumerate(paths) if i not in self._images}

    def check(self) -> None:
        """See that everything can be written, before anything costly begins.

        Raises:
            UserError: It cannot, and why.
        """
        settings = self._settings
        read = [str(file) for info in self._infos for file in (info.path, *info.files) if file is not None]
        if settings.output is not None and (self._images or is_folder(settings.output)):
            check(settings.output, overwrite=settings.overwrite)
        for path in self._videos.values():
            if path.parent.is_dir() or not is_folder(str(settings.output)):
                from streamseg.sinks.video import check as check_video

                check_video(path, read, overwrite=settings.overwrite)
        if self._images:
            self._open_images()
        if settings.records is not None:
            self._check_records(settings.records, read)
        if self._show:
            from streamseg.sinks.window import check_screen

            check_screen()

    def make(self) -> list[Outlet]:
        """Make the sinks.

        Raises:
            UserError: One of them cannot be written after all.
        """
        settings = self._settings
        outlets = []
        if settings.output is not None and self._videos:
            from streamseg.sinks import VideoFileSink

            make_folder(settings.output)
            for i, path in self._videos.items():
                video = VideoFileSink(
                    path,
                    overwrite=settings.overwrite,
                    crf=settings.crf,
                    preset=settings.preset,
                    codec=settings.codec,
                )
                outlets.append(Outlet(video, (i,), f"write {path.name}"))
        if settings.output is not None and self._images:
            from streamseg.sinks import ImageSink

            sink = ImageSink(settings.output, overwrite=settings.overwrite)
            outlets.append(Outlet(sink, tuple(self._images), "write images"))
        if settings.records is not None:
            from streamseg.sinks import RecordsSink

            several = len(self._infos) > 1
            records = RecordsSink(settings.records, several_sources=several, overwrite=settings.overwrite)
            outlets.append(Outlet(records, None, "write records"))
        if self._show:
            from streamseg.sinks import WindowSink

            outlets.append(Outlet(WindowSink(), None, "show window"))
        return outlets

    def _open_images(self) -> None:
        """Try the images' names out: opening chooses them and writes nothing."""
        from streamseg.sinks import ImageSink

        trial = ImageSink(str(self._settings.output), overwrite=self._settings.overwrite)
        for i in self._images:
            trial.open(self._infos[i])

    def _check_records(self, records: str, read: Sequence[str]) -> None:
        from streamseg.sinks.records import check as check_records

        if any(os.path.abspath(path) == os.path.abspath(records) for path in self._videos.values()):
            raise UserError(f"--records {records}: is the output too; give the records another name")
        check_records(records, read, overwrite=self._settings.overwrite)


def output_paths(output: str, names: Sequence[str]) -> list[Path]:
    """The annotated video of each source.

    Args:
        output: A file for one source; for any number a folder, which is there already or whose name ends in a slash.
        names: What the sources are called: file names, ``camera 0``, URLs without credentials.

    Returns:
        One path per source, all different: ``output`` itself, or ``<stem>-annotated.mp4`` in the folder.

    Raises:
        UserError: Several sources, but ``output`` is no folder.
    """
    if is_folder(output):
        return [Path(output) / f"{stem}-annotated.mp4" for stem in _different([_stem(name) for name in names])]
    if len(names) > 1:
        raise UserError(f"--output {output}: {len(names)} sources need a folder; add a slash to have one made")
    return [Path(output)]


def make_folder(output: str) -> None:
    """Make the folder that ``output`` names by its trailing slash; nothing where it names a file.

    Raises:
        UserError: It cannot be made.
    """
    if not output.endswith(("/", os.sep)):
        return
    try:
        Path(output).mkdir(exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"--output {output}: cannot make this folder: {reason}; give one that can be written") from None


def _stem(name: str) -> str:
    last = re.split(r"[/\\]", name.split("?")[0].rstrip("/\\"))[-1]
    stem = Path(last).stem or last
    return re.sub(r"[^\w.+-]+", "-", stem).strip("-.") or "stream"


def _different(stems: list[str]) -> list[str]:
    """The stems, numbered where several are the same."""
    taken: set[str] = set()
    different = []
    for stem in stems:
        name, number = stem, 1
        while name.lower() in taken:  # lower: file systems that ignore case
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        different.append(name)
    return different
