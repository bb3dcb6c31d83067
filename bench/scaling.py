"""Time against the size of the batch, of the example, of a matrix; on one core and on two."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measure import Worker, loading
from workloads import Input, Workload, rows


@dataclass
class Point:
    """Seconds of one call."""

    curve: str
    system: str
    cores: int
    size: int
    seconds: float


CURVES = ("batch size", "example size", "matrix size")


def batch(n: int) -> Workload:
    return Workload(f"batch size {n}", "chain", "", rows(n, 4))


def example(n: int) -> Workload:
    return Workload(f"example size {n}", "chain", "", rows(100, n))


def matrix(n: int) -> Workload:
    given = (Input((4000, n, n), "regular"), Input((4000, n)))
    return Workload(f"matrix size {n}", "solve", "", given)


def sizes(quick: bool) -> Iterator[tuple[str, int, Workload]]:
    top = 5 if quick else 7
    for power in range(top + 1):
        yield "batch size", 10**power, batch(10**power)
    for power in range(top - 1):
        yield "example size", 10**power, example(10**power)
    for n in (2, 8, 32) if quick else (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 31, 32, 33, 36, 40):
        yield "matrix size", n, matrix(n)


def measure_scaling(
    names: Sequence[str], cores: Sequence[int], quick: bool, seconds: float
) -> list[Point]:
    points = []
    with contextlib.ExitStack() as stack:
        workers = []
        for used in sorted({1, len(cores)}):
            for name in names:
                worker = Worker(name, cores[:used])
                stack.callback(worker.close)
                workers.append((worker, used))
        for curve, size, work in sizes(quick):
            print(f"  {work.name}", file=sys.stderr)
            with loading(work) as load:
                for worker, used in workers:
                    try:
                        worker.ask(load)
                        worker.ask("first")
                        times = [float(t) for t in worker.ask(f"sample {seconds}").split()]
                    except RuntimeError:
                        continue
                    points.append(
                        Point(curve, worker.system, used, size, sorted(times)[len(times) // 2])
                    )
    return points
