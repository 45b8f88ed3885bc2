from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import textwrap
import time

import cv2
import pytest

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.sinks import WindowSink

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the screens of other systems cannot be made up")


@pytest.fixture
def screen():
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("needs Xvfb and xdotool")
    ours, theirs = os.pipe()
    # Without -noreset the server starts anew whenever its last client leaves, and throws out whoever comes just then.
    server = subprocess.Popen(
        ["Xvfb", "-noreset", "-displayfd", str(theirs), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[theirs],
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    with os.fdopen(ours) as said:
        yield f":{said.readline().strip()}"
    server.terminate()
    server.wait()


SHOW = """
    import sys, time
    import numpy as np
    from fractions import Fraction
    from streamseg.frame import Frame, StreamInfo
    from streamseg.instances import Instances
    from streamseg.result import Result
    from streamseg.sinks import StopRequested, WindowSink
    sink = WindowSink()
    sink.open(StreamInfo("my clip.mp4", 320, 240, Fraction(1, 20)))
    if len(sys.argv) > 2:
        sink.rate("my clip.mp4", float(sys.argv[2]), 20.0)
    start = time.monotonic()
    try:
        for k in range(int(sys.argv[1])):
            frame = Frame(np.full((240, 320, 3), (k % 256, 100, 200), np.uint8), k, k, Fraction(1, 20), "my clip.mp4")
            sink.write(Result(frame, Instances.empty(), lambda f, i: f.image))
            print(k, flush=True)
        print("end", round(time.monotonic() - start, 2), flush=True)
    except StopRequested:
        print("stopped", flush=True)
    print(sink.close())
"""


@pytest.fixture
def show(screen, tmp_path):
    """Start a program that shows so many frames, of which the model sees so many a second (of 20)."""
    children = []

    def start(*arguments):
        environment = {**os.environ, "DISPLAY": screen, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
        environment.pop("WAYLAND_DISPLAY", None)
        command = [sys.executable, "-c", textwrap.dedent(SHOW), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        children.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()


class ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    )


def click_close(screen, window):
    """What a window manager sends when somebody clicks on the cross."""
    xlib = ctypes.CDLL("libX11.so.6")
    xlib.XOpenDisplay.restype = ctypes.c_void_p
    xlib.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(xlib.XOpenDisplay(screen.encode()))
    protocols, delete = (xlib.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    message = ClientMessage(33, 0, 1, display, window, protocols, 32, (ctypes.c_long * 5)(delete))
    xlib.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    xlib.XCloseDisplay(display)


def find_window(screen):
    """The window's number; xdotool's own --sync now and then waits for ever."""
    command = ["xdotool", "search", "--onlyvisible", "--name", "my clip"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = subprocess.run(
            command, env={**os.environ, "DISPLAY": screen}, capture_output=True, text=True, timeout=10
        )
        if found.stdout.split():
            return found.stdout.split()[-1]
        time.sleep(0.1)
    raise TimeoutError("the window does not appear")


def press(screen, *keys):
    window = find_window(screen)
    for key in keys:
        if key == "close":
            click_close(screen, int(window))
            continue
        command = ["key", "--window", window, key]
        focused = ["xdotool", "windowfocus", window, *command]
        deadline = time.monotonic() + 60
        # A window that is on its way cannot be focused yet.
        while subprocess.run(focused, env={**os.environ, "DISPLAY": screen}, capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.3)


def test_a_recorded_stream_runs_no_faster_than_its_clock(show):
    output, error = show(11).communicate(timeout=60)
    assert float(output.split("end ")[1].split()[0]) >= 0.45
    assert error == ""


def test_q_quits(screen, show, tmp_path):
    child = show(100_000)
    child.stdout.readline()
    press(screen, "q")
    output, error = child.communicate(timeout=60)
    assert output.splitlines()[-2:] == ["stopped", "[]"]
    assert error == ""


def test_closing_the_window_quits(screen, show, tmp_path):
    child = show(100_000)
    child.stdout.readline()
    press(screen, "close")
    assert child.communicate(timeout=60)[0].splitlines()[-2:] == ["stopped", "[]"]


def test_space_pauses_and_s_saves_without_overwriting(screen, show, tmp_path):
    child = show(100_000)
    first = child.stdout.readline()
    press(screen, "space", "s", "s", "q")
    last = [int(line) for line in (first + child.communicate(timeout=60)[0]).splitlines() if line.isdigit()][-1]
    # Both pictures are of the frame at which it paused: the last that was let through, or the one after.
    saved = sorted(os.listdir(tmp_path))
    paused = int(saved[-1].removeprefix("my-clip-").removesuffix(".png"))
    assert paused in (last, last + 1)
    assert saved == [f"my-clip-{paused:06d}-2.png", f"my-clip-{paused:06d}.png"]
    assert cv2.imread(str(tmp_path / saved[0]))[0, 0].tolist() == [200, 100, paused % 256]


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg, to look at the screen")
@pytest.mark.parametrize(("network", "told"), [(5.0, True), (19.5, False)])
def test_the_rates_are_in_the_picture_where_the_model_sees_fewer_frames(screen, show, tmp_path, network, told):
    child = show(100_000, network)
    child.stdout.readline()
    press(screen, "space")
    grab = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "x11grab",
        "-draw_mouse",
        "0",
        "-i",
        screen,
        "-frames:v",
        "1",
        str(tmp_path / "screen.png"),
    ]
    subprocess.run(grab, check=True, timeout=60)
    press(screen, "q")
    child.communicate(timeout=60)
    bright = (cv2.imread(str(tmp_path / "screen.png")) > 180).all(axis=2)
    assert (int(bright.sum()) > 50) == told  # nothing else is bright


@pytest.mark.parametrize(("display", "message"), [(None, "no screen"), (":4711", "does not answer")])
def test_without_a_screen_it_is_one_line(monkeypatch, display, message):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    sink = WindowSink()
    with pytest.raises(UserError, match=message) as error:
        sink.open(StreamInfo("x", 64, 48, 1))
    assert "\n" not in str(error.value)
    assert sink.close(ok=False) == []
