"""Which kinds of source there are; a new one is a file in this folder and one registration here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from streamseg.errors import UserError
from streamseg.sources.base import Source
from streamseg.sources.paths import find_images, is_image, is_pattern

CAMERA = re.compile(r"\d{1,3}|/dev/video\d+")
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "srt")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source.

    Attributes:
        name: What people call it.
        matches: Whether a spec is of this kind.
        factory: ``module:callable`` that opens a spec; imported only when one is opened.
        decodes: Whether the callable takes ``codec`` and ``deinterlace``.
    """

    name: str
    matches: Callable[[str], bool]
    factory: str
    decodes: bool = False


def _is_camera(spec: str) -> bool:
    # An existing file or folder of that name wins over the camera, except for the camera's own device file.
    return CAMERA.fullmatch(spec) is not None and (spec.startswith("/dev/") or not Path(spec).exists())


def _is_stream(spec: str) -> bool:
    scheme = URL.match(spec)
    return scheme is not None and not Path(spec).exists() and scheme[1].lower() in STREAM_SCHEMES


def _is_images(spec: str) -> bool:
    path = Path(spec)
    if path.is_dir():
        return True
    if path.exists():
        return is_image(path)
    return is_pattern(spec) and bool(find_images(spec))


def _is_file(spec: str) -> bool:
    return URL.match(spec) is None or Path(spec).exists()


def is_recorded(spec: str) -> bool:
    """Whether ``spec`` names files rather than a camera or a stream."""
    return not _is_camera(spec) and not _is_stream(spec)


KINDS: list[Kind] = [
    Kind("camera", _is_camera, "streamseg.sources.camera:CameraSource"),
    Kind("network stream", _is_stream, "streamseg.sources.network:NetworkSource", decodes=True),
    Kind("images", _is_images, "streamseg.sources.images:open_images"),
    Kind("video file", _is_file, "streamseg.sources.video:VideoSource", decodes=True),
]


def register(kind: Kind) -> None:
    """Add a kind of source; it is asked before those that are there already."""
    KINDS.insert(0, kind)


def open_source(spec: str, *, codec: str = "software", deinterlace: bool = True) -> Source:
    """Open whatever ``spec`` names: a video, images, a camera's number or device, a stream's URL.

    A file or folder that exists under exactly this name always wins over any other meaning.

    Args:
        spec: The name.
        codec: Who decodes video: ``software``, ``hardware`` (a GPU), or ``auto`` for hardware where it can be used.
        deinterlace: Make interlaced frames of video whole pictures.

    Raises:
        UserError: Nothing of that name can be opened.
    """
    if not spec:
        raise UserError("the source has no name; give a file, a camera's number or a URL")
    for kind in KINDS:
        if kind.matches(spec):
            module, _, name = kind.factory.partition(":")
            how = {"codec": codec, "deinterlace": deinterlace} if kind.decodes else {}
            source: Source = getattr(import_module(module), name)(spec, **how)
            return source
    scheme = URL.match(spec)
    known = ", ".join(STREAM_SCHEMES)
    raise UserError(f"{scheme[1] if scheme else spec}://: no such kind of stream; known are {known}")
