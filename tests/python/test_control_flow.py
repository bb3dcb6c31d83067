"""cond, switch, while_loop, fori_loop, scan and map against plain Python, under every transform."""

import numpy as np
import pytest

import lucid
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap


def close(x, y, tolerance=1e-5):
    np.testing.assert_allclose(
        np.asarray(x.numpy()), np.asarray(y.numpy()), rtol=tolerance, atol=tolerance
    )


# -- values ---------------------------------------------------------------------------------------


def rnn(w, h0, xs):
    def step(h, x):
        h = {"h": lucid.tanh(w["a"] * h["h"] + w["b"] * x), "n": h["n"] + 1}
        return h, (h["h"] * x, h["n"])

    last, (ys, counts) = lucid.scan(step, {"h": h0, "n": 0}, xs)
    return last["h"].sum() + (ys * counts.unsqueeze(1)).sum()


def rnn_loop(w, h0, xs):
    h, total = h0, 0.0
    for t in range(xs.shape[0]):
        h = lucid.tanh(w["a"] * h + w["b"] * xs[t])
        total = total + (h * xs[t]).sum() * (t + 1)
    return h.sum() + total


def rnn_inputs():
    w = {"a": lucid.tensor(0.7), "b": lucid.tensor(1.3)}
    return w, lucid.randn(3), lucid.randn(5, 3)


TRANSFORMS = {
    "value": lambda f: f,
    "grad": lambda f: grad(f, argnums=(0, 1, 2)),
    "jacrev of grad": lambda f: jacrev(grad(f, argnums=1), argnums=2),
}
lucid.manual_seed(1)
XS = lucid.randn(5, 3)


def leaves(o):
    if isinstance(o, dict):
        return [x for v in o.values() for x in leaves(v)]
    if isinstance(o, tuple | list):
        return [x for v in o for x in leaves(v)]
    return [o]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_scan_is_the_loop(name):
    args = rnn_inputs()
    transform = TRANSFORMS[name]
    for a, b in zip(leaves(transform(rnn)(*args)), leaves(transform(rnn_loop)(*args)), strict=True):
        close(a, b, 1e-4)


def test_scan_hessian_and_vmap():
    w, _, _ = rnn_inputs()
    h = lucid.randn(4, 3)
    for of in (jacfwd, grad):
        f = vmap(lambda h: of(lambda h: rnn(w, h, XS))(h))  # noqa: B023
        g = vmap(lambda h: of(lambda h: rnn_loop(w, h, XS))(h))  # noqa: B023
        close(f(h), g(h), 1e-4)
    close(hessian(lambda h: rnn(w, h, XS))(h[0]), hessian(lambda h: rnn_loop(w, h, XS))(h[0]), 1e-4)


def test_scan_reverse_and_length():
    last, ys = lucid.scan(lambda c, x: (c * 2 + x, c), 1.0, lucid.tensor([1.0, 2.0]), reverse=True)
    assert last.item() == 9
    assert ys.tolist() == [4.0, 1.0]
    last, ys = lucid.scan(lambda c, _: (c + 1, c), 0, None, length=4)
    assert last.item() == 4
    assert ys.tolist() == [0, 1, 2, 3]
    last, ys = lucid.scan(lambda c, _: (c + 1, None), 0, None, length=0)
    assert last.item() == 0
    assert ys is None


