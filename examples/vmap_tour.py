"""vmap in ten steps: write a function of ONE example, get a function of a batch.

python examples/vmap_tour.py
"""

import lucid
from lucid.func import grad, vmap


def smooth(x, window):
    """ONE signal x (n), weighted by a window (k): (n - k + 1)."""
    k = window.shape[0]
    return lucid.stack([x[i : i + k] @ window for i in range(x.shape[0] - k + 1)])


def same(a, b):
    assert a.shape == b.shape, (a.shape, b.shape)
    assert (a - b).abs().max() < 1e-5


def mapped_axes():
    signals, windows = lucid.randn(5, 12), lucid.randn(5, 3)

    # 1. Each signal with the window of its own. The batch is the first axis of both.
    pairs = vmap(smooth)(signals, windows)
    same(pairs, lucid.stack([smooth(x, w) for x, w in zip(signals, windows, strict=True)]))

    # 2. One window for all: in_dims None.
    shared = vmap(smooth, in_dims=(0, None))(signals, windows[0])
    same(shared, lucid.stack([smooth(x, windows[0]) for x in signals]))

    # 3. The batch anywhere, in the arguments and in the results.
    last = vmap(smooth, in_dims=(1, None), out_dims=1)(signals.T, windows[0])
    same(last, shared.T)

    # 4. Every signal with every window: one vmap in another.
    table = vmap(vmap(smooth, in_dims=(None, 0)), in_dims=(0, None))(signals, windows)
    assert table.shape == (5, 5, 10)
    same(table.diagonal(dim1=0, dim2=1).T, pairs)

    # 5. A large batch in pieces: the same result in less memory.
    same(vmap(smooth, chunk_size=2)(signals, windows), pairs)
    print(f"smooth     {tuple(pairs.shape)} pairs, {tuple(table.shape)} table")


def structures():
    # 6. Arguments and results may be nested; in_dims follows their structure as far as it needs to.
    def affine(parameters, x):
        return {"y": parameters["scale"] * x + parameters["shift"], "x": x}

    parameters = {"scale": lucid.randn(4), "shift": lucid.tensor(1.0)}
    x = lucid.randn(4, 3)
    result = vmap(affine, in_dims=({"scale": 0, "shift": None}, 0))(parameters, x)
    same(result["y"], parameters["scale"][:, None] * x + 1)
    print(f"affine     {({name: tuple(value.shape) for name, value in result.items()})}")


def gradients():
    # 7. The gradient of each example by itself, instead of that of their sum.
    def loss(weight, x, y):
        return (x @ weight - y).square()

    weight, x, y = lucid.randn(3), lucid.randn(8, 3), lucid.randn(8)
    each = vmap(grad(loss), in_dims=(None, 0, 0))(weight, x, y)
    summed = grad(lambda w: vmap(loss, in_dims=(None, 0, 0))(w, x, y).sum())(weight)
    same(each.sum(0), summed)
    print(f"gradients  {tuple(each.shape)}, their sum is the gradient of the sum")


def control_flow():
    # 8. A function that decides by its values runs once for each way that some lane takes.
    def collatz(n):
        """How many steps from n to 1: halve an even number, 3 n + 1 for an odd one."""
        steps = 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        return steps

    steps = vmap(collatz)(lucid.arange(1, 9))
    assert steps.tolist() == [0, 1, 7, 2, 5, 8, 16, 3]
    print(f"collatz    {steps.tolist()}")


def random_numbers():
    # 9. Random numbers: say whether the lanes share a draw or have one each.
    def jitter(x):
        return x + lucid.rand(2)

    start = lucid.zeros(3, 2)
    lucid.manual_seed(1)
    shared = vmap(jitter, randomness="same")(start)
    lucid.manual_seed(1)
    own = vmap(jitter, randomness="different")(start)
    assert (shared == shared[0]).all()
    assert (own[0] != own[1]).all()

    # 10. The numbers of a lane do not depend on how the batch is run.
    for options in ({"chunk_size": 1}, {"strategy": "isolated"}):
        lucid.manual_seed(1)
        assert (vmap(jitter, randomness="different", **options)(start) == own).all()
    print(f"jitter     {own[0].tolist()} is lane 0, however the batch is run")


if __name__ == "__main__":
    lucid.manual_seed(0)
    mapped_axes()
    structures()
    gradients()
    control_flow()
    random_numbers()
