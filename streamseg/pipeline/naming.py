"""Sources of one run under names that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from streamseg.frame import Frame, StreamInfo
from streamseg.sources import Seekable, Source


def distinct_names(infos: Sequence[StreamInfo]) -> list[str]:
    """A name for each source: its own where no other has it, else with its folder, else with a number."""
    names = [info.name for info in infos]
    taken = Counter(names)
    names = [_with_folder(info) if taken[info.name] > 1 else info.name for info in infos]
    given: Counter[str] = Counter()
    distinct = []
    for name in names:
        given[name] += 1
        distinct.append(name if given[name] == 1 else f"{name} ({given[name]})")
    return distinct


def _with_folder(info: StreamInfo) -> str:
    if info.path is not None:
        return f"{info.path.parent.name}/{info.name}"
    if info.files:
        folder = info.files[0].absolute().parent
        # A folder of images is called after itself, one image after its file.
        return f"{(folder.parent if folder.name == info.name else folder).name}/{info.name}"
    return info.name


class Renamed:
    """A source under another name, which its frames carry too."""

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self.info = replace(source.info, name=name)
        self.losses = source.losses
        self.notes = source.notes

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._source:
            yield replace(frame, source=self.info.name)

    def begin_at(self, index: int, seconds: Fraction, is_it: Callable[[Frame], bool]) -> None:
        """Begin with a later frame, if the source can."""
        if isinstance(self._source, Seekable):
            self._source.begin_at(index, seconds, is_it)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def told_apart(sources: Sequence[Source]) -> list[Source]:
    """The sources, renamed where several are called the same."""
    names = distinct_names([source.info for source in sources])
    return [
        source if source.info.name == name else Renamed(source, name)
        for source, name in zip(sources, names, strict=True)
    ]
