"""Functions whose control flow depends on batched values: one run per path at any depth of
nesting, and the results of strategy="isolated", bit for bit."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import Array, close

import lucid
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, last_paths, linearize, psum, vjp, vmap

Function = Callable[..., Any]


def numbers(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    """Of both signs."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def counted(f: Function) -> tuple[Function, list[int]]:
    runs: list[int] = []

    def g(*args: Any) -> Any:
        runs.append(1)
        return f(*args)

    return g, runs


def isolated(f: Function, depth: int) -> Function:
    for _ in range(depth):
        f = vmap(f, strategy="isolated", randomness="different")
    return f


def slow(f: Function) -> Function:
    return vmap(f, strategy="isolated")


def same(a: Any, b: Any) -> None:
    assert a.dtype == b.dtype
    assert np.array_equal(a.numpy(), b.numpy(), equal_nan=True)


# -- the ways to ask -------------------------------------------------------------------------------

TABLE = [lucid.tensor([1.0, 2.0]), lucid.tensor([3.0, -4.0]), lucid.tensor([0.5, 0.25])]


def branch(x: Any) -> Any:
    return (x * x).sum() if x.sum() > 0 else -x[0]


def early_return(x: Any) -> Any:
    for i in range(2):
        if x[i] > 0.3:
            return x.sin().sum() + i
    return x.prod()


def newton(x: Any) -> Any:
    a = x[0].abs() + 0.1
    r = a * 0 + 1
    while (r * r - a).abs() > 1e-5:
        r = 0.5 * (r + a / r)
    return r


def steps(x: Any) -> Any:
    y = x.sum()
    for _ in range(int(x[0].abs() * 4)):
        y = y * 0.5 + x[1]
    return y


def lookup(x: Any) -> Any:
    return (TABLE[int(x[0].abs() * 100 % 3)] * x).sum()


def recursive(x: Any) -> Any:
    return x.sum() if x.abs().sum() < 0.5 else recursive(x * 0.6) + 1


def masked(x: Any) -> Any:
    return (x[x > 0] * 2).sum() + len(x[x < 0])


def item(x: Any) -> Any:
    return x * (2.0 if x[0].round().item() == 0 else -1.0)


