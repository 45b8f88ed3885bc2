"""Video files."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from streamseg.errors import UserError
from streamseg.frame import Frame
from streamseg.media import open_media, video_stream
from streamseg.sources.decoding import Decoder
from streamseg.sources.hardware import accelerator, feed_sparingly

import av  # isort: skip  # after cv2, which decoding imports first

MISSING_TAIL = 0.5  # seconds by which the end may lie before the one that the container states

# Containers whose header states a duration; in others it is only guessed from the bit rate.
_STATING = ("mov", "matroska", "flv", "asf")
# Containers that know where their key frames are.
_INDEXED = ("mov", "matroska")
# Containers whose header counts the frames; what FFmpeg calls their duration is guessed from the size of the file.
_COUNTING = ("avi",)
_LETTING_GO = 0.5  # seconds for a reader to come back
_RUN_UP = 1  # seconds before a frame at which decoding begins, at the latest
_BOXES = (b"ftyp", b"wide", b"free", b"skip", b"mdat", b"moov", b"pnot", b"styp")


class VideoSource:
    """A recorded video, decoded by frame threads; every frame comes once, in its displayed orientation.

    Args:
        spec: Path of the file.
        codec: Who decodes, see :func:`streamseg.sources.hardware.accelerator`.
        deinterlace: Make interlaced frames whole pictures.

    Raises:
        UserError: The file is missing, unreadable, no video, or holds no frame that can be decoded.
    """

    def __init__(self, spec: str, *, codec: str = "software", deinterlace: bool = True) -> None:
        path = Path(os.path.abspath(spec))
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._spec, self._name = spec, path.name
        self._accelerate = accelerator(codec)
        self._deinterlace = deinterlace
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._file = _open(spec, path)
        self._container: Any = None
        try:
            self._decoder = self._begun()
            if self._decoder.first is None:
                raise UserError(f"{spec}: not one frame of this video can be decoded; check the file in a player")
            self.info = self._decoder.info(path=path)
        except BaseException:
            self.close()
            raise

    def begin_at(self, index: int, seconds: Fraction, is_it: Callable[[Frame], bool]) -> None:
        """Begin with a later frame, see :class:`streamseg.sources.base.Seekable`.

        Where the container has an index, decoding begins at a key frame before it; where that does not lead to the very
        same picture, and in all other containers, all that comes before is decoded.
        """
        with self._lock:
            if self._container.format.name.startswith(_INDEXED):
                with contextlib.suppress(av.error.FFmpegError, UserError):
                    self._decoder = self._begun(index, seconds)
                    first = self._decoder.first
                    if first is not None and first.pts * first.time_base == seconds and is_it(first):
                        return
            self._decoder = self._begun(index)

    def _begun(self, begin: int = 0, since: Fraction | None = None) -> Decoder:
        """A decoder of the file from its start, or, with ``since``, from a key frame before that time, seconds."""
        self.losses.clear()
        if self._container is not None:
            self._container.close()
        self._file.seek(0)
        self._container = _open_container(self._spec, self._file, self._accelerate)
        stream = _stream_of(self._spec, self._container)
        if since is not None:
            self._container.seek(math.floor((since - _RUN_UP) / stream.time_base), stream=stream)
        how: dict[str, Any] = {"deinterlace": self._deinterlace, "begin": begin, "since": since}
        return Decoder(self._container, stream, self._name, self.losses, **how)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, one pass only."""
        frames = iter(self._decoder)
        count = 0
        while not self._closed.is_set():
            with self._lock:
                frame = None if self._closed.is_set() else next(frames, None)
                if self._closed.is_set():
                    self._let_go()
            if frame is None:
                break
            count = frame.index + 1
            yield frame
        else:
            return
        if not self._closed.is_set():
            self.notes += self._decoder.notes
            self._note_cut(count)

    def close(self) -> None:
        """Close the file; may be called twice and from another thread.

        A reader that waits for the disk keeps it open until it has its answer.
        """
        self._closed.set()
        if self._lock.acquire(timeout=_LETTING_GO):
            try:
                self._let_go()
            finally:
                self._lock.release()

    def _let_go(self) -> None:
        if self._container is not None:
            self._container.close()
        self._file.close()

    def _note_cut(self, count: int) -> None:
        """Note where the file ends before it should, after ``count`` frames."""
        decoder, container = self._decoder, self._container
        stated: float | None = None
        if container.duration and container.format.name.startswith(_STATING):
            # Matroska states the end; the others how long it is to there from the start.
            start = 0 if container.format.name.startswith("matroska") else container.start_time or 0
            stated = (container.duration + start) / av.time_base
        elif self.info.frames and self.info.rate and container.format.name.startswith(_COUNTING):
            stated = (decoder.packet_end or 0.0) + float((self.info.frames - count) / self.info.rate)
        reached = decoder.packet_end or 0.0
        if decoder.broke_off or (stated is not None and reached < stated - MISSING_TAIL):
            of = f" of {stated:.2f} s" if stated is not None else ""
            self.notes.append(f"cut off in the middle: the last good frame is at {decoder.last_good or 0:.2f} s{of}")


def _open(spec: str, path: Path) -> BinaryIO:
    """The file, open.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    try:
        if not path.exists():
            hint = "; a link to nowhere" if path.is_symlink() else ""
            raise UserError(f"{spec}: there is no such file{hint}; check the path")
        if not path.is_file():
            raise UserError(f"{spec}: not a file that can be read twice; save the video to a file first")
        file = path.open("rb", buffering=0)
        try:
            if not file.read(1):
                raise UserError(f"{spec}: the file is empty; copy or record it again")
            file.seek(0)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise UserError(f"{spec}: cannot be read ({error.strerror}); check its permissions") from None
    return file


def _open_container(spec: str, file: BinaryIO, accelerate: Any) -> Any:
    try:
        container = open_media(file, accelerate)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if _lacks_index(file):
            advice = "the recording was never finished; repair it with a tool such as untrunc or record it again"
            raise UserError(f"{spec}: the file has no index (moov), so {advice}") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{spec}: not a video that FFmpeg can read ({reason}); check the file in a player") from None
    feed_sparingly(container)
    return container


def _stream_of(spec: str, container: Any) -> Any:
    stream = video_stream(container)
    if stream is None:
        holds = "only sound" if container.streams.audio else "no video"
        raise UserError(f"{spec}: holds {holds}, no moving picture; give a video file")
    if stream.codec_context is None:
        raise UserError(f"{spec}: its video codec is unknown to this FFmpeg; convert the file to H.264 first")
    return stream


def _lacks_index(file: BinaryIO) -> bool:
    """Whether this is an MP4 or QuickTime file without the box that says where its frames are."""
    size = os.fstat(file.fileno()).st_size
    kind = b""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if kind not in _BOXES and at == 0:
            return False
        if kind == b"moov":
            return False
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            break
        at += length
    return kind != b""
