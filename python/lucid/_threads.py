"""What the libraries below read from the environment when they are loaded: about threads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

# The BLAS belongs to lucid alone and computes on lucid's threads; its own would watch for work at
# first, on the processors that the first calls need.
BLAS = {"OPENBLAS_NUM_THREADS": "1"}
# A thread that waits for others watches for half a millisecond, then sleeps: it should not do so
# for ten while another thread, or another process, needs the processor.
OPENMP = {"GOMP_SPINCOUNT": "10000"}


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """What the user has said stays; afterwards all is as it was."""
    ours = {k: v for k, v in BLAS.items() if k not in os.environ}
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        ours |= OPENMP
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
