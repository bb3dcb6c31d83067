"""Compiled functions: recorded once, then run with other numbers, inside transforms and outside.

The other library runs the plain function.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracle import JAX, Case, Library
from test_operations import CASES, SMOOTH, both, gradients

from lucid import func


def compiled(lib: Library, f):
    return f if lib is JAX else func.compile(f)


def moved(case: Case) -> list[np.ndarray]:
    """Other numbers of the same kinds: what was recorded must not remember the first ones."""
    return [x * 1.05 if np.issubdtype(x.dtype, np.floating) else x for x in case.inputs]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_again_with_other_numbers(case: Case) -> None:
    def run(lib: Library, f):
        g = compiled(lib, f)
        return [g(*map(lib.tensor, x)) for x in (case.inputs, moved(case), case.inputs)]

    both(case, run)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_compiled_gradient(case: Case) -> None:
    def run(lib: Library, f):
        g = compiled(lib, gradients(case, lib, f))
        return [g(*map(lib.tensor, x)) for x in (case.inputs, moved(case))]

    both(case, run)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradient_of_compiled(case: Case) -> None:
    both(
        case,
        lambda lib, f: gradients(case, lib, compiled(lib, f))(*map(lib.tensor, case.inputs)),
    )


@pytest.mark.parametrize("case", SMOOTH, ids=str)
@pytest.mark.parametrize("outside", [False, True])
def test_vmap_of_gradient(case: Case, outside: bool) -> None:
    inputs = [np.stack([x, y]) for x, y in zip(case.inputs, moved(case), strict=True)]

    def run(lib: Library, f):
        if outside:
            return compiled(lib, lib.vmap(gradients(case, lib, f)))(*map(lib.tensor, inputs))
        return lib.vmap(gradients(case, lib, compiled(lib, f)))(*map(lib.tensor, inputs))

    both(case, run)
