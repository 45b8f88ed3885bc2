"""Who may import whom, as DESIGN.md has it; read from the import statements."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "streamseg"
GROUND = {
    "cores",
    "errors",
    "frame",
    "planes",
    "instances",
    "regions",
    "result",
    "masks",
    "motchallenge",
    "media",
    "timeline",
}
ROOMS = {"sources", "models", "tracking", "overlay", "sinks", "scenes"}
WINGS = {"training", "evaluation", "benchmark", "detections"}
ABOVE = {
    "rules": {"errors"},
    "settings": {"errors", "rules"},
    "segmenter": GROUND | {"models"},
    "pipeline": GROUND | ROOMS - {"scenes"} | {"settings", "segmenter"},
}
HEAVY = {"torch", "torchvision", "av", "cv2", "numpy", "scipy", "rich"}


def part_of(module: str) -> str:
    """``streamseg.sinks.video`` belongs to ``sinks``; the package itself to ``streamseg``."""
    return module.split(".")[1] if "." in module else module


def imports(file: Path) -> set[str]:
    """Full names of what a file imports from streamseg, imports for type checkers included."""
    package = ["streamseg", *file.relative_to(ROOT).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] == "streamseg"}


@functools.lru_cache
def edges() -> dict[str, set[str]]:
    """For each part of streamseg, the parts that it imports."""
    graph: dict[str, set[str]] = {}
    for file in ROOT.rglob("*.py"):
        part = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue  # the front door names everything
        graph.setdefault(part, set()).update({part_of(name) for name in imports(file)} - {part})
    return graph


def allowed(part: str) -> set[str]:
    if part in GROUND:
        return GROUND
    if part in ROOMS:
        return GROUND
    if part in WINGS:
        return GROUND | ROOMS | {"segmenter", "pipeline", "rules", "settings"} | WINGS
    if part == "cli":
        return {*edges(), "streamseg"}
    return ABOVE[part]


@pytest.mark.parametrize("part", sorted(edges()))
def test_no_part_imports_what_it_must_not_know(part):
    assert edges()[part] <= allowed(part)


def test_only_the_command_line_and_the_wings_know_the_wings():
    for part, known in edges().items():
        assert part in WINGS | {"cli"} or not known & WINGS


def module_edges() -> dict[str, set[str]]:
    """For each module of the wings, the modules of the wings that it imports."""
    files = {
        ".".join(("streamseg", *file.relative_to(ROOT).with_suffix("").parts)): file for file in ROOT.rglob("*.py")
    }
    wings = {name: file for name, file in files.items() if part_of(name) in WINGS}
    graph = {}
    for name, file in wings.items():
        known = imports(file)
        graph[name] = {one for full in known for one in (full, full.rpartition(".")[0]) if one in wings} - {name}
    return graph


@pytest.mark.parametrize("level", ["parts", "modules of the wings"])
def test_nothing_imports_itself_by_a_detour(level):
    # Training measures by evaluation, which reads training's data sets: as parts, the wings know each other.
    parts = {part: known - WINGS if part in WINGS else known for part, known in edges().items()}
    graph = parts if level == "parts" else module_edges()
    done: set[str] = set()

    def visit(part: str, way: tuple[str, ...]) -> None:
        assert part not in way, " -> ".join((*way, part))
        if part not in done:
            for known in sorted(graph.get(part, ())):
                visit(known, (*way, part))
            done.add(part)

    for part in sorted(graph):
        visit(part, ())


@pytest.mark.parametrize(
    "lines",
    [
        "import streamseg; dir(streamseg)",
        "import streamseg.cli.commands, streamseg.cli.flags; streamseg.cli.commands.main_parser().format_help()",
        "import streamseg.cli as cli; cli.main(['--crf', '99'])",
    ],
)
def test_help_and_mistakes_import_nothing_heavy(lines):
    code = f"import sys; {lines}; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert done.stdout.strip() == "[]"
