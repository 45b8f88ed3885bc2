"""Which sinks a run has, and which file each source is written to."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamseg.errors import Finished, UserError
from streamseg.frame import StreamInfo
from streamseg.pipeline.core import Outlet
from streamseg.settings import Settings
from streamseg.sinks import check
from streamseg.sinks.kinds import IMAGE_SUFFIXES, is_folder
from streamseg.sinks.staging import Staged

_RECORDS = {"jsonl": ("RecordsSink", ".jsonl"), "mot": ("MotSink", ".txt"), "mots": ("MotsSink", ".txt")}
"""By format, the sink that writes such records, and how its files are called in a folder."""


class Outputs:
    """The sinks that the settings ask for.

    A folder gets an annotated video for each video and stream, and annotated images for images; a file holds one
    source, as a video or, by its suffix, as an image. Records may be a folder too, with a file for each source; a file
    of JSON lines, the table of tracks and the window take all sources.

    Args:
        settings: What to write.
        infos: What is known of each source.
        show: Whether to show a window.
        read: What is read besides the sources' own files; none of it may be written to.
        leave_parts: Leave files unfinished where the run is stopped, to be gone on with.

    Raises:
        UserError: Several sources, but the output is no folder, or the records' format is for one.
    """

    def __init__(
        self,
        settings: Settings,
        infos: Sequence[StreamInfo],
        show: bool,
        read: Sequence[Path] = (),
        leave_parts: bool = False,
    ) -> None:
        self._settings = settings
        self._read = read
        self._infos = infos
        self._show = show
        self._videos: dict[int, Path] = {}
        self._images: list[int] = []
        self._overwrite = settings.overwrite
        self._leave_parts = leave_parts
        self._records = _record_files(settings, [info.name for info in infos])
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
        if settings.resume:
            self._look_for_earlier()
        own = [file for info in self._infos for file in (info.path, *info.files) if file is not None]
        read = [str(file) for file in (*own, *self._read)]
        if settings.output is not None and (self._images or is_folder(settings.output)):
            check(settings.output, overwrite=self._overwrite)
        for path in self._videos.values():
            if path.parent.is_dir() or not is_folder(str(settings.output)):
                from streamseg.sinks.video import check as check_video

                check_video(path, read, overwrite=self._overwrite)
        if self._images:
            self._open_images(self._overwrite)
        self._check_tables(read)
        if self._show:
            from streamseg.sinks.window import check_screen

            check_screen()

    def _look_for_earlier(self) -> None:
        """See whether there is something to go on with; what it was to replace may then be replaced.

        Raises:
            Finished: All files are whole.
            UserError: A source is live.
        """
        for info in self._infos:
            if info.live:
                raise UserError(
                    f"--resume: {info.name} is live, and what it showed meanwhile cannot be had; leave it out"
                )
        files = [*self._videos.values(), *(Path(path) for path in self._records if path != "-")]
        files += [Path(self._settings.tracks)] if self._settings.tracks is not None else []
        begun = any(Staged(path).is_unfinished() for path in files)
        if self._videos and not begun:
            from streamseg.sinks.video import is_unfinished

            begun = any(map(is_unfinished, self._videos.values()))
        files += self._open_images(overwrite=True) if self._images else []
        there = [path.is_file() for path in files]
        if files and all(there) and not begun and not self._overwrite:
            what = str(self._settings.output) if self._images else ", ".join(map(str, files))
            raise Finished(f"{what}: finished already, so there is nothing to go on with")
        self._overwrite |= begun or (bool(self._images) and any(there))

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
                    overwrite=self._overwrite,
                    crf=settings.crf,
                    preset=settings.preset,
                    codec=settings.codec,
                    leave_part=self._leave_parts,
                )
                outlets.append(Outlet(video, (i,), f"write {path.name}"))
        if settings.output is not None and self._images:
            from streamseg.sinks import ImageSink

            sink = ImageSink(settings.output, overwrite=self._overwrite)
            outlets.append(Outlet(sink, tuple(self._images), "write images"))
        outlets += self._tables()
        if self._show:
            from streamseg.sinks import WindowSink

            outlets.append(Outlet(WindowSink(), None, "show window"))
        return outlets

    def _open_images(self, overwrite: bool) -> list[Path]:
        """Try the images' names out: opening chooses them and writes nothing."""
        from streamseg.sinks import ImageSink

        trial = ImageSink(str(self._settings.output), overwrite=overwrite)
        for i in self._images:
            trial.open(self._infos[i])
        return trial.targets

    def _tables(self) -> list[Outlet]:
        """The sinks of records and tracks."""
        import streamseg.sinks

        settings, outlets = self._settings, []
        options: dict[str, Any] = {"overwrite": self._overwrite, "leave_part": self._leave_parts}
        several = {"several_sources": len(self._infos) > 1, **options}
        if settings.records is not None:
            make_folder(settings.records, "--records")
        for path, streams in self._records.items():
            form = records_format(settings)
            kind = getattr(streamseg.sinks, _RECORDS[form][0])
            sink = kind(path, **(several if form == "jsonl" and streams is None else options))
            outlets.append(Outlet(sink, streams, "write records"))
        if settings.tracks is not None:
            outlets.append(Outlet(streamseg.sinks.TracksSink(settings.tracks, **several), None, "write tracks"))
        return outlets

    def _check_tables(self, read: Sequence[str]) -> None:
        from streamseg.sinks import lines, tracks

        settings = self._settings
        taken = {os.path.abspath(path): "output" for path in self._videos.values()}
        if settings.records is not None and is_folder(settings.records):
            check(settings.records, overwrite=self._overwrite)
        wanted = [(path, "records", lines.check) for path in self._records]
        wanted += [(settings.tracks, "tracks", tracks.check)] if settings.tracks is not None else []
        for path, what, check_file in wanted:
            if (earlier := taken.setdefault(os.path.abspath(path), what)) != what:
                raise UserError(f"--{what} {path}: is the {earlier} too; give the {what} another name")
            if what == "tracks" or Path(path).parent.is_dir() or not is_folder(str(settings.records)):
                check_file(path, read, overwrite=self._overwrite)