def collatz(n):
    def step(c):
        m, k = c
        return lucid.cond(m % 2 == 0, lambda m: m // 2, lambda m: 3 * m + 1, m), k + 1

    return lucid.while_loop(lambda c: c[0] != 1, step, (n, 0))[1]


def test_each_lane_stops_when_it_is_done():
    n = lucid.arange(1, 30)

    def plain(n):
        k = 0
        while n != 1:
            n, k = (n // 2 if n % 2 == 0 else 3 * n + 1), k + 1
        return k

    want = [plain(int(i)) for i in n.tolist()]
    assert vmap(collatz)(n).tolist() == want
    assert vmap(vmap(collatz))(n[:28].reshape(4, 7)).tolist() == [
        want[i : i + 7] for i in range(0, 28, 7)
    ]
    assert vmap(collatz, chunk_size=5)(n).tolist() == want
    assert vmap(collatz, strategy="isolated")(n).tolist() == want


def power(x, n):
    """x ** n by a loop whose length is a value."""
    return lucid.fori_loop(0, n, lambda i, y: y * x, 1.0)


def test_while_derivatives_both_ways():
    x, n = lucid.tensor([1.5, 2.0, 0.5]), lucid.tensor([3, 0, 5])
    close(vmap(power)(x, n), lucid.tensor([3.375, 1.0, 0.03125]))
    slope = lucid.tensor([6.75, 0.0, 0.3125])
    close(vmap(grad(power))(x, n), slope)
    close(vmap(jacfwd(power))(x, n), slope)
    bend = lucid.tensor([9.0, 0.0, 2.5])
    close(vmap(grad(grad(power)))(x, n), bend)
    close(vmap(hessian(power))(x, n), bend)


@pytest.mark.parametrize("options", [{"checkpoint_every": 2}, {"max_steps": 9}])
def test_while_options(options):
    def f(x, n):
        return lucid.fori_loop(0, n, lambda i, y: lucid.sin(y * x), 1.0, **options)

    def plain(x, n):
        y = lucid.tensor(1.0)
        for _ in range(int(n)):
            y = lucid.sin(y * x)
        return y

    x, n = lucid.tensor([1.5, 2.0, 0.5]), lucid.tensor([3, 0, 7])
    close(vmap(grad(f))(x, n), vmap(grad(plain))(x, n))


def test_max_steps_bounds_the_loop():
    assert lucid.while_loop(lambda x: x > 0, lambda x: x + 1, 1, max_steps=5).item() == 6


def test_branches_keep_their_nan_to_themselves():
    def f(x):
        return lucid.cond(x > 0, lambda x: lucid.log(x), lambda x: x * 0, x)

    x = lucid.tensor([1.0, -1.0, 2.0])
    close(vmap(grad(f))(x), lucid.tensor([1.0, 0.0, 0.5]))


def test_vjp_and_jvp_agree():
    w, h, xs = rnn_inputs()
    _, tangent = jvp(lambda h: rnn(w, h, xs), (h,), (lucid.ones(3),))
    _, pull = vjp(lambda h: rnn(w, h, xs), h)
    close(tangent, pull()[0].sum())


def test_random_draws_differ_from_step_to_step():
    def walk(x):
        return lucid.scan(lambda c, _: (c + lucid.randn(()), lucid.randn(())), x, None, length=6)

    lucid.manual_seed(3)
    _, draws = walk(0.0)
    assert len(set(draws.tolist())) == 6
    x = lucid.zeros(4)
    kinds = {}
    for strategy in ("vectorized", "isolated", "auto"):
        lucid.manual_seed(3)
        kinds[strategy] = vmap(walk, randomness="different", strategy=strategy)(x)[1].tolist()
    assert kinds["vectorized"] == kinds["isolated"] == kinds["auto"]
    assert len({v for row in kinds["auto"] for v in row}) == 24


def test_python_control_flow_around_it():
    def f(x):
        y = lucid.fori_loop(0, 3, lambda i, y: y * x, 1.0)
        return y if x > 1 else -y

    x = lucid.tensor([2.0, 0.5])
    close(vmap(f)(x), lucid.tensor([8.0, -0.125]))
    close(vmap(vmap(f))(x.reshape(1, 2)), lucid.tensor([[8.0, -0.125]]))
    close(vmap(grad(f))(x), lucid.tensor([12.0, -0.75]))


# -- bad input ------------------------------------------------------------------------------------

X = lucid.ones(3)
BAD = [
    (lambda: lucid.cond(X > 0, abs, abs, X), ValueError, "must be one element"),
    (lambda: lucid.cond(True, abs, 3, X), TypeError, "function"),
    (
        lambda: lucid.cond(True, lambda x: x, lambda x: x[0], X),
        ValueError,
        r"float32 \(\) in false_fn and float32 \(3,\) in true_fn; branches must agree",
    ),
    (lambda: lucid.cond(True, lambda x: x, lambda x: x > 0, X), TypeError, "branches must agree"),
    (
        lambda: lucid.cond(True, lambda x: (x, x), lambda x: x, X),
        TypeError,
        r"true_fn returned \(\*, \*\) where false_fn returned \* \(\*: a tensor\)",
    ),
    (
        lambda: lucid.switch(0, [lambda x: x, lambda x: (x, x)], X),
        TypeError,
        r"branch 1 returned \(\*, \*\) where branch 0 returned \*",
    ),
    (
        lambda: lucid.switch(0, [lambda x: x, lambda x: x[0]], X),
        ValueError,
        r"float32 \(3,\) in branch 0 and float32 \(\) in branch 1",
    ),
    (lambda: lucid.cond(True, lambda x: "no", lambda x: x, X), TypeError, "returned"),
    (lambda: lucid.switch(0.5, [abs], X), TypeError, "must be an integer"),
    (lambda: lucid.switch(0, [], X), ValueError, "no branch"),
    (lambda: lucid.switch(0, [3], X), TypeError, "branch 0 must be a function"),
    (lambda: lucid.while_loop(lambda x: x, lambda x: x, 1.0), TypeError, "must give one bool"),
    (lambda: lucid.while_loop(lambda x: x > 0, lambda x: x, X), TypeError, "must give one bool"),
    (
        lambda: lucid.while_loop(lambda x: x < 9, lambda x: X, 1.0),
        ValueError,
        "a carry keeps its shape and dtype",
    ),
    (
        lambda: lucid.while_loop(lambda x: x < 9, lambda x: x + 0.5, 1),
        TypeError,
        "carry is int64 .* start from a float, such as 0.0",
    ),
    (lambda: lucid.while_loop(lambda x: x < 9, lambda x: (x, x), 1), TypeError, "body returned"),
    (lambda: lucid.while_loop(lambda x: x < 9, abs, 1, max_steps=0), ValueError, ">= 1"),
    (lambda: lucid.fori_loop(0.0, 3, lambda i, c: c, 1), TypeError, "must be an integer"),
    (lambda: lucid.fori_loop(0, X, lambda i, c: c, 1), ValueError, "one element"),
    (lambda: lucid.scan(lambda c, x: c, 1.0, X), TypeError, "pair"),
    (lambda: lucid.scan(lambda c, x: (c, x), 1.0, None), ValueError, "length"),
    (lambda: lucid.scan(lambda c, x: (c, x), 1.0, X, length=4), ValueError, "length is 4"),
    (lambda: lucid.scan(lambda c, x: (c, x), 1.0, (X, X[:2])), ValueError, "steps"),
    (lambda: lucid.scan(lambda c, x: (c, x), 1.0, lucid.tensor(1.0)), ValueError, "first dim"),
    (
        lambda: lucid.scan(lambda c, x: (X, x), 1.0, X),
        ValueError,
        "a carry keeps its shape and dtype",
    ),
    (lambda: lucid.map(3, X), TypeError, "function"),
    (lambda: lucid.map(lambda x: x, None), ValueError, "no tensor"),
    (lambda: lucid.fori_loop(0, 3, lambda i, c: c if c > 0 else -c, 1.0), RuntimeError, "use cond"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case):
    call, kind, phrase = BAD[case]
    with pytest.raises(kind, match=phrase):
        call()
    assert lucid.scan(lambda c, x: (c + x, c), 0.0, X)[0].item() == 3  # nothing is left behind


def test_exceptions_pass_through():
    def body(c):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        vmap(grad(lambda x: lucid.while_loop(lambda c: c < 3, body, x)))(X)
    escaped = []
    lucid.fori_loop(0, 2, lambda i, c: escaped.append(c) or c, 1.0)
    with pytest.raises(RuntimeError, match="escaped"):
        escaped[0] + 1


def test_what_a_body_cannot_keep_is_an_error():
    from lucid.func import custom_vmap, psum

    f = custom_vmap(lambda x: x)
    f.def_vmap(lambda size, in_batched, x: (x, 0))
    with pytest.raises(RuntimeError, match="loop body"):
        lucid.fori_loop(0, 2, lambda i, c: f(c), 1.0)
    summed = vmap(lambda x: lucid.fori_loop(0, 2, lambda i, c: psum(c, "b"), x), axis_name="b")
    with pytest.raises(RuntimeError, match="loop body"):
        summed(X)


def test_reverse_mode_inside_a_loop_says_what_it_needs():
    def f(x):
        def outer(i, c):
            return lucid.while_loop(lambda y: y < 5, lambda y: y * x, c)

        return lucid.fori_loop(0, 2, outer, 1.0)

    with pytest.raises(RuntimeError, match="max_steps"):
        grad(f)(lucid.tensor(2.0))


def test_numbers_that_are_the_same_are_one():
    def step(_, x):
        return (0.3 * x).sin() + (0.3 * x).cos()

    def run(x):
        return lucid.fori_loop(0, 9, step, x)

    text = str(lucid.explain(vmap(run))(lucid.ones(8)))
    assert "4 instructions an iteration" in text, text
    # the elements of a number that a vector is multiplied by, too: x, y and what is between them
    text = str(lucid.explain(vmap(run))(lucid.ones(8, 3)))
    assert "12 instructions an iteration" in text, text


def test_a_scan_of_no_steps_inside_a_loop():
    """Its steps read slices that nobody has."""

    def f(x, rows):
        def outer(i, c):
            inner = lucid.scan(lambda d, r: (d + (r * x).sum(), d), c, rows)[0]
            return inner * 2

        return lucid.fori_loop(0, 3, outer, x.sum())

    X = lucid.randn(5, 12)
    want = 8 * X.numpy().sum(1)
    shared = vmap(f, in_dims=(0, None))(X, lucid.zeros(0, 2, 12))
    np.testing.assert_allclose(shared.numpy(), want, rtol=1e-5, atol=1e-5)
    own = vmap(f)(X, lucid.zeros(5, 0, 2, 12))
    np.testing.assert_allclose(own.numpy(), want, rtol=1e-5, atol=1e-5)
