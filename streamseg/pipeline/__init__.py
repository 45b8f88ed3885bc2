"""Wires the rooms: sources into the segmenter, through tracker and painter, out to the sinks."""

from __future__ import annotations

from streamseg.pipeline.core import Outlet, Pipeline
from streamseg.pipeline.statistics import Statistics

__all__ = ["Outlet", "Pipeline", "Statistics"]