FUNCTIONS: dict[str, Function] = {
    f.__name__: f for f in (branch, early_return, newton, steps, lookup, recursive, masked, item)
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("chunk_size", [None, 4])
def test_every_way_to_ask(name: str, chunk_size: Any) -> None:
    f = FUNCTIONS[name]
    x = lucid.tensor(numbers(30, 2))
    g, runs = counted(f)
    y = vmap(g, chunk_size=chunk_size)(x)
    paths = last_paths()
    same(y, isolated(f, 1)(x))
    if chunk_size is None:
        assert paths["runs"] == len(runs)
        assert sum(paths["lanes"]) == 30
        assert 2 <= len(runs) <= 12


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("depth", [2, 3])
def test_paths_are_shared_at_any_depth(name: str, depth: int) -> None:
    f = FUNCTIONS[name]
    shape = (2, 5, 6, 2)[-depth - 1 :]
    x = lucid.tensor(numbers(*shape))
    flat = x.reshape(-1, 2)
    g, flat_runs = counted(f)
    expected = vmap(g)(flat)
    nested, runs = counted(f)
    h = nested
    for _ in range(depth):
        h = vmap(h)
    y = h(x)
    close(y, expected.numpy().reshape(y.shape))
    assert len(runs) == len(flat_runs)  # one run per path, as if the lanes were one batch
    assert (last_paths()["runs"], last_paths()["alone"]) == (len(runs), 0)
    assert sum(last_paths()["lanes"]) == flat.shape[0]
    same(y, isolated(f, depth)(x))


# -- with derivatives, inside and outside ----------------------------------------------------------


def scalar(x: Any) -> Any:
    if x[0] > 0:
        return (x.sin() * x[0]).sum()
    return (x**3).sum() if x[1] > 0 else x.exp().prod()


NESTINGS: dict[str, Callable[[Any], Any]] = {
    "vmap vmap grad": lambda v: v(v(grad(scalar))),
    "vmap vmap hessian": lambda v: v(v(hessian(scalar))),
    "vmap vmap jacrev": lambda v: v(v(jacrev(scalar))),
    "vmap grad vmap": lambda v: v(grad(lambda r: v(scalar)(r).sum())),
    "vmap jacrev vmap": lambda v: v(jacrev(lambda r: v(scalar)(r))),
    "vmap jacfwd vmap": lambda v: v(jacfwd(lambda r: v(scalar)(r))),
    "vmap hessian vmap": lambda v: v(hessian(lambda r: (v(scalar)(r) ** 2).sum())),
    "vmap jvp vmap": lambda v: v(lambda r: jvp(v(scalar), (r,), (r * r,))[1]),
    "vmap vjp vmap": lambda v: v(lambda r: vjp(v(scalar), r)[1](r[:, 0])[0]),
    "vmap linearize vmap": lambda v: v(lambda r: linearize(v(scalar), r)[1](r.cos())),
    "grad vmap vmap": lambda v: grad(lambda x: (v(v(scalar))(x) ** 2).sum()),
    "grad vmap grad vmap": lambda v: grad(
        lambda x: (v(grad(lambda r: (v(scalar)(r) ** 2).sum()))(x) ** 2).sum()
    ),
    "vmap grad vmap grad": lambda v: v(grad(lambda r: (v(grad(scalar))(r) ** 2).sum())),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_with_derivatives(name: str) -> None:
    x = lucid.tensor(numbers(4, 5, 2, dtype=np.float64))
    y = NESTINGS[name](vmap)(x)
    close(y, NESTINGS[name](slow)(x))
    assert last_paths()["alone"] == 0


def test_derivatives_of_what_all_lanes_share() -> None:
    """A gradient by what is not mapped belongs to each outer lane, summed over its inner ones."""
    x = lucid.tensor(numbers(4, 5, 2, dtype=np.float64))
    w = lucid.tensor(numbers(2, seed=3, dtype=np.float64))

    def loss(w: Any, row: Any, v: Any) -> Any:
        return v(lambda e: (w * e).sin().sum() if (w * e).sum() > 0 else (w * w * e).sum())(
            row
        ).sum()

    for argument in (w, lucid.tensor(numbers(4, 2, dtype=np.float64))):
        dims = (None if argument is w else 0, 0)
        a = vmap(lambda w, row: grad(loss)(w, row, vmap), dims)(argument, x)
        b = vmap(lambda w, row: grad(loss)(w, row, slow), dims, strategy="isolated")(argument, x)
        close(a, b)


def test_nan_of_lanes_that_are_not_there_stays_out() -> None:
    x = lucid.tensor([[4.0, -1.0], [-9.0, 16.0]], dtype=lucid.float64)

    def f(v: Any) -> Any:
        return v.sqrt() if v > 0 else v * 0

    slopes = vmap(vmap(grad(f)))(x)
    close(slopes, [[0.25, 0.0], [0.0, 0.125]])
    close(vmap(grad(lambda r: vmap(f)(r).sum()))(x), slopes)
    close(grad(lambda m: vmap(vmap(f))(m).sum())(x), slopes)

    def row(o: Any) -> Any:
        return vmap(grad(lambda u: o[0].sqrt() * u if o[0] > 0 else u))(o)

    close(vmap(row)(x), [[2.0, 2.0], [1.0, 1.0]])


def test_the_outer_batch_parts_after_the_inner_one() -> None:
    """The inner lanes became tuples; then the outer function asks by itself, under grad too."""
    x = lucid.tensor(numbers(6, 4, 2, dtype=np.float64))

    def outer(row: Any, v: Any) -> Any:
        def inside(r: Any) -> Any:
            y = v(scalar)(r)
            total = y.sum()
            return (y * y).sum() if total > 1 else total

        g = grad(inside)(row)
        return g * 2 if g.sum() > 0 else g

    close(vmap(lambda r: outer(r, vmap))(x), slow(lambda r: outer(r, slow))(x))


# -- values from outside ---------------------------------------------------------------------------


def test_values_of_enclosing_batches_are_gathered() -> None:
    a, b = lucid.tensor(numbers(5)), lucid.tensor(numbers(7, seed=1))

    def outer(v: Function) -> Function:
        def row(p: Any) -> Any:
            q = p.exp()

            def one(r: Any) -> Any:
                if r > p:
                    return {"y": q * r, "p": p, "n": 1}
                return {"y": p - r if p > 0 else q, "p": q, "n": 2}

            return v(one)(b)

        return row

    g, f = slow(outer(slow))(a), vmap(outer(vmap))(a)
    assert last_paths()["runs"] == 3
    assert sum(last_paths()["lanes"]) == 35
    for key in ("y", "p", "n"):
        close(f[key], g[key])


def test_unanimous_outer_answers_cost_nothing() -> None:
    a, b = lucid.tensor([1.0, 2.0]), lucid.tensor(numbers(4))
    g, runs = counted(lambda r, p: r * p if p > 0 else r)
    vmap(lambda p: vmap(lambda r: g(r, p))(b))(a)
    assert len(runs) == 1
    assert last_paths() == {"runs": 1, "lanes": [8], "alone": 0}


def test_in_dims_out_dims_and_chunks_of_nested_batches() -> None:
    x = lucid.tensor(numbers(2, 5, 4))
    f: Function = lambda r: vmap(branch, in_dims=1, out_dims=0)(r)  # noqa: E731
    expected = vmap(f, in_dims=1, strategy="isolated")(x)
    same(vmap(f, in_dims=1)(x), expected)
    same(vmap(f, in_dims=1, out_dims=1)(x), expected.T)
    vector: Function = lambda e: e * 2 if e.sum() > 0 else -e  # noqa: E731
    chunked = vmap(lambda r: vmap(vector, 1, -1, chunk_size=3)(r), 1, 1, chunk_size=2)(x)
    same(chunked, vmap(lambda r: vmap(vector, 1, -1)(r), 1, 1, strategy="isolated")(x))


@pytest.mark.parametrize("modes", [("different", "different"), ("same", "different"),
                                   ("different", "same")])  # fmt: skip
def test_random_numbers_are_those_of_isolated_lanes(modes: Any) -> None:
    def f(x: Any) -> Any:
        y = lucid.rand(2) * x
        for _ in range(int(x[0].abs() * 3)):
            y = y + lucid.randn(2)
        return y if y.sum() > 0 else y - lucid.rand(1)

    x = lucid.tensor(numbers(4, 6, 2))
    results = []
    for strategy, chunk_size in (("isolated", None), ("auto", None), ("auto", 4)):
        lucid.manual_seed(11)
        inner: Any = vmap(f, randomness=modes[1], chunk_size=chunk_size, strategy=strategy)
        results.append(vmap(inner, randomness=modes[0], strategy=strategy)(x))
    same(results[1], results[0])
    same(results[2], results[0])


# -- bounds ----------------------------------------------------------------------------------------


def test_too_many_paths_are_run_one_by_one_with_a_warning() -> None:
    f: Function = lambda x: x * float(x)  # noqa: E731
    x = lucid.tensor(numbers(12))
    with pytest.warns(RuntimeWarning, match=r"max_paths=3 .*9 examples ran one by one"):
        y = vmap(f, max_paths=3)(x)
    close(y, x * x)
    assert last_paths() == {"runs": 12, "lanes": [1] * 12, "alone": 9}
    with pytest.warns(RuntimeWarning, match="max_paths=2") as seen:
        close(vmap(vmap(f, max_paths=2))(x.reshape(3, 4)), (x * x).reshape(3, 4))
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(vmap(branch, max_paths=2)(lucid.tensor(numbers(9, 2))),
              isolated(branch, 1)(lucid.tensor(numbers(9, 2))))  # fmt: skip
        with pytest.raises(RuntimeWarning):
            vmap(f, max_paths=2)(x)
    assert vmap(f)(x).shape == (12,)
    with pytest.raises(ValueError, match="max_paths must be an int >= 1, not 0"):
        vmap(f, max_paths=0)


def test_an_empty_batch_takes_the_path_of_ones() -> None:
    empty = lucid.zeros(0, 2)
    for f in FUNCTIONS.values():
        if f is not item:
            assert vmap(f)(empty).shape == (0,)
            assert vmap(f, strategy="isolated")(empty).shape == (0,)
    assert vmap(vmap(item), out_dims=2)(lucid.zeros(3, 0, 2)).shape == (0, 2, 3)
    assert vmap(lambda x: x.long() if x > 0 else x)(lucid.zeros(0)).dtype == lucid.int64
    with pytest.raises(RuntimeError, match="the batch is empty"):
        vmap(branch, strategy="vectorized")(empty)

    def endless(x: Any) -> Any:
        while x > 0:
            x = x + 1
        return x

    with pytest.raises(RuntimeError, match="the batch is empty, and .* 1000 answers"):
        vmap(endless)(lucid.zeros(0))
    assert vmap(endless)(lucid.zeros(3)).shape == (3,)


def test_recursion_without_end_unwinds() -> None:
    def deeper(x: Any) -> Any:
        return deeper(x * 2) if x.sum() < 1 else x

    with pytest.raises(RecursionError):
        vmap(vmap(deeper))(-lucid.ones(2, 3))
    assert vmap(vmap(deeper))(lucid.ones(2, 3)).tolist() == [[1.0] * 3] * 2


def test_an_exception_on_one_path_unwinds_all() -> None:
    def f(x: Any) -> Any:
        if x > 1:
            raise KeyError("this lane")
        return x if x > 0 else -x

    x = lucid.tensor([[0.5, -1.0], [2.0, 0.1]])
    with pytest.raises(KeyError, match="this lane"):
        vmap(vmap(f))(x)
    with pytest.raises(KeyError, match="this lane"):
        vmap(lambda r: grad(lambda q: vmap(f)(q).sum())(r))(x)
    assert vmap(vmap(f))(x * 0.1).shape == (2, 2)


def test_strategies_of_nested_batches() -> None:
    x = lucid.tensor(numbers(3, 4, 2))
    expected = isolated(branch, 2)(x)
    same(vmap(vmap(branch, strategy="isolated"))(x), expected)
    same(vmap(vmap(branch), strategy="isolated")(x), expected)
    for outer, inner in (
        ("auto", "vectorized"),
        ("vectorized", "auto"),
        ("vectorized", "vectorized"),
    ):
        with pytest.raises(RuntimeError, match='strategy="vectorized"'):
            vmap(vmap(branch, strategy=inner), strategy=outer)(x)  # type: ignore[arg-type]
    # What the vectorized one holds does not matter where nobody asks for it.
    b = lucid.tensor(numbers(4))
    f = vmap(lambda p: vmap(lambda r: p + (r if r > 0 else -r))(b), strategy="vectorized")
    close(f(b), b[:, None] + b.abs())


def test_shapes_of_paths_must_agree() -> None:
    x = lucid.tensor(numbers(3, 4))
    with pytest.raises(
        ValueError, match=r"result\['v'\] has shape \(2,\) on some lanes and \(3,\)"
    ):
        vmap(vmap(lambda v: {"v": lucid.ones(2 if v > 0 else 3) * v}))(x)
    with pytest.raises(ValueError, match=r"different structures .*\(\*, \*\)"):
        vmap(lambda v: (v, v) if v > 0 else v)(x[0])


def test_collectives_need_lanes_that_are_together() -> None:
    x = lucid.tensor(numbers(3, 4))
    f: Function = lambda v: psum(v, "o") if v > 0 else v  # noqa: E731
    with pytest.raises(RuntimeError, match="they have parted"):
        vmap(vmap(f), axis_name="o")(x)
    together = vmap(
        lambda r: vmap(lambda v: v * 2 if v > 0 else v)(psum(r, "o") - r), axis_name="o"
    )
    rest = x.sum(0) - x
    close(together(x), lucid.where(rest > 0, 2 * rest, rest))


def test_newton_with_a_plain_while_costs_a_run_per_trip_count() -> None:
    def root(a: Any) -> Any:
        r = a * 0 + 1
        trips = 0
        while (r * r - a).abs() > 1e-6 * a:
            r = 0.5 * (r + a / r)
            trips += 1
        return r, trips

    rng = np.random.default_rng(0)
    a = lucid.tensor(2.0 ** rng.uniform(2, 74, 10000), dtype=lucid.float64)
    r, trips = vmap(root)(a)
    assert last_paths()["runs"] == len(np.unique(trips.numpy())) <= 41
    assert np.abs(r.numpy() / np.sqrt(a.numpy()) - 1).max() < 1e-6
