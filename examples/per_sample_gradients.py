"""The gradient of every example of a batch, in one call: which samples pull hardest on a model?

python examples/per_sample_gradients.py
"""

import lucid
from lucid.func import grad, vmap

SAMPLES, FEATURES, SPOILED = 200, 5, 4


def loss(weight, x, y):
    """Squared error of ONE sample: x (features), y ()."""
    return (x @ weight - y).square()


def main():
    lucid.manual_seed(0)
    truth = lucid.randn(FEATURES)
    x = lucid.randn(SAMPLES, FEATURES)
    y = x @ truth + 0.1 * lucid.randn(SAMPLES)
    y[:SPOILED] += 5.0  # the first few are wrong

    # Least squares, then the gradient of each sample's loss at the solution: (samples, features).
    weight = lucid.linalg.solve(x.T @ x, x.T @ y)
    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(weight, x, y)

    # The same by hand, and by a loop of single gradients.
    expected = 2 * (x @ weight - y)[:, None] * x
    looped = lucid.stack([grad(loss)(weight, x[i], y[i]) for i in range(SAMPLES)])
    assert (gradients - expected).abs().max() < 1e-4
    assert (gradients - looped).abs().max() < 1e-4
    # At the least squares solution they cancel.
    assert gradients.sum(0).abs().max() < 1e-2

    norms = gradients.norm(dim=1)
    suspects = norms.topk(SPOILED).indices.tolist()
    print(f"gradients      {tuple(gradients.shape)}, median norm {norms.sort().values[100]:.2f}")
    for i in suspects:
        print(f"sample {i:<4}    norm {norms[i]:.2f}")
    assert set(suspects) == set(range(SPOILED))


if __name__ == "__main__":
    main()
