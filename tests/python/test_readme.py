"""The programs in README.md run, in both languages."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


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


def test_c(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    library = build()
    if compiler is None or not (library / "liblucid.so").exists():
        pytest.skip("needs a C compiler and a build with the shared library")
    assert len(blocks("c")) == 1
    source, program = tmp_path / "readme.c", tmp_path / "readme"
    source.write_text(blocks("c")[0])
    command = [compiler, "-std=c17", "-Wall", "-o", program, source, f"-I{ROOT / 'include'}"]
    command += [f"-L{library}", f"-Wl,-rpath,{library}", "-llucid"]
    subprocess.run(command, check=True)
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert len(out.splitlines()) == 32
