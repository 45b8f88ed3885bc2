"""Opening media so that nothing but the file itself can be reached: allow-lists of formats and protocols."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MOST_PIXELS = 1 << 28
"""Most pixels of one picture, about 16,000 x 16,000: what claims more is refused before memory is taken for it."""

# What holds its pictures and sound itself. Not here, whatever its name: lists of other files or streams (hls, dash,
# concat, sdp, imf), patterns of files (image2), and formats that open a second file beside the first (mlv, vobsub).
_VIDEO = (
    "3dostr 4xm amv apng asf avi av1 avs2 avs3 bink cavsvideo cine dhav dirac dnxhd dv evc film_cpk flic flv gif gxf"
    " h261 h263 h264 hevc ingenient ipmovie ivf ivr jpegxl_anim kux live_flv lmlm4 m4v matroska mgsts mjpeg mov mpeg"
    " mpeg1video mpeg2video mpegts mpegvideo mpjpeg mtv mv mxf nsv nut nuv obu ogg pva rm roq rpl ser smjpeg smk"
    " thp ty vc1 vc1test vvc webm webp wtv xmv yuv4mpegpipe"
)
_PICTURES = (
    "bmp_pipe dds_pipe dpx_pipe exr_pipe gem_pipe j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe pam_pipe pbm_pipe pcx_pipe"
    " pgm_pipe pgmyuv_pipe png_pipe ppm_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp_pipe xbm_pipe xwd_pipe"
)
_SOUND = "aac ac3 aiff amr ape au caf dts dtshd eac3 flac gsm loas mlp mp3 mpc mpc8 opus spx truehd tta voc w64 wav wv"
_STREAMED = "hls dash rtsp rtp sdp rtp_mpegts"

_BUFFER = 128 << 10  # bytes that are read at once
_MOST_ERRORS = 64  # in a row, after which there is nothing more to be read


def formats(network: bool = False) -> str:
    """FFmpeg's ``format_whitelist``: what holds its media itself; with ``network`` also what is streamed in parts."""
    return ",".join(f"{_VIDEO} {_PICTURES} {_SOUND} {_STREAMED if network else ''}".split())


def open_media(file: Any, accelerate: Any = None, **how: Any) -> Any:
    """``av.open`` for an open binary file (or, with options of its own, a URL) that is not trusted.

    Args:
        file: An open file, which the caller closes after the container; FFmpeg gets no name that it could take for a
            protocol or a pattern.
        accelerate: An ``av.codec.hwaccel.HWAccel``, which is left out where the device refuses a further decoder.
        how: As ``av.open`` has it.

    Raises:
        av.error.FFmpegError: As ``av.open`` does.
    """
    import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
    import av

    # No protocol at all: the bytes come through the open file, and nothing that they say may open another.
    options = {"protocol_whitelist": "", "format_whitelist": formats(), **how.pop("options", {})}
    how = {"metadata_errors": "replace", "buffer_size": _BUFFER, **how}
    try:
        return av.open(file, "r", options=options, hwaccel=accelerate, **how)
    except (av.error.ExternalError, av.error.UnknownError, av.error.MemoryError):
        if accelerate is None:
            raise
        if not isinstance(file, str):
            file.seek(0)
        return av.open(file, "r", options=options, **how)


@contextmanager
def reading(path: str | os.PathLike[str], **how: Any) -> Iterator[Any]:
    """``open_media`` for a file by its name, closed at the end of ``with``.

    Raises:
        OSError: The file cannot be opened.
        av.error.FFmpegError: As ``av.open`` does.
    """
    with Path(path).open("rb", buffering=0) as file, open_media(file, **how) as container:
        yield container


def video_stream(container: Any) -> Any | None:
    """The stream to decode: the first that is a video and not cover art; None where there is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


class Packets:
    """The packets of an open container, in their order; what cannot be read in between is passed over.

    Attributes:
        broke_off: Whether reading stopped at data that cannot be read rather than at the end; known at the end.
    """

    def __init__(self, container: Any) -> None:
        self.broke_off = False
        self._container = container

    def __iter__(self) -> Iterator[Any]:
        """Yield packets with their time bases; none of PyAV's empty ones that drain a decoder."""
        import av

        errors = 0
        while True:
            try:
                for packet in self._container.demux():
                    if packet.size == 0 and packet.dts is None:
                        continue
                    errors = 0
                    yield packet
                break
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                errors += 1
                if errors >= _MOST_ERRORS:
                    break
        self.broke_off = errors > 0
