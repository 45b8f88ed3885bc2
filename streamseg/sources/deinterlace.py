"""Two fields of a picture, taken a moment apart, made into one whole picture."""

from __future__ import annotations

import cv2  # noqa: F401  # isort: skip  # before av: both bring FFmpeg, and cv2 must find its own first
from collections import deque
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph


class Deinterlacer:
    """Makes each interlaced frame one whole picture, at its own time; frames that are whole already stay as they are.

    By FFmpeg's bwdif (Weston's three field deinterlacer with yadif's way along edges), which looks at the frame before
    and the frame after: frames come out one later than they go in. Their time bases mean nothing.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._like: tuple[int, int, str] | None = None
        self._times: deque[tuple[int | None, Any]] = deque()  # of the frames that are in the filter

    def push(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take in the next frame; those that are done, in order."""
        done: list[av.VideoFrame] = []
        like = frame.width, frame.height, frame.format.name
        if like != self._like:
            done = self.flush()
            self._like, self._graph = like, _graph(frame)
        assert self._graph is not None
        self._times.append((frame.pts, frame.duration))
        frame.pts, frame.time_base = len(self._times), Fraction(1, 25)  # the filter halves the unit; ours are put back
        self._graph.push(frame)
        return done + self._pull()

    def flush(self) -> list[av.VideoFrame]:
        """The frames that are still in the filter; there are no more to come."""
        if self._graph is None:
            return []
        self._graph.push(None)
        done = self._pull()
        self._graph = self._like = None
        self._times.clear()
        return done

    def _pull(self) -> list[av.VideoFrame]:
        assert self._graph is not None
        done: list[av.VideoFrame] = []
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return done
            if self._times:
                frame.pts, frame.duration = self._times.popleft()
                done.append(frame)


def _graph(like: av.VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add_buffer(width=like.width, height=like.height, format=like.format, time_base=Fraction(1, 25)),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph
