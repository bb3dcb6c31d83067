"""One library in a process of its own, driven by bench/measure.py: `worker.py lucid|jax|torch|mlx`.

Commands come on standard input, one a line, and each gets one line back (bench/c/worker.c obeys the
same ones):

    ready                                  -> the version of the library
    load KIND [FILE DTYPE SHAPE IN_DIM]... a workload and its inputs, raw and row-major; IN_DIM is
                                           - for what is not mapped                    -> ok
    first                                  seconds of a call right after that
    sample SECONDS                         seconds of one call, measured over and over for so long
    save FILE                              the results of a call: for each a line "DTYPE COUNT",
                                           then its elements                           -> ok
    memory                                 bytes: the most the process had, and what it has now
    dispatches                             of one call, for lucid

`error ...` answers what cannot be done.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
from pathlib import Path

import numpy as np

SHORTEST = 2e-4  # seconds of a run that the clock can be trusted with
MOST = 4096  # samples in one answer
VERSION_OF = {"lucid": "lucid", "jax": "jax", "torch": "torch", "mlx": "mlx.core"}


def read_inputs(words):
    arrays, in_dims = [], []
    for path, dtype, shape, dim in zip(*(words[i::4] for i in range(4)), strict=True):
        arrays.append(np.fromfile(path, dtype).reshape([int(n) for n in shape.split("x")]))
        in_dims.append(None if dim == "-" else int(dim))
    return tuple(in_dims), arrays


def sample(call, seconds):
    calls, times = 1, []
    end = time.perf_counter() + seconds
    while not times or (time.perf_counter() < end and len(times) < MOST):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        took = time.perf_counter() - start
        if took < SHORTEST:
            calls *= 2
            times.clear()
            continue
        times.append(took / calls)
    return " ".join(f"{t:.9f}" for t in times)


def leaves(y):
    if isinstance(y, tuple | list):
        for part in y:
            yield from leaves(part)
    else:
        yield np.asarray(y)


def save(call, path):
    with open(path, "wb") as file:
        for y in leaves(call()):
            file.write(f"{y.dtype} {y.size}\n".encode())
            file.write(np.ascontiguousarray(y).tobytes())


def memory():
    """VmHWM is of this program alone; getrusage would know of the parent's memory too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return "0 0"
    fields = dict(re.findall(r"(VmHWM|VmRSS):\s*(\d+) kB", status.read_text()))
    return " ".join(str(1024 * int(fields[name])) for name in ("VmHWM", "VmRSS"))


def main():
    system, _, how = sys.argv[1].partition("-")
    functions = importlib.import_module(f"functions_{system}")
    options = {"compiled": True} if how == "compiled" else {}
    call = None
    for line in sys.stdin:
        command, *words = line.split()
        answer = "ok"
        try:
            if command == "ready":
                answer = importlib.import_module(VERSION_OF[system]).__version__
            elif command == "load":
                call = None  # lets go of the last one's memory first
                if words[0] not in functions.KINDS:
                    raise ValueError("has no such function")
                call = functions.make(words[0], *read_inputs(words[1:]), **options)
            elif command == "first":
                start = time.perf_counter()
                call()
                answer = f"{time.perf_counter() - start:.9f}"
            elif command == "sample":
                answer = sample(call, float(words[0]))
            elif command == "save":
                save(call, words[0])
            elif command == "memory":
                answer = memory()
            elif command == "dispatches":
                before = functions.dispatches()
                call()
                answer = str(functions.dispatches() - before)
            else:
                answer = "error unknown command"
        except Exception as error:  # the driver reports it and goes on with the others
            answer = "error " + " ".join(f"{type(error).__name__}: {error}".split())
        print(answer, flush=True)


main()
