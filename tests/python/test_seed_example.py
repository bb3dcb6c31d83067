"""The example that opens the README."""

import numpy as np

import lucid
from lucid.func import grad, vmap


def test_per_sample_gradient() -> None:
    X = lucid.randn(32, 4)
    per_sample = vmap(grad(lambda x: (x**2).sum()))(X)
    assert per_sample.shape == (32, 4)
    np.testing.assert_allclose(per_sample.numpy(), 2 * X.numpy())
