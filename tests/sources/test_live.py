"""Cameras and network streams, the latter from servers on this machine."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import os
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from streamseg.errors import UserError
from streamseg.sources import open_source
from streamseg.sources.detach import detached
from streamseg.sources.network import NetworkSource


def test_a_camera_that_does_not_exist_is_one_line():
    ask = (
        "from streamseg.sources import open_source\n"
        "from streamseg.errors import UserError\n"
        "try: open_source('97')\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    assert done.stdout.startswith("camera 97: ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the device file is Linux's")
def test_a_camera_that_is_none_leaves_standard_error_alone(tmp_path):
    # A device file that is there but no camera: OpenCV itself is asked, and must keep quiet.
    fake = Path("/dev/video98")
    if os.getuid() != 0 or fake.exists():
        pytest.skip("needs root to make a device file")
    fake.touch()
    try:
        ask = "import sys\nfrom streamseg.sources import open_source\nopen_source('98')"
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    finally:
        fake.unlink()
    assert done.stderr.splitlines()[-1].startswith("streamseg.errors.UserError: camera 98: ")
    assert "WARN" not in done.stderr
    assert "ERROR" not in done.stderr


class Server:
    """Serves one file: whole with its length, or as an endless-looking stream that stops after a share of it."""

    def __init__(self, path: Path, *, live: bool, connections: int = 99) -> None:
        data = path.read_bytes()
        served = self.served = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if len(served) >= connections:
                    self.send_error(503)
                    return
                served.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                if not live:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://user:secret@127.0.0.1:{self.server.server_port}/{path.name}?token=secret"

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()


def test_a_recorded_file_over_http_is_not_live(clip):
    with Server(clip("a.mkv"), live=False) as server:
        source = open_source(server.url)
        frames = list(source)
    assert len(frames) == 10
    assert not source.info.live
    assert source.info.duration == pytest.approx(0.333, abs=0.01)
    assert "secret" not in source.info.name
    assert {frame.source for frame in frames} == {source.info.name}


def test_a_live_stream_that_drops_is_joined_again_and_its_clock_goes_on(clip):
    path = clip("a.ts", time_base=Fraction(1, 90000), pts=range(0, 30 * 3000, 3000), options={"g": "10"})
    with Server(path, live=True, connections=2) as server:
        source = NetworkSource(server.url, give_up_after=1.0)
        assert source.info.live
        frames = list(source)
    assert len(server.served) == 2
    assert len(frames) == 60
    assert [frame.index for frame in frames] == list(range(60))
    pts = [frame.pts for frame in frames]
    assert all(a < b for a, b in itertools.pairwise(pts))
    assert source.losses["reconnects"] == 1
    assert source.notes == ["the stream dropped and could not be reached again within 1 s"]


@pytest.mark.parametrize("url", ["rtsp://user:secret@127.0.0.1:9/x", "http://user:secret@127.0.0.1:9/x.mp4?k=secret"])
def test_an_unreachable_stream_is_one_line_without_credentials(url):
    with pytest.raises(UserError, match="cannot be opened") as error:
        open_source(url)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_server_without_video_is_one_line(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<html>" + "text " * 999)
    with Server(path, live=False) as server, pytest.raises(UserError, match="cannot be opened"):
        open_source(server.url)


def test_a_playlist_from_the_network_opens_no_local_file(tmp_path, clip):
    local = clip("local.ts", time_base=Fraction(1, 90000), pts=range(0, 30000, 3000))
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{local}\n#EXT-X-ENDLIST\n")
    with Server(path, live=False) as server, pytest.raises(UserError):
        open_source(server.url)


def test_closing_does_not_wait_for_a_read_that_hangs():
    closed, hanging = threading.Event(), threading.Event()

    def items():
        yield 1
        hanging.wait(30)
        yield 2

    taken = detached(items(), closed, "test")
    assert next(taken) == 1
    threading.Timer(0.2, closed.set).start()
    start = time.monotonic()
    assert list(taken) == []
    hanging.set()
    assert time.monotonic() - start < 20


def test_an_error_in_the_reader_comes_out():
    def items():
        yield 1
        raise OSError("unplugged")

    taken = detached(items(), threading.Event(), "test")
    assert next(taken) == 1
    with pytest.raises(OSError, match="unplugged"):
        next(taken)
