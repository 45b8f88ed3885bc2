"""The annotated video file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from streamseg.errors import Mismatch, UserError
from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import Ending
from streamseg.sinks.fragments import Fragmented, cut_to_whole, scan
from streamseg.sinks.growing import HeaderDiffers
from streamseg.sinks.hardware import on_gpu
from streamseg.sinks.part import Part
from streamseg.sinks.remux import Plan, finish
from streamseg.sinks.staging import Staged, cannot_write, check_file
from streamseg.sinks.unfinish import note_stopped, unfinish, was_stopped

import av  # isort: skip  # after cv2, which part imports first

# Suffix -> FFmpeg's format.
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

_TROUBLE = (av.error.FFmpegError, OSError)


def is_unfinished(path: Path) -> bool:
    """Whether an earlier run left something of this file that can be gone on with."""
    return Staged(path).is_unfinished() or was_stopped(path) is not None


def check(path: str | os.PathLike[str], sources: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """See that a video can be written to ``path``, before the model is loaded.

    Raises:
        UserError: The name has no video's suffix, is a source itself, exists already, or cannot be written to.
    """
    if Path(path).suffix.lower() not in FORMATS and not Path(path).is_dir():
        raise UserError(f"{path}: not a name for a video; end it in {', '.join(FORMATS)}")
    check_file(Path(path), sources, overwrite=overwrite)


class VideoFileSink:
    """Writes the annotated frames with the source's own timestamps, its sound, and what else it has.

    While it is written it is a fragmented MP4 under a hidden name beside the final one (``.name.mp4.part``), which can
    be played, and gone on with, after a crash; ``close`` writes it anew with its index in front, and with subtitles,
    chapters, tags and data of the source, and renames it. Odd sides are padded by one row or column.

    Args:
        path: Ends in ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``.
        overwrite: Replace an older file, once the new one is whole.
        crf: libx264's quality, 0 to 51; lower is better and larger.
        preset: libx264's speed, ``ultrafast`` to ``placebo``.
        codec: Whether libx264 encodes or a GPU, see :func:`streamseg.sinks.hardware.on_gpu`.
        leave_part: Leave the hidden file as it is where the run is stopped, to be gone on with.

    Raises:
        UserError: It cannot be written there.
    """

    wants_picture = True
    wants_masks = False
    on_main_thread = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        crf: float = 23,
        preset: str = "superfast",
        codec: str = "software",
        leave_part: bool = False,
    ) -> None:
        check(path, overwrite=overwrite)
        self._leave_part = leave_part
        self._staged = Staged(Path(os.path.abspath(path)))
        self._format = FORMATS[self._staged.path.suffix.lower()]
        self._quality = (crf, preset, codec)
        self._notes: list[str] = []
        self._info: StreamInfo | None = None
        self._earlier: Fragmented | None = None
        self._made_again = False  # whether the hidden file was made of a finished one
        self._frames = 0
        self._part: Part | None = None
        self._marks: list[bytes] = []  # that came before there was a part
        self._done = False

    def mark(self, data: bytes) -> None:
        """Keep something for whoever goes on with the file after a crash; from any thread."""
        part = self._part
        if part is None:
            self._marks.append(data)
        else:
            part.note(data)

    def marks(self) -> list[bytes]:
        """What ``mark`` was given in the run that left the file, the latest last."""
        return self._earlier.notes if self._earlier is not None else []

    def kept(self, source: str, most: int | None = None) -> int:
        """How many frames of an earlier run can be gone on after, ``most`` at most.

        Raises:
            UserError: What is there cannot be read, or not made a growing file again.
        """
        if self._earlier is None:
            try:
                self._earlier = self._found()
            except _TROUBLE as error:
                raise cannot_write(self._staged.path, error) from None
        return self._earlier.frames(most) if self._earlier.about else 0

    def _found(self) -> Fragmented:
        """What an earlier run left, as the hidden file or one that can be renamed to it."""
        part, stopped = self._staged.earlier(), None
        if part is None and (stopped := was_stopped(self._staged.path)) is not None:
            part, self._made_again = self._staged.part, True
            unfinish(self._staged.path, part, stopped)
        return scan(part) if part is not None else Fragmented()

    def resume(self, source: str, frames: int) -> None:
        """Keep so many frames of an earlier run (as ``kept`` has it), and go on after them; before ``open``."""
        self._frames = frames

    def open(self, info: StreamInfo) -> None:
        """Begin the hidden file; a video holds one stream.

        Raises:
            UserError: It cannot be written.
        """
        if self._info is not None:
            raise UserError(f"{self._staged.path}: holds one source only; give each source an output of its own")
        self._info = info
        # Fails before there is a file.
        on_gpu(self._quality[2], info.width + info.width % 2, info.height + info.height % 2)
        try:
            if self._frames:
                self._staged.adopt()
            else:
                if self._earlier is not None:
                    self._staged.discard()  # too little to go on with
                self._earlier = None
                self._notes += self._staged.begin()
                self._staged.part.touch()
        except OSError as error:
            raise cannot_write(self._staged.path, error) from None

    def write(self, result: Result) -> None:
        """Encode one annotated frame, and take over the sound up to it.

        Raises:
            UserError: The disk is full, for example; what is whole is kept as ``name.partial.mp4``.
        """
        try:
            if self._part is None:
                self._part = self._begin(result)
                for mark in self._marks:
                    self._part.note(mark)
            self._part.write(result)
        except HeaderDiffers:
            assert self._part is not None
            self._done = True
            self._part.abandon()
            raise Mismatch(
                f"{self._staged.path}: --resume: what is there was encoded with other settings or by another version;"
                " give the same, or begin anew without --resume"
            ) from None
        except _TROUBLE as error:
            raise self._failed(error) from None

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Finish the file and put it under its final name; without a frame there is none.

        After a failure it stays as it is, under the name ``name.partial.mp4``, to be gone on with. Where the source has
        more pictures, its sound is cut where they are.

        Raises:
            UserError: It could not be finished.
        """
        if self._done:
            return []
        self._done = True
        if self._part is None and self._frames:
            return self._untouched()
        if self._part is None:
            if self._info is not None:
                self._staged.discard()
                self._notes.append(f"no frame came, so {self._staged.path} was not written")
            return self._notes
        try:
            plan = self._part.finish(complete=ending is Ending.END)
        except _TROUBLE as error:
            raise self._failed(error) from None
        if ok and self._leave_part and ending is Ending.STOPPED:
            return [self._staged.left()]
        notes = self._notes + self._part.notes + self._part.clock.notes()
        return notes + self._publish(ok, plan, ending is Ending.STOPPED)

    def _untouched(self) -> list[str]:
        """What there was stays as it was, where no new frame came."""
        if self._made_again:
            self._staged.discard()
        return [f"no frame came, so {self._staged.path.name} stays as the earlier run left it"]

    def _begin(self, first: Result) -> Part:
        assert self._info is not None
        return Part(
            self._staged.part,
            self._info,
            self._quality,
            first,
            for_players=self._format != "matroska",
            name=self._staged.path.name,
            earlier=self._earlier,
            frames=self._frames,
        )

    def _publish(self, ok: bool, plan: Plan, stopped: bool) -> list[str]:
        staged = self._staged
        if not ok:
            return staged.commit(ok)
        whole = staged.part.with_name(staged.part.name + "2")
        assert self._info is not None and self._part is not None
        try:
            notes = finish(staged.part, whole, self._format, self._info.path, plan)
            if stopped and self._format != "matroska" and self._info.path is not None:
                note_stopped(whole, self._part.about, plan.back, scan(staged.part).notes)
        except _TROUBLE as error:
            # The part is whole too, only with its index spread over it, and a Matroska's sound may be missing.
            whole.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or str(error)
            return [*staged.commit(), f"{staged.path.name} is left in fragments: no second pass ({reason})"]
        return notes + staged.commit(whole=whole)

    def _failed(self, error: BaseException) -> UserError:
        """Keep what is whole, and say what happened."""
        self._done = True
        if self._part is not None:
            self._part.abandon()
        kept = ""
        try:
            if cut_to_whole(self._staged.part):
                kept = f"what was whole is in {self._staged.rescue().name}; "
            else:
                self._staged.discard()
        except OSError:
            pass  # the first error is the one to tell
        return cannot_write(self._staged.path, error, kept)
