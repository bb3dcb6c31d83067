"""The cases of tests/vectors, which the C tests read too."""

import re
from typing import Any

import numpy as np
import pytest
from vectors import FOLDER, Case, call, read

import lucid
from lucid.func import last_paths

CASES = [(path.stem, case) for path in sorted(FOLDER.glob("*.txt")) for case in read(path)]
ERRORS: dict[str, Any] = {
    "ValueError": ValueError,
    "TypeError": TypeError,
    "IndexError": IndexError,
    "RuntimeError": RuntimeError,
    "DivergenceError": lucid.DivergenceError,
}


def check(case: Case, strategy: str | None, chunk_size: str | None) -> None:
    if case.error:
        error, phrase = case.error
        with pytest.raises(ERRORS[error], match=re.escape(phrase)):
            call(case, strategy, chunk_size)
        return
    results = call(case, strategy, chunk_size)
    if case.paths is not None and strategy in (None, "auto") and chunk_size in (None, "0"):
        assert last_paths()["runs"] == case.paths
    assert len(results) == len(case.outputs)
    for y, expected in zip(results, case.outputs, strict=True):
        assert y.dtype == expected.values.dtype
        assert y.shape == expected.values.shape
        if expected.tolerance == 0:
            np.testing.assert_array_equal(y, expected.values)
        else:
            np.testing.assert_allclose(y, expected.values, expected.tolerance, expected.tolerance)
    if case.draws is not None:
        assert lucid.get_rng_state() == (case.seed, case.draws)


@pytest.mark.filterwarnings("ignore:.*max_paths:RuntimeWarning")
@pytest.mark.parametrize(
    "case", [case for _, case in CASES], ids=[f"{file}-{case.name}" for file, case in CASES]
)
def test_vector(case: Case) -> None:
    for strategy in case.strategies:
        for chunk_size in case.chunk_sizes:
            check(case, strategy, chunk_size)
