"""Where frames come from: video files, cameras, network streams, images.

Each kind is one file here and one registration in ``kinds.py``; what opens the media is imported only when it is used.
"""

from __future__ import annotations

from streamseg.sources.base import Seekable, Source
from streamseg.sources.kinds import Kind, open_source, register
from streamseg.sources.paths import expand

__all__ = ["Kind", "Seekable", "Source", "expand", "open_source", "register"]
