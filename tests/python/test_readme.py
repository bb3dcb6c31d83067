"""The programs in README.md, docs/explain.md and at the top of lucid.h run."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven"]
EXPLAIN = (ROOT / "docs/explain.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def build() -> Path:
    """The build under test, else the newest one."""
    if "LUCID_BUILD" in os.environ:
        return Path(os.environ["LUCID_BUILD"])
    built = sorted(ROOT.glob("build/*/liblucid.so"), key=lambda library: library.stat().st_mtime)
    if not built:
        pytest.skip("the C library is not built: scripts/build.sh dev")
    return built[-1].parent


def test_python() -> None:
    assert len(blocks("python")) == 1
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert names["per_sample"].shape == (32, 4)


def test_explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture in the docs has as many cards as the program has dispatches."""
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python", EXPLAIN)
    names: dict[str, Any] = {}
    exec(program, names)
    assert (tmp_path / "explain.svg").read_text() == names["explanation"].svg
    picture = (ROOT / "docs/explain.svg").read_text()
    assert picture.count('<rect class="step"') == names["explanation"].dispatches
    assert f"![{NUMBERS[names['explanation'].dispatches]} cards" in EXPLAIN


def header_example() -> str:
    """The program that lucid.h begins with; the last brace in its column ends it."""
    top = (ROOT / "include/lucid.h").read_text().partition(" */\n")[0]
    (program,) = re.findall(r"^ \*     static .*^ \*     }$", top, re.DOTALL | re.MULTILINE)
    return "#include <lucid.h>\n" + re.sub(r"^ \*( {5})?", "", program, flags=re.MULTILINE) + "\n"


@pytest.mark.parametrize("text", [*blocks("c"), header_example()], ids=["README.md", "lucid.h"])
def test_c(tmp_path: Path, text: str) -> None:
    compiler = shutil.which("cc")
    library = build()
    if compiler is None or not (library / "liblucid.so").exists():
        pytest.skip("needs a C compiler and a build with the shared library")
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(text)
    command = [compiler, "-std=c17", "-Wall", "-o", program, source, f"-I{ROOT / 'include'}"]
    command += [f"-L{library}", f"-Wl,-rpath,{library}", "-llucid"]
    subprocess.run(command, check=True)
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert len(out.splitlines()) == 32
