"""Runs workloads in processes of their own, in turns, and compares their results."""

from __future__ import annotations

import contextlib
import importlib.util
import mmap
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from workloads import Workload

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
C_WORKER = ROOT / "build" / "release" / "lucid_bench"
PEERS = {"JAX": "jax", "torch": "torch", "MLX": "mlx"}  # the name shown: the module
LONGEST = 60  # seconds that one command may take
LUCID = ("lucid", "lucid compiled", "lucid C")


@dataclass
class Row:
    """One workload on one system; times in seconds, memory in bytes."""

    workload: str
    system: str
    firsts: list[float] = field(default_factory=list)  # each in a process of its own
    times: list[float] = field(default_factory=list)
    peak: int = 0  # of the whole process
    working: int = 0  # above what it had before the first call
    dispatches: int = 0
    difference: float = 0.0  # from lucid's results, relative to the largest magnitude
    agrees: bool = True
    error: str = ""

    @property
    def first(self) -> float:
        return statistics.median(self.firsts) if self.firsts else 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.times) if self.times else 0.0

    @property
    def quartiles(self) -> tuple[float, float]:
        low, high = np.quantile(self.times, [0.25, 0.75])
        return float(low), float(high)

    @property
    def is_lucid(self) -> bool:
        return self.system in LUCID


