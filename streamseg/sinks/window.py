"""A window on the screen, through OpenCV."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.result import Result
from streamseg.sinks.base import Ending, StopRequested

LARGEST = (1280, 720)  # columns and rows of a window when it opens; it can be resized
QUIT, PAUSE, SAVE, ESCAPE = ord("q"), ord(" "), ord("s"), 27
_TURN = 0.02  # seconds between two looks at the keyboard while nothing moves
_AS_FAST = 0.9  # share of the pictures that the model sees from which on nothing is said of it


class WindowSink:
    """Shows the annotated frames, one window per stream; to be used on the main thread.

    ``q``, Escape or closing the window ends the run, space pauses, ``s`` saves the picture on show as PNG into the
    current folder. A recorded stream runs no faster than its timestamps. Where the model sees fewer frames than there
    are, the window tells both rates.

    Args:
        title: Stands before the stream's name in the window's title.

    Raises:
        UserError: ``open`` finds no screen, or an OpenCV without windows.
    """

    wants_picture = True
    wants_masks = False
    on_main_thread = True

    def __init__(self, title: str = "streamseg") -> None:
        self._title = title
        self._live: dict[str, bool] = {}
        self._shown: dict[str, float] = {}  # when each stream's last frame appeared, monotonic seconds
        self._seconds: dict[str, float] = {}  # and that frame's own time
        self._rates: dict[str, tuple[float, float]] = {}
        self._last: Result | None = None
        self._saved: list[Path] = []

    def open(self, info: StreamInfo) -> None:
        """Open the stream's window.

        Raises:
            UserError: There is no screen, or this OpenCV has no windows.
        """
        check_screen()
        # Qt's remarks on fonts and themes are not for the people who watch.
        os.environ.setdefault("QT_LOGGING_RULES", "*=false")
        try:
            with _quiet_standard_error():
                name = self._window(info.name)
                # Without OpenCV's toolbar, whose buttons do nothing here.
                cv2.namedWindow(name, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
                scale = min(1.0, LARGEST[0] / info.width, LARGEST[1] / info.height)
                cv2.resizeWindow(name, max(1, round(info.width * scale)), max(1, round(info.height * scale)))
                cv2.waitKey(1)
        except cv2.error:
            raise UserError(
                "window: this OpenCV was built without windows; install opencv-python in place of the headless one"
            ) from None
        self._live[info.name] = info.live

    def write(self, result: Result) -> None:
        """Show one frame when its time has come, and do what keys ask for.

        Raises:
            StopRequested: ``q``, Escape, or the window was closed.
        """
        source = result.frame.source
        self._wait_for(result)
        picture = cv2.cvtColor(result.annotated(), cv2.COLOR_RGB2BGR)
        network, pictures = self._rates.get(source, (0.0, 0.0))
        if network < _AS_FAST * pictures:
            _write(picture, f"network {network:.1f} / picture {pictures:.1f} fps")
        cv2.imshow(self._window(source), picture)
        self._last = result
        self._shown[source] = time.monotonic()
        self._seconds[source] = result.frame.seconds
        self.poll()

    def rate(self, source: str, network: float, pictures: float) -> None:
        """Tell how many frames per second the model sees of a stream, and how many there are."""
        self._rates[source] = network, pictures

    def poll(self) -> None:
        """Keep the window alive while no frame comes.

        Raises:
            StopRequested: ``q``, Escape, or the window was closed.
        """
        if self._act(cv2.waitKey(1)) == PAUSE:
            self._pause()

    def close(self, ok: bool = True, ending: Ending = Ending.END) -> list[str]:
        """Close the windows."""
        for source in self._live:
            with contextlib.suppress(cv2.error):  # the user may have closed it
                cv2.destroyWindow(self._window(source))
        if self._live:
            cv2.waitKey(1)
        self._live.clear()
        saved, self._saved = self._saved, []
        return [f"saved {path}" for path in saved]

    def _window(self, source: str) -> str:
        return f"{self._title}: {source}"

    def _wait_for(self, result: Result) -> None:
        source = result.frame.source
        if self._live.get(source, True) or source not in self._shown:
            return
        due = self._shown[source] + result.frame.seconds - self._seconds[source]
        while (left := due - time.monotonic()) > 0:
            if self._act(cv2.waitKey(max(1, min(round(left * 1000), round(_TURN * 1000))))) == PAUSE:
                self._pause()
                return

    def _pause(self) -> None:
        while self._act(cv2.waitKey(round(_TURN * 1000))) != PAUSE:
            pass

    def _act(self, key: int) -> int:
        """Do what a key (-1 for none) asks for, and pass it on."""
        key = key & 0xFF if key >= 0 else key
        if key in (QUIT, ESCAPE) or not self._visible():
            raise StopRequested
        if key == SAVE and self._last is not None:
            self._save(self._last)
        return key

    def _visible(self) -> bool:
        for source in self._live:
            try:
                if cv2.getWindowProperty(self._window(source), cv2.WND_PROP_VISIBLE) < 1:
                    return False
            except cv2.error:
                return False
        return True

    def _save(self, result: Result) -> None:
        stem = re.sub(r"[^\w.-]+", "-", Path(result.frame.source).stem).strip("-.") or "frame"
        name, number = f"{stem}-{result.frame.index:06d}.png", 1
        while os.path.lexists(name):
            number += 1
            name = f"{stem}-{result.frame.index:06d}-{number}.png"
        _, data = cv2.imencode(".png", cv2.cvtColor(result.annotated(), cv2.COLOR_RGB2BGR))
        try:
            with open(name, "xb") as file:
                file.write(np.asarray(data).tobytes())
        except OSError as error:
            raise UserError(f"{name}: cannot be saved ({error.strerror}); run from a folder with room") from None
        self._saved.append(Path(name))


def _write(picture: np.ndarray, text: str) -> None:
    """Write a line into the lower left corner, on a dark ground so that it is legible on anything."""
    height = picture.shape[0]
    font, scale, margin = cv2.FONT_HERSHEY_SIMPLEX, max(0.5, height / 900), max(4, height // 90)
    (width, ascent), descent = cv2.getTextSize(text, font, scale, 1)
    top = height - ascent - descent - 2 * margin
    picture[max(0, top) :, : width + 2 * margin] //= 3
    cv2.putText(picture, text, (margin, height - descent - margin), font, scale, (255, 255, 255), 1, cv2.LINE_AA)


def check_screen() -> None:
    """See that there is a screen; OpenCV would end the whole program where there is none.

    Raises:
        UserError: There is none.
    """
    if not sys.platform.startswith("linux"):
        return
    display, wayland = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if not display and not wayland:
        raise UserError("window: there is no screen (DISPLAY is not set); write a file with --output instead")
    if display and not wayland and not _answers(display):
        raise UserError(f"window: the screen {display} does not answer; check DISPLAY, or write a file with --output")


def _answers(display: str) -> bool:
    """Whether the X server lets us in; taken for granted where Xlib is not to be had."""
    try:
        xlib = ctypes.CDLL("libX11.so.6")
    except OSError:
        return True
    xlib.XOpenDisplay.restype = ctypes.c_void_p
    xlib.XCloseDisplay.argtypes = [ctypes.c_void_p]
    with _quiet_standard_error():
        handle = xlib.XOpenDisplay(display.encode())
    if handle:
        xlib.XCloseDisplay(handle)
    return bool(handle)


@contextlib.contextmanager
def _quiet_standard_error():  # type: ignore[no-untyped-def]
    """Send what C libraries write on standard error nowhere, for as long as a window takes to open."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
