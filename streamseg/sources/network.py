"""Network streams: RTSP, RTMP, HTTP, UDP and SRT, through FFmpeg."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from streamseg.errors import UserError
from streamseg.frame import Frame
from streamseg.media import formats, open_media, video_stream
from streamseg.sources.decoding import Decoder
from streamseg.sources.detach import detached
from streamseg.sources.hardware import accelerator, feed_sparingly

import av  # isort: skip  # after cv2, which decoding imports first

OPEN_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 10.0  # seconds without a packet, after which the connection counts as lost
GIVE_UP_AFTER = 60.0  # seconds of trying to reconnect
RECONNECTS = "reconnects"

# No "file" among them: whatever a playlist says, nothing local is opened.
_PROTOCOLS = "crypto,data,http,httpproxy,https,rtmp,rtmps,rtmpt,rtp,rtsp,rtsps,srt,srtp,tcp,tls,udp"
_ALWAYS_LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "udp", "srt")


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user, no password, no query (which may carry a token), no fragment."""
    scheme, _, rest = url.partition("://")
    rest = rest.rpartition("@")[2]  # the last one, since a password may hold another, or a slash
    return f"{scheme.lower()}://{rest.partition('?')[0].partition('#')[0]}"


class NetworkSource:
    """A stream from the network; live ones are reconnected to when they drop.

    Args:
        spec: The URL, with credentials where needed; they appear neither in ``info`` nor in a message.
        open_timeout: Seconds to wait for the first connection.
        read_timeout: Seconds without a packet after which a connection counts as lost.
        give_up_after: Seconds of trying to reconnect after which the stream counts as ended.
        codec: Who decodes, see :func:`streamseg.sources.hardware.accelerator`.
        deinterlace: Make interlaced frames whole pictures.

    Raises:
        UserError: The stream cannot be reached or holds no video.
    """

    def __init__(
        self,
        spec: str,
        *,
        open_timeout: float = OPEN_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        give_up_after: float = GIVE_UP_AFTER,
        codec: str = "software",
        deinterlace: bool = True,
    ) -> None:
        self.losses: Counter[str] = Counter()
        self.notes: list[str] = []
        self._url = spec
        self._name = without_credentials(spec)
        self._timeouts = (open_timeout, read_timeout)
        self._give_up_after = give_up_after
        self._accelerate = accelerator(codec)
        self._deinterlace = deinterlace
        self._closed = threading.Event()
        container, decoder = self._connect()
        self._connection: tuple[Any, Decoder] | None = (container, decoder)
        live = spec.partition("://")[0].lower() in _ALWAYS_LIVE or not container.duration
        self.info = decoder.info(live=live)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come, one pass only."""
        yield from detached(self._frames(), self._closed, self._name)

    def close(self) -> None:
        """Hang up; may be called twice and from another thread. The connection itself ends with the read it is in."""
        self._closed.set()

    def _connect(self) -> tuple[Any, Decoder]:
        options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": formats(network=True)}
        scheme = self._url.partition("://")[0].lower()
        if scheme in ("rtsp", "rtsps"):
            options |= {"rtsp_transport": "tcp"}
        try:
            container = open_media(self._url, self._accelerate, options=options, timeout=self._timeouts)
            feed_sparingly(container)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            # Only the bare reason, and no cause: FFmpeg's own message and traceback carry the URL with the password.
            reason = getattr(error, "strerror", None) or "not a stream that FFmpeg can read"
            if isinstance(error, av.error.ExitError):
                reason = f"no answer within {self._timeouts[0]:g} s"
            advice = "check the address, the credentials and the network"
            raise UserError(f"{self._name}: cannot be opened ({reason}); {advice}") from None
        stream = video_stream(container)
        if stream is None or stream.codec_context is None:
            container.close()
            raise UserError(f"{self._name}: holds no video that can be decoded; give another stream") from None
        # Frame threads hold back a frame per thread, which a live picture cannot afford.
        live = scheme in _ALWAYS_LIVE or not container.duration
        threads = "SLICE" if live else "AUTO"
        decoder = Decoder(container, stream, self._name, self.losses, threads=threads, deinterlace=self._deinterlace)
        if decoder.first is None:
            container.close()
            raise UserError(f"{self._name}: connected, but no picture came; check the stream in a player")
        return container, decoder

    def _frames(self) -> Iterator[Frame]:
        index = 0
        last_seconds = 0.0
        last_seen = time.monotonic()
        shift: Fraction | None = None
        time_base = self.info.time_base
        while self._connection is not None and not self._closed.is_set():
            container, decoder = self._connection
            try:
                for frame in decoder:
                    if shift is None:
                        # After a reconnect the stream's clock starts anew; ours goes on by the time that passed.
                        gap = Fraction(last_seconds + time.monotonic() - last_seen) if index else None
                        shift = gap - frame.pts * frame.time_base if gap is not None else Fraction(0)
                    pts = frame.pts
                    if shift or frame.time_base != time_base:
                        pts = round((frame.pts * frame.time_base + shift) / time_base)
                    frame = replace(frame, index=index, pts=pts, time_base=time_base)
                    last_seconds, last_seen = frame.seconds, time.monotonic()
                    yield frame
                    index += 1
                    if self._closed.is_set():
                        return
            finally:
                container.close()
            shift = None
            if not self.info.live:
                self.notes += decoder.notes
                if decoder.broke_off:
                    self.notes.append(f"cut off in the middle: the last good frame is at {last_seconds:.2f} s")
                return
            self._connection = self._reconnect()

    def _reconnect(self) -> tuple[Any, Decoder] | None:
        deadline = time.monotonic() + self._give_up_after
        pause = 0.5
        while time.monotonic() < deadline:
            if self._closed.wait(min(pause, max(0.0, deadline - time.monotonic()))):
                return None
            pause = min(pause * 2, 8.0)
            try:
                connection = self._connect()
            except UserError:
                continue
            self.losses[RECONNECTS] += 1
            return connection
        self.notes.append(f"the stream dropped and could not be reached again within {self._give_up_after:g} s")
        return None
