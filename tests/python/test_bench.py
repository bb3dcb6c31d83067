"""The benchmark works without the libraries that lucid is compared with."""

import json
import mmap
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
sys.path.insert(0, str(BENCH))

import functions_lucid  # noqa: E402
import measure  # noqa: E402
import workloads  # noqa: E402


def test_one_small_workload(tmp_path):
    command = [sys.executable, str(BENCH / "run.py"), "--only", "W1", "--quick"]
    command += ["--systems", "lucid", "--no-neighbours", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [table] = tmp_path.glob("*.txt")
    [kept] = tmp_path.glob("*.json")
    [picture] = tmp_path.glob("*.png")
    assert table.read_text() in done.stdout
    [row] = json.loads(kept.read_text())["workloads"]
    assert row["dispatches"] == 1
    assert row["agrees"]
    assert len(row["firsts"]) == 1
    assert all(t > 0 for t in [*row["firsts"], *row["times"]])
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_first_calls_come_from_processes_of_their_own(monkeypatch):
    monkeypatch.setattr(measure, "touch_memory", lambda: None)
    started = []

    class Counted(measure.Worker):
        def __init__(self, system):
            super().__init__(system)
            started.append(self)

    monkeypatch.setattr(measure, "Worker", Counted)
    [row] = measure.alone(workloads.find("W1"), ["lucid"], 1, 0.01, firsts=3)
    assert not row.error
    assert len({w.process.pid for w in started}) == len(started) == 3
    assert all(w.process.poll() is not None for w in started)
    assert len(row.firsts) == 3
    assert row.first == sorted(row.firsts)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of the process")
def test_memory_is_touched_as_programs_do():
    def kilobytes(field):
        return int(re.search(field + r":\s*(\d+)", Path("/proc/self/status").read_text())[1])

    size = 32 << 20
    before = {field: kilobytes(field) for field in ("RssAnon", "RssShmem")}
    with measure.private_memory(size) as memory:
        memory[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
        more = {field: kilobytes(field) - n for field, n in before.items()}
    assert more["RssAnon"] > size * 0.9 / 1024
    assert more["RssShmem"] < size * 0.1 / 1024


ALL_WORKLOADS = [
    work for main in workloads.WORKLOADS for work in (main, *workloads.around(main.name))
]


@pytest.mark.parametrize("work", ALL_WORKLOADS, ids=lambda w: w.name)
def test_every_workload_is_said_for_lucid(work):
    assert work.kind in functions_lucid.KINDS
    assert len(work.in_dims()) == len(work.given)


def agreement(work, *results):
    rows = {name: measure.Row(work.name, name) for name in ("lucid", "JAX")}
    measure.compare(work, rows, dict(zip(rows, results, strict=True)))
    return [row.agrees for row in rows.values()]


def test_a_wrong_result_is_seen():
    work = workloads.find("W1")
    y = np.ones(4, np.float32)
    assert agreement(work, [y], [y + 1e-6]) == [True, True]
    assert agreement(work, [y], [y + np.array([0, 0, 0, 1e-3])]) == [True, False]
    assert agreement(work, [y], [y * np.nan]) == [True, False]
    assert agreement(work, [y], [y[:3]]) == [True, False]
    assert agreement(work, [y], [y, y]) == [True, False]


def test_a_few_may_differ_where_the_workload_says_so():
    work = workloads.find("W8")
    y = np.arange(1000)
    few, many = y.copy(), y.copy()
    few[:5] += 50
    many[:50] += 50
    assert agreement(work, [y], [few]) == [True, True]
    assert agreement(work, [y], [many]) == [True, False]


def test_random_results_are_compared_by_their_distribution():
    work = workloads.find("W11")
    rng = np.random.default_rng(0)
    y = rng.uniform(50, 150, 10_000)
    assert agreement(work, [y], [rng.permutation(y)]) == [True, True]
    assert agreement(work, [y], [rng.uniform(50, 170, 10_000)]) == [True, False]