class Worker:
    """A process that runs workloads on one system."""

    def __init__(self, system: str, cores: Sequence[int] | None = None) -> None:
        self.system = system
        name = system.lower().replace(" ", "-")
        command = (
            [str(C_WORKER)]
            if system == "lucid C"
            else [sys.executable, str(HERE / "worker.py"), name]
        )
        if cores:
            command = ["taskset", "-c", ",".join(map(str, cores)), *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.version = self.ask("ready")  # waits: an import must not run beside a measurement

    def ask(self, command: str) -> str:
        """The answer; RuntimeError when there is none."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], LONGEST)[0]:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"no answer to {command.split()[0]!r} in {LONGEST} seconds")
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer or answer.startswith("error"):
            raise RuntimeError(answer.removeprefix("error").strip() or "the process ended")
        return answer

    def close(self) -> None:
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def systems() -> tuple[list[str], dict[str, str]]:
    """Those that are here, and why the others are not."""
    found, missing = [], {}
    for name in ("lucid", "lucid compiled"):
        found.append(name)
    if C_WORKER.exists():
        found.append("lucid C")
    else:
        missing["lucid C"] = f"{C_WORKER.relative_to(ROOT)} is not built"
    for name, module in PEERS.items():
        if importlib.util.find_spec(module):
            found.append(name)
        else:
            missing[name] = "not installed" + (
                "; TORCH=1 make bench installs it" if name == "torch" else ""
            )
    import lucid

    if not hasattr(lucid.func, "compile"):
        found.remove("lucid compiled")
        missing["lucid compiled"] = "there is no lucid.func.compile"
    return found, missing


@contextlib.contextmanager
def loading(work: Workload) -> Iterator[str]:
    """The command that loads a workload, its inputs in files."""
    with tempfile.TemporaryDirectory() as scratch:
        command = f"load {work.kind}"
        for i, (x, dim) in enumerate(zip(work.inputs(), work.in_dims(), strict=True)):
            path = Path(scratch) / f"{i}"
            x.tofile(path)
            shape = "x".join(map(str, x.shape))
            command += f" {path} {x.dtype} {shape} {'-' if dim is None else dim}"
        yield command


def read_results(path: Path) -> list[np.ndarray]:
    results = []
    with path.open("rb") as file:
        while line := file.readline():
            dtype, count = line.split()
            results.append(np.fromfile(file, dtype.decode(), int(count)))
    path.unlink()
    return results


def first_call(worker: Worker) -> float:
    touch_memory()
    return float(worker.ask("first"))


def first_call_elsewhere(system: str, load: str) -> float:
    """In a process for this call alone."""
    worker = Worker(system)
    try:
        worker.ask(load)
        return first_call(worker)
    finally:
        worker.close()


def measure(
    work: Workload, workers: Sequence[Worker], rounds: int, seconds: float, firsts: int = 1
) -> list[Row]:
    """`firsts`: of the first calls, each in a process of its own; the workers' are one of them."""
    rows = {w.system: Row(work.name, w.system) for w in workers}
    results: dict[str, list[np.ndarray]] = {}

    def each(step: Callable[[Worker, Row], None]) -> None:
        for w in workers:
            if not rows[w.system].error:
                try:
                    step(w, rows[w.system])
                except RuntimeError as error:
                    rows[w.system].error = str(error)

    with loading(work) as load:

        def begin(w: Worker, row: Row) -> None:
            row.firsts = [first_call_elsewhere(w.system, load) for _ in range(firsts - 1)]
            w.ask(load)
            before = int(w.ask("memory").split()[1])
            row.firsts.append(first_call(w))
            w.ask(f"sample {seconds / 4}")  # warm-up
            row.peak = int(w.ask("memory").split()[0])
            row.working = max(0, row.peak - before)
            if row.is_lucid:
                row.dispatches = int(w.ask("dispatches"))

        def sample(w: Worker, row: Row) -> None:
            row.times += map(float, w.ask(f"sample {seconds}").split())

        def finish(w: Worker, row: Row) -> None:
            path = Path(load.split()[2]).parent / "results"
            w.ask(f"save {path}")
            results[w.system] = read_results(path)

        each(begin)
        for _ in range(rounds):
            each(sample)
        each(finish)
    compare(work, rows, results)
    return list(rows.values())


def touch_memory(size: int = 1 << 29) -> None:
    """Lets the machine have its memory. A virtual one gets pages from its host when it first writes
    to them, and gives those that are free back after a while; to get two megabytes takes
    milliseconds, to clear them a quarter of one. Whoever asks the kernel next gets the pages
    written here, and pays for the kernel's work alone.
    """
    with private_memory(size) as memory:
        memory[:: mmap.PAGESIZE] = bytes(len(range(0, size, mmap.PAGESIZE)))


def private_memory(size: int) -> mmap.mmap:
    """Of this process alone, as what malloc returns is, and in large pages if the kernel has them.
    Shared memory, which is what mmap gives when it is not told, consists of small pages: these are
    made of what is left between others, and the large ones stay with the host.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def alone(
    work: Workload, names: Sequence[str], rounds: int, seconds: float, firsts: int
) -> list[Row]:
    """Each system in a fresh process, so that first calls and memory are its own."""
    with contextlib.ExitStack() as stack:
        workers = []
        for name in names:
            worker = Worker(name)
            stack.callback(worker.close)
            workers.append(worker)
        return measure(work, workers, rounds, seconds, firsts)


# --- agreement -----------------------------------------------------------------------------------


def difference(work: Workload, y: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest one, relative to the largest magnitude; infinite: the sizes do not match."""
    if [a.size for a in y] != [a.size for a in want]:
        return float("inf")
    worst = 0.0
    for a, b in zip(y, want, strict=True):
        if a.size == 0:
            continue
        if work.random:
            levels = np.linspace(0.05, 0.95, 19)
            a, b = np.quantile(a, levels), np.quantile(b, levels)
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        scale = float(np.max(np.abs(b))) or 1.0
        keep = 1 - work.outliers  # without the few that may differ
        largest = np.quantile(apart, keep, method="lower") if work.outliers else np.max(apart)
        worst = max(worst, float(largest) / scale) if np.isfinite(largest) else float("inf")
    return worst


def compare(work: Workload, rows: dict[str, Row], results: dict[str, list[np.ndarray]]) -> None:
    """Each system with the first one."""
    first = next(iter(results.values()), [])
    # Quantiles of n draws from one distribution are within a few times n^-1/2 of each other.
    size = first[0].size if first else 1
    tolerance = 5 / size**0.5 if work.random else work.tolerance
    for name, y in results.items():
        rows[name].difference = difference(work, y, first)
        rows[name].agrees = rows[name].difference <= tolerance


def environment(cores: Sequence[int]) -> str:
    """The machine in words."""
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        match = re.search(r"model name\s*: (.*)", cpuinfo.read_text())
        model = match.group(1) if match else model
    policy = os.environ.get("OMP_WAIT_POLICY")
    return (
        f"{model}, {len(cores)} cores, {platform.system()} {platform.release()}, "
        f"load before {load}" + (f", OMP_WAIT_POLICY={policy}" if policy else "")
    )
