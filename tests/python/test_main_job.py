"""The main example, in Python and in C: the same job from the same seed."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def c_program() -> Path:
    """example_dp_digits of the build under test, else of the newest build."""
    if "LUCID_BUILD" in os.environ:
        return Path(os.environ["LUCID_BUILD"]) / "example_dp_digits"
    built = sorted(
        ROOT.glob("build/*/example_dp_digits"), key=lambda program: program.stat().st_mtime
    )
    if not built:
        pytest.skip("the C examples are not built: scripts/build.sh dev")
    return built[-1]


class Run:
    def __init__(self, command: list[str | Path], log: Path):
        # One thread: steps of a millisecond gain little from more, and lose much on a busy machine.
        finished = subprocess.run(
            [*command, "--log", log],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stderr
        # "accuracy  93.3 % of the held-out digits"
        self.said = dict(line.split(maxsplit=1) for line in finished.stdout.splitlines())
        with log.open(newline="") as file:
            self.log = list(csv.DictReader(file))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("dp_digits")


@pytest.fixture(scope="module")
def python_run(place) -> Run:
    program = ROOT / "examples" / "dp_digits.py"
    return Run([sys.executable, program, "--figure", place / "figure.png"], place / "python.csv")


@pytest.fixture(scope="module")
def c_run(place) -> Run:
    return Run([c_program()], place / "c.csv")


def test_python_learns_and_draws(python_run, place):
    assert float(python_run.log[-1]["accuracy"]) >= 0.9
    assert python_run.said["figure"] == str(place / "figure.png")
    assert (place / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_c_learns(c_run):
    assert float(c_run.log[-1]["accuracy"]) >= 0.9


def test_accountants_agree(python_run, c_run):
    """dp-accounting in Python, examples/c/rdp_accountant.h in C."""
    assert python_run.said["privacy"] == c_run.said["privacy"]


def test_steps_agree(python_run, c_run):
    """The same draws, so the same batches; values may differ by the rounding of two BLAS."""
    assert len(python_run.log) == len(c_run.log)
    for ours, theirs in zip(python_run.log, c_run.log, strict=True):
        step = int(ours["step"])
        assert ours["batch"] == theirs["batch"], step
        tolerance = 1e-5 if step <= 20 else 1e-3
        for column in ["loss", "mean_norm"]:
            assert float(ours[column]) == pytest.approx(float(theirs[column]), rel=tolerance), step


@pytest.mark.parametrize(("option", "value"), [("--steps", "0"), ("--clip", "x")])
def test_bad_options(option, value):
    for command in [[sys.executable, ROOT / "examples" / "dp_digits.py"], [c_program()]]:
        finished = subprocess.run(
            [*command, option, value], cwd=ROOT, capture_output=True, text=True
        )
        assert finished.returncode == 2
        assert option in finished.stderr
