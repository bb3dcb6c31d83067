"""lucid beside other libraries: `make bench`, or `.venv-peers/bin/python bench/run.py [NAME...]`.

Every library that is installed gets a process of its own; all are pinned to the same cores and take
turns, so that whatever else the machine does hits them alike. Prints one table and writes it to
bench/results/. The exit status is 1 when results disagree, never for a slow run.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from workloads import WORKLOADS, Workload, find

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
C_WORKER = ROOT / "build" / "release" / "lucid_bench"
PYTHON = ("lucid", "jax", "torch")


@dataclass
class Row:
    """One workload on one system; times in seconds."""

    workload: str
    system: str
    first: float = 0.0
    median: float = 0.0
    low: float = 0.0  # quartiles
    high: float = 0.0
    peak: int = 0
    difference: float = 0.0  # from the first system, relative to the largest magnitude
    error: str = ""


class Worker:
    """A process that runs one workload on one system."""

    def __init__(self, system: str) -> None:
        self.system = system
        command = (
            [str(C_WORKER)]
            if system == "lucid (C)"
            else [sys.executable, str(HERE / "worker.py"), system]
        )
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, command: str) -> str:
        """The answer; RuntimeError when there is none."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer or answer.startswith("error"):
            raise RuntimeError(answer.removeprefix("error").strip() or "the process ended")
        return answer

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()


def systems() -> list[str]:
    found = [name for name in PYTHON if importlib.util.find_spec(name)]
    if C_WORKER.exists():
        found.insert(1 if "lucid" in found else 0, "lucid (C)")
    return found