def records_format(settings: Settings) -> str:
    """How records are written: ``jsonl``, ``mot`` or ``mots``."""
    if settings.records_format != "auto":
        return settings.records_format
    return "mot" if Path(settings.records or "").suffix.lower() == ".txt" else "jsonl"


def records_suffix(settings: Settings) -> str:
    """How files of records are called at the end."""
    return _RECORDS[records_format(settings)][1]


def _record_files(settings: Settings, names: Sequence[str]) -> dict[str, tuple[int, ...] | None]:
    """The files of records, each with the sources that it is for; None for all of them."""
    if settings.records is None:
        return {}
    form = records_format(settings)
    if is_folder(settings.records):
        stems = _different([_stem(name) for name in names])
        return {str(Path(settings.records) / f"{stem}{_RECORDS[form][1]}"): (i,) for i, stem in enumerate(stems)}
    if len(names) > 1 and form != "jsonl":
        raise UserError(
            f"--records {settings.records}: rows of {form} do not tell {len(names)} sources apart; give a folder (add"
            " a slash to have one made), or write .jsonl"
        )
    return {settings.records: None}


def output_paths(output: str, names: Sequence[str]) -> list[Path]:
    """The annotated video of each source.

    Args:
        output: A file for one source; for any number a folder, which is there already or whose name ends in a slash.
        names: What the sources are called: file names, ``camera 0``, URLs without credentials.

    Returns:
        One path per source, all different: ``output`` itself, or ``<stem>.mp4`` in the folder.

    Raises:
        UserError: Several sources, but ``output`` is no folder.
    """
    if is_folder(output):
        return [Path(output) / f"{stem}.mp4" for stem in _different([_stem(name) for name in names])]
    if len(names) > 1:
        raise UserError(f"--output {output}: {len(names)} sources need a folder; add a slash to have one made")
    return [Path(output)]


def make_folder(output: str, flag: str = "--output") -> None:
    """Make the folder that ``output`` names by its trailing slash; nothing where it names a file.

    Args:
        output: The name.
        flag: How an error calls it.

    Raises:
        UserError: It cannot be made.
    """
    if not output.endswith(("/", os.sep)):
        return
    try:
        Path(output).mkdir(exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{flag} {output}: cannot make this folder: {reason}; give one that can be written") from None


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
