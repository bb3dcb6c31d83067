"""One library in a process of its own, driven by bench/run.py: `worker.py lucid|jax|torch`.

Commands come on standard input, one a line, and each gets one line back (bench/c/worker.c obeys the
same ones):

    load NAME [FILE DTYPE SHAPE]...   the workload and its inputs, raw and row-major  -> ok
    first                             seconds of a call right after that
    sample SECONDS                    seconds of one call, measured over and over for so long
    save FILE                         writes the results of a call, raw               -> ok
    peak                              the most memory the process had, in bytes

`error ...` answers what cannot be done.
"""

import resource
import sys
import time

import numpy as np
import workloads

SHORTEST = 2e-4  # seconds of a run that the clock can be trusted with
MOST = 4096  # samples in one answer


def read_inputs(words):
    inputs = []
    for path, dtype, shape in zip(words[0::3], words[1::3], words[2::3], strict=True):
        sizes = [int(n) for n in shape.split("x")]
        inputs.append(np.fromfile(path, dtype).reshape(sizes))
    return inputs


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


def save(call, path):
    with open(path, "wb") as file:
        for y in call():
            file.write(np.ascontiguousarray(np.asarray(y)).tobytes())


def main():
    make = workloads.CALLS[sys.argv[1]]
    call = None
    for line in sys.stdin:
        words = line.split()
        answer = "ok"
        try:
            if words[0] == "load":
                call = make(words[1], read_inputs(words[2:]))
            elif words[0] == "first":
                start = time.perf_counter()
                call()
                answer = f"{time.perf_counter() - start:.9f}"
            elif words[0] == "sample":
                answer = sample(call, float(words[1]))
            elif words[0] == "save":
                save(call, words[1])
            elif words[0] == "peak":
                answer = str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
            else:
                answer = "error unknown command"
        except Exception as error:  # the driver reports it and goes on with the others
            answer = "error " + " ".join(f"{type(error).__name__}: {error}".split())
        print(answer, flush=True)


main()
