"""Checks the laws of the source tree that no compiler knows.

- An include points upward in the list of layers, or stays in its layer.
- What stands outside the core (the Python module, the examples) includes the public header alone.
- File names are unique, so that a name says which file is meant.
- A source file stays short enough to be read.
- No file names the host of a package registry: packages come by name, from wherever the machine's
  own client is set up to fetch them.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LAYERS = ["base", "graph", "prim", "transform", "ops", "engine", "cpu"]
PUBLIC = {"lucid.h", "lucid_elementwise.def"}
OUTSIDE_THE_CORE = ["python/src", "examples/c", "bench"]
MAX_LINES = 700

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
REGISTRY = re.compile(r"\b(pypi|pythonhosted|npmjs|anaconda|debian)\.(org|com|io|net)\b")


def project_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def includes(path: Path) -> Iterator[tuple[int, bool, str]]:
    """Line number, whether quoted, and name of each include of a file."""
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match[1] == '"', match[2]


def layer_of(name: str) -> str | None:
    first = name.split("/")[0]
    return first if first in LAYERS and "/" in name else None


def check_core_file(path: Path) -> Iterator[str]:
    own = path.parts[1]
    if own not in LAYERS:
        yield f"{path}: src/{own} is no layer; the layers are {' < '.join(LAYERS)}"
        return
    for number, quoted, name in includes(path):
        if name in PUBLIC or (not quoted and layer_of(name) is None):
            continue
        layer = layer_of(name)
        if layer is None:
            yield f'{path}:{number}: write "layer/file.h" for an internal header, not "{name}"'
        elif LAYERS.index(layer) > LAYERS.index(own):
            yield f'{path}:{number}: {own} may not include "{name}": {layer} stands below it'


def check_outside_file(path: Path) -> Iterator[str]:
    for number, quoted, name in includes(path):
        internal = (ROOT / "src" / name).exists() or layer_of(name) is not None
        if name in PUBLIC or (not quoted and not internal):
            continue
        if internal or not (ROOT / path.parent / name).exists():
            yield f'{path}:{number}: may include lucid.h and its own headers, not "{name}"'


def check_names(paths: list[Path]) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for path in paths:
        if path.suffix not in {".c", ".h", ".def", ".py", ".pyi"}:
            continue
        if path.stem in {"__init__", "conftest"}:
            continue
        if path.name in seen:
            yield f"{path}: the name is taken by {seen[path.name]}"
        seen.setdefault(path.name, path)


def check_text(path: Path) -> Iterator[str]:
    try:
        text = (ROOT / path).read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if REGISTRY.search(line):
            yield f"{path}:{number}: names the host of a package registry"
    lines = text.count("\n")
    # Stubs are written by a script.
    read_by_people = path.parts[0] in {"src", "python"} and path.suffix != ".pyi"
    if read_by_people and lines > MAX_LINES:
        yield f"{path}: {lines} lines; a file above {MAX_LINES} wants to be two"


def check_all() -> Iterator[str]:
    paths = project_files()
    yield from check_names(paths)
    for path in paths:
        yield from check_text(path)
        if path.suffix not in {".c", ".h", ".def"}:
            continue
        if path.parts[0] == "src":
            yield from check_core_file(path)
        elif any(path.is_relative_to(place) for place in OUTSIDE_THE_CORE):
            yield from check_outside_file(path)


def main() -> int:
    problems = list(check_all())
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
