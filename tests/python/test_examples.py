"""Every small example runs, says something, and finds its own results right."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


# test_main_job.py runs these.
MAIN = {"dp_digits", "plot_training"}
NAMES = sorted({path.stem for path in EXAMPLES.glob("*.py")} - MAIN)


def test_every_example_is_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text()
    names = [f"`{path.name}`" for path in EXAMPLES.glob("*.py")]
    names += [f"`c/{path.name}`" for path in (EXAMPLES / "c").glob("*.c")]
    assert [name for name in names if name not in table] == []


@pytest.mark.parametrize("name", NAMES)
def test_example(name, tmp_path):
    finished = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout
    assert finished.stderr == ""