def measure(work: Workload, names: list[str], rounds: int, seconds: float) -> list[Row]:
    rows = {name: Row(work.name, name) for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        load = f"load {work.name}"
        for i, x in enumerate(work.inputs()):
            path = Path(scratch) / f"{i}"
            x.tofile(path)
            load += f" {path} {x.dtype} {'x'.join(map(str, x.shape))}"
        workers = [Worker(name) for name in names]
        times: dict[str, list[float]] = {name: [] for name in names}
        results: dict[str, np.ndarray] = {}

        def each(step):
            for w in workers:
                if not rows[w.system].error:
                    try:
                        step(w, rows[w.system])
                    except RuntimeError as error:
                        rows[w.system].error = str(error)

        def begin(w, row):
            w.ask(load)
            row.first = float(w.ask("first"))
            w.ask(f"sample {seconds / 4}")  # warm-up

        def sample(w, row):
            times[w.system] += map(float, w.ask(f"sample {seconds}").split())

        def finish(w, row):
            row.peak = int(w.ask("peak"))
            path = Path(scratch) / "result"
            w.ask(f"save {path}")
            results[w.system] = np.fromfile(path, np.float32)

        each(begin)
        for _ in range(rounds):
            each(sample)
        each(finish)
        for w in workers:
            w.close()
    for name, taken in times.items():
        if taken and not rows[name].error:
            row = rows[name]
            row.median = statistics.median(taken)
            row.low, row.high = np.quantile(taken, [0.25, 0.75])
    compare(work, rows, results)
    return list(rows.values())


def compare(work: Workload, rows: dict[str, Row], results: dict[str, np.ndarray]) -> None:
    """Peers against the first lucid, and the lucids against each other."""
    first = next(iter(results), None)
    for name, y in results.items():
        want = results[first]
        if y.shape != want.shape:
            rows[name].difference = float("inf")
            continue
        scale = float(np.max(np.abs(want), initial=1e-30))
        rows[name].difference = float(np.max(np.abs(y - want), initial=0.0)) / scale


# --- what does not depend on a workload ----------------------------------------------------------


def import_times(name: str, runs: int = 7) -> list[float]:
    code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
    return [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        for _ in range(runs)
    ]


def distributions(name: str, seen: set[str]) -> set[str]:
    """The distribution and, recursively, what it needs (extras left out)."""
    if name in seen:
        return seen
    try:
        required = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(name)
    for line in required:
        if ";" not in line:
            match = re.match(r"[A-Za-z0-9_.-]+", line)
            if match:
                distributions(match.group(), seen)
    return seen


def installed_bytes(names: set[str]) -> int:
    files = {
        Path(str(f.locate())).resolve()
        for name in names
        for f in importlib.metadata.files(name) or []
        if not str(f).endswith(".pyc")
    }
    return sum(f.stat().st_size for f in files if f.exists())


def package_lines() -> list[list[str]]:
    lines = [["library", "version", "import ms", "installed MB", "with what it needs MB"]]
    for name in PYTHON:
        if not importlib.util.find_spec(name):
            continue
        own = {"jax", "jaxlib"} if name == "jax" else {name}
        lines.append(
            [
                name,
                importlib.metadata.version(name),
                f"{1e3 * statistics.median(import_times(name)):.1f}",
                f"{installed_bytes(own) / 1e6:.1f}",
                f"{installed_bytes(distributions(name, set())) / 1e6:.1f}",
            ]
        )
    return lines


# --- report --------------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    ms = 1e3 * seconds
    return f"{ms:.4f}" if ms < 0.1 else f"{ms:.3f}" if ms < 10 else f"{ms:.1f}"


def ratios(row: Row, rows: list[Row]) -> str:
    """This lucid's time over each peer's."""
    if not row.system.startswith("lucid"):
        return ""
    parts = [
        f"{row.median / peer.median:.2f} {peer.system}"
        for peer in rows
        if peer.workload == row.workload
        and not peer.system.startswith("lucid")
        and not peer.error
        and peer.median
    ]
    return ", ".join(parts)


def agreement(row: Row) -> str:
    ok = row.difference <= find(row.workload).tolerance
    return f"{row.difference:.0e}" if ok else f"DISAGREES {row.difference:.0e}"


def workload_lines(rows: list[Row]) -> list[list[str]]:
    lines = [
        [
            "workload",
            "system",
            "first ms",
            "median ms",
            "quartiles",
            "peak MB",
            "time over",
            "difference",
        ]
    ]
    for row in rows:
        if row.error:
            lines.append([row.workload, row.system, row.error, "", "", "", "", ""])
            continue
        spread = f"{milliseconds(row.low)} .. {milliseconds(row.high)}"
        lines.append(
            [
                row.workload,
                row.system,
                milliseconds(row.first),
                milliseconds(row.median),
                spread,
                f"{row.peak / 1e6:.0f}",
                ratios(row, rows),
                agreement(row),
            ]
        )
    return lines


def aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(lines: list[list[str]]) -> str:
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def machine(cores: list[int]) -> str:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = match.group(1) if match else model
    return f"{model}, {len(cores)} cores, {platform.system()} {platform.release()}"


def write_docs(where: str, packages: list[list[str]], table: list[list[str]]) -> None:
    names = "\n".join(f"- **{w.name}**: {w.text}" for w in WORKLOADS)
    text = f"""# Performance

Measured by `bench/run.py --write-docs` on {datetime.date.today()}: {where}.

Each library runs in a process of its own, pinned to the same cores; they take turns. A time is
that of one call with its evaluation, everything compiled or planned before; "first" is the first
call in the process, compilation included. JAX runs under `jit`. "Time over" is lucid's median
divided by the other library's; "difference" is the largest one between results, relative to the
largest magnitude.

{names}

{markdown(table)}

{markdown(packages)}
"""
    (ROOT / "docs" / "performance.md").write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads (all of them)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library")
    parser.add_argument("--seconds", type=float, default=0.4, help="of measuring in a turn")
    parser.add_argument("--cores", type=int, default=2, help="how many cores to pin to")
    parser.add_argument("--systems", nargs="*", help="only these")
    parser.add_argument("--no-packages", action="store_true", help="no import times and sizes")
    parser.add_argument("--write-docs", action="store_true", help="also docs/performance.md")
    args = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    os.sched_setaffinity(0, cores)
    chosen = args.systems or systems()
    rows: list[Row] = []
    for work in WORKLOADS:
        if not args.names or work.name in args.names:
            print(f"{work.name}: {work.text}", file=sys.stderr)
            rows += measure(work, chosen, args.rounds, args.seconds)
    packages = [] if args.no_packages else package_lines()
    where = machine(cores)
    table = workload_lines(rows)
    text = f"{where}\n\n{aligned(table)}\n" + (f"\n{aligned(packages)}\n" if packages else "")
    print(f"\n{text}", end="")

    results = HERE / "results"
    results.mkdir(exist_ok=True)
    stamp = f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}"
    (results / f"{stamp}.txt").write_text(text)
    (results / f"{stamp}.json").write_text(json.dumps([asdict(r) for r in rows], indent=1))
    if args.write_docs:
        write_docs(where, packages, table)
    wrong = [r for r in rows if not r.error and r.difference > find(r.workload).tolerance]
    for row in wrong:
        print(f"{row.workload}: {row.system} disagrees with the others", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
