"""Many recorded files, one after the other, each into a file of its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streamseg.errors import UserError
from streamseg.pipeline.outputs import make_folder, records_suffix
from streamseg.settings import Settings
from streamseg.sinks.kinds import is_folder
from streamseg.sources import expand
from streamseg.sources.kinds import is_recorded
from streamseg.sources.paths import is_pattern


@dataclass(frozen=True, slots=True)
class Job:
    """One file of many.

    Attributes:
        name: What it is called among the others.
        settings: For it alone.
    """

    name: str
    settings: Settings

    def make_folders(self) -> None:
        """Make the folders in which its files will lie.

        Raises:
            UserError: One cannot be made.
        """
        for path in (self.settings.output, self.settings.records, self.settings.tracks):
            if path is not None and not is_folder(path):
                try:
                    Path(path).parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise UserError(f"{path}: cannot make the folder for it: {error.strerror}") from None


def jobs_of(settings: Settings) -> list[Job] | None:
    """The single runs that the settings ask for; None where they ask for one run.

    They do where recorded files are named by a folder, a glob or one by one, nothing is shown, and all that is written
    goes into folders. Files keep their names, and the folders in which they lie apart: ``a.avi`` becomes ``a.mp4``, or
    ``a.avi.mp4`` where there is another ``a``. All images of a folder are one run.

    Raises:
        UserError: A folder or glob holds nothing, or an output folder cannot be made or is that of the sources.
    """
    written = [path for path in (settings.output, settings.records, settings.tracks) if path is not None]
    if settings.show or not written or not all(map(is_folder, written)):
        return None
    if not all(is_recorded(spec) for spec in settings.source):
        return None
    specs = expand(settings.source)
    if len(specs) == 1 and not any(Path(spec).is_dir() or is_pattern(spec) for spec in settings.source):
        return None
    for path, flag in ((settings.output, "--output"), (settings.records, "--records"), (settings.tracks, "--tracks")):
        if path is not None:
            make_folder(path, flag)
    return [_job(settings, spec, name) for spec, name in zip(specs, _names(specs), strict=True)]


def _job(settings: Settings, spec: str, name: Path) -> Job:
    """What becomes of one source; ``name`` has no suffix of its own."""

    def file(folder: str | None, suffix: str) -> str | None:
        return None if folder is None else str(Path(folder) / f"{name}{suffix}")

    images = Path(spec).is_dir() or is_pattern(spec)
    output = settings.output if images else file(settings.output, ".mp4")
    if output is not None and not images and os.path.exists(output) and os.path.samefile(output, spec):
        raise UserError(f"--output {settings.output}: is the folder of the sources; give another")
    own = replace(
        settings,
        source=(spec,),
        output=output,
        records=file(settings.records, records_suffix(settings)),
        tracks=file(settings.tracks, ".csv"),
        show=False,
    )
    return Job(spec, own)


def _names(specs: Sequence[str]) -> list[Path]:
    """Names without suffixes, all different, of the files that are written for sources."""
    paths = [Path(os.path.abspath(spec)) for spec in specs]
    paths = [path.parent if is_pattern(str(path)) else path for path in paths]  # all images that match
    top = Path(os.path.commonpath([path.parent for path in paths]))
    plain = [path.relative_to(top).with_suffix("") for path in paths]
    shared = Counter(str(name).casefold() for name in plain)

    def own(path: Path, name: Path) -> Path:
        alone = shared[str(name).casefold()] == 1 or path.suffix.lower() == ".mp4"
        return name if alone else path.relative_to(top)

    return [own(path, name) for path, name in zip(paths, plain, strict=True)]
