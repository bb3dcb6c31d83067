"""Random numbers: seeds, generators, and what vmap promises about them."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import array

import lucid
import lucid.nn.functional as F
from lucid.func import grad, vmap

EXAMPLES = lucid.zeros(6, 4)

# Every random operation, for one example of shape (4,); `how` is generator=, or nothing.
DRAWS: dict[str, Callable[..., lucid.Tensor]] = {
    "rand": lambda x, **how: lucid.rand(3, **how),
    "randn": lambda x, **how: lucid.randn(3, **how),
    "rand_like": lambda x, **how: lucid.rand_like(x, **how),
    "randn_like": lambda x, **how: lucid.randn_like(x, **how),
    "randint": lambda x, **how: lucid.randint(0, 1000, (3,), **how),
    "randint_like": lambda x, **how: lucid.randint_like(x, 1000, **how),
    "randperm": lambda x, **how: lucid.randperm(5, **how),
    "bernoulli": lambda x, **how: lucid.bernoulli(x + 0.5, **how),
    "normal": lambda x, **how: lucid.normal(x, 1.0, **how),
    "uniform": lambda x, **how: lucid.uniform(x, 2.0, **how),
    "exponential": lambda x, **how: lucid.exponential(x + 3, **how),
    "poisson": lambda x, **how: lucid.poisson(x + 50, **how),
    "multinomial": lambda x, **how: lucid.multinomial(x + 1, 3, **how),
    "multinomial repeated": lambda x, **how: lucid.multinomial(x + 1, 9, True, **how),
    "dropout": lambda x, **how: F.dropout(x + 1, 0.5, **how),
    "uniform_": lambda x, **how: lucid.zeros(3).uniform_(**how),
    "normal_": lambda x, **how: lucid.zeros(3).normal_(**how),
    "exponential_": lambda x, **how: lucid.zeros(3).exponential_(2.0, **how),
    "bernoulli_": lambda x, **how: lucid.zeros(8).bernoulli_(0.5, **how),
}


@pytest.mark.parametrize("name", DRAWS)
def test_seed(name: str) -> None:
    f = DRAWS[name]
    lucid.manual_seed(7)
    first, second = f(EXAMPLES[0]), f(EXAMPLES[0])
    lucid.manual_seed(7)
    np.testing.assert_array_equal(array(f(EXAMPLES[0])), array(first))
    np.testing.assert_array_equal(array(f(EXAMPLES[0])), array(second))


@pytest.mark.parametrize("name", DRAWS)
def test_randomness(name: str) -> None:
    f = DRAWS[name]
    with pytest.raises(RuntimeError, match="random op"):
        vmap(f)(EXAMPLES)
    lucid.manual_seed(1)
    same = array(vmap(f, randomness="same")(EXAMPLES))
    assert (same == same[0]).all()
    lucid.manual_seed(1)
    different = array(vmap(f, randomness="different")(EXAMPLES))
    assert len({row.tobytes() for row in different}) > 1


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("chunk_size", [None, 1, 4])
@pytest.mark.parametrize("strategy", ["auto", "vectorized", "isolated"])
def test_same_bits_however_it_is_run(name: str, chunk_size: Any, strategy: Any) -> None:
    f = DRAWS[name]
    lucid.manual_seed(5)
    expected = array(vmap(f, randomness="different")(EXAMPLES))
    after = lucid.get_rng_state()
    lucid.manual_seed(5)
    mapped = vmap(f, randomness="different", chunk_size=chunk_size, strategy=strategy)
    np.testing.assert_array_equal(array(mapped(EXAMPLES)), expected)
    assert lucid.get_rng_state() == after


def test_lanes_do_not_depend_on_the_batch_size() -> None:
    def draw(count: int) -> Any:
        lucid.manual_seed(3)
        return array(vmap(lambda x: lucid.randn(2), randomness="different")(lucid.zeros(count)))

    np.testing.assert_array_equal(draw(3), draw(8)[:3])


def test_nested_modes() -> None:
    x = lucid.zeros(3, 2)
    lucid.manual_seed(0)
    inner_same = vmap(vmap(lambda v: lucid.rand(()), randomness="same"), randomness="different")(x)
    assert (inner_same[:, 0] == inner_same[:, 1]).all()
    assert inner_same[0, 0] != inner_same[1, 0]
    outer_same = vmap(vmap(lambda v: lucid.rand(()), randomness="different"), randomness="same")(x)
    assert (outer_same[0] == outer_same[1]).all()
    assert outer_same[0, 0] != outer_same[0, 1]
    with pytest.raises(RuntimeError, match="random op"):
        vmap(vmap(lambda v: lucid.rand(())), randomness="different")(x)


def test_generators() -> None:
    g, h = lucid.Generator(11), lucid.Generator(11)
    state = lucid.get_rng_state()
    a = lucid.randn(3, generator=g)
    assert lucid.equal(a, lucid.randn(3, generator=h))
    assert not lucid.equal(a, lucid.randn(3, generator=g))
    assert lucid.get_rng_state() == state
    g.manual_seed(11)
    assert lucid.equal(a, lucid.randn(3, generator=g))
    saved = g.get_state()
    b = lucid.rand(2, generator=g)
    assert lucid.equal(b, lucid.rand(2, generator=g.set_state(saved)))
    assert g.initial_seed() == 11
    assert lucid.manual_seed(4) is lucid.default_generator
    assert lucid.initial_seed() == 4


@pytest.mark.parametrize("name", DRAWS)
def test_generator_of_its_own(name: str) -> None:
    """A generator gives what the process would with its seed, which stays where it is."""
    f = DRAWS[name]
    lucid.manual_seed(11)
    expected = array(f(EXAMPLES[0]))
    g, state = lucid.Generator(11), lucid.get_rng_state()
    np.testing.assert_array_equal(array(f(EXAMPLES[0], generator=g)), expected)
    assert lucid.get_rng_state() == state
    assert g.get_state() == (11, 1)


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("randomness", ["different", "same"])
def test_generators_under_vmap(name: str, randomness: Any) -> None:
    g = lucid.Generator(2)

    def f(x: lucid.Tensor) -> tuple[lucid.Tensor, lucid.Tensor]:
        return DRAWS[name](x, generator=g), DRAWS[name](x, generator=g)

    with pytest.raises(RuntimeError, match="random op"):
        vmap(f)(EXAMPLES)
    lucid.manual_seed(2)
    expected = vmap(lambda x: (DRAWS[name](x), DRAWS[name](x)), randomness=randomness)(EXAMPLES)
    for options in [{}, {"chunk_size": 4}, {"strategy": "isolated"}]:
        g.manual_seed(2)
        drawn = vmap(f, randomness=randomness, **options)(EXAMPLES)
        for y, z in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(array(y), array(z))
        assert g.get_state() == (2, 2)


def test_draws_after_lanes_that_drew_unevenly() -> None:
    def f(n: lucid.Tensor) -> lucid.Tensor:
        total = lucid.zeros(())
        for _ in range(int(n)):
            total = total + lucid.rand(())
        return total

    for options in [{}, {"chunk_size": 2}, {"strategy": "isolated"}]:
        lucid.manual_seed(1)
        vmap(f, randomness="different", **options)(lucid.tensor([2, 0, 5, 1]))
        assert lucid.get_rng_state() == (1, 5)


def test_seed_from_the_system() -> None:
    drawn = lucid.seed()
    assert lucid.get_rng_state() == (drawn, 0)
    assert lucid.initial_seed() == drawn != lucid.seed()
    g = lucid.Generator()
    again = lucid.Generator(g.seed())
    assert g.initial_seed() == again.initial_seed()
    assert lucid.equal(lucid.rand(4, generator=g), lucid.rand(4, generator=again))
    lucid.manual_seed(0)


BAD = [
    (
        lambda: lucid.rand(2, generator=3),
        TypeError,
        "'generator' must be a lucid.Generator, not int",
    ),
    (lambda: lucid.rand(-2), ValueError, "rand"),
    (lambda: lucid.randint(3, 3, (2,)), ValueError, "low must be below high, not 3 and 3"),
    (lambda: lucid.randperm(-1), ValueError, "randperm: n must be >= 0, not -1"),
    (lambda: lucid.bernoulli(lucid.tensor([1])), TypeError, "bernoulli: dtype"),
    (lambda: lucid.poisson(lucid.tensor([1])), TypeError, "poisson: dtype"),
    (
        lambda: lucid.poisson(lucid.tensor([1.0, -2.0])).tolist(),
        ValueError,
        "a number >= 0, not -2",
    ),
    (lambda: lucid.zeros(3).exponential_(0.0), ValueError, "lambd must be above 0, not 0"),
    (
        lambda: lucid.multinomial(lucid.ones(3), 4),
        ValueError,
        "number of samples must be from 1 to 3",
    ),
    (lambda: lucid.multinomial(lucid.ones(3), 0, True), ValueError, "number of samples"),
    (lambda: lucid.multinomial(lucid.ones(()), 1), ValueError, "multinomial: the probabilities"),
    (lambda: lucid.multinomial(lucid.tensor([1]), 1), TypeError, "multinomial: dtype"),
    (lambda: F.dropout(lucid.ones(3), 1.5), ValueError, "p must be from 0 to 1, not 1.5"),
    (lambda: lucid.manual_seed("x"), TypeError, "a seed of random numbers must be an int, not str"),
    (lambda: lucid.set_rng_state((1,)), TypeError, "a pair"),
    (lambda: lucid.Generator("x"), TypeError, "must be an int, not str"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case: int) -> None:
    call, error, phrase = BAD[case]
    with pytest.raises(error, match=re.escape(phrase)):
        call()
    assert lucid.rand(2).shape == (2,)


def test_states() -> None:
    lucid.manual_seed(0)
    lucid.rand(3)
    state = lucid.get_rng_state()
    a = lucid.rand(3)
    lucid.set_rng_state(state)
    assert lucid.equal(a, lucid.rand(3))


def test_distributions() -> None:
    lucid.manual_seed(0)
    u = array(lucid.rand(100_000))
    assert 0 <= u.min() < 0.001
    assert 0.999 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01
    z = array(lucid.randn(100_000, dtype=lucid.float64))
    assert z.dtype == np.float64
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1) < 0.02
    k = array(lucid.randint(-2, 3, (10_000,)))
    assert sorted(set(k.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(lucid.randperm(50).tolist()) == list(range(50))
    p = array(lucid.bernoulli(lucid.full((50_000,), 0.2)))
    assert abs(p.mean() - 0.2) < 0.01
    n = array(lucid.normal(3.0, 2.0, (50_000,)))
    assert abs(n.mean() - 3) < 0.05
    assert abs(n.std() - 2) < 0.05
    w = array(lucid.zeros(1000).uniform_(-1, 1))
    assert -1 <= w.min() < w.max() < 1


def test_multinomial() -> None:
    lucid.manual_seed(0)
    p = lucid.tensor([1.0, 0.0, 3.0, 4.0])
    k = array(lucid.multinomial(p, 40_000, replacement=True))
    np.testing.assert_allclose(np.bincount(k, minlength=4) / 40_000, p.numpy() / 8, atol=0.01)
    rows = array(lucid.multinomial(p.expand(5000, 4), 2))
    assert rows.shape == (5000, 2)
    assert (rows[:, 0] != rows[:, 1]).all()
    assert 1 not in rows
    np.testing.assert_allclose(
        np.bincount(rows[:, 0], minlength=4) / 5000, p.numpy() / 8, atol=0.03
    )
    assert sorted(lucid.ones(5).multinomial(5).tolist()) == list(range(5))
    with pytest.raises(ValueError, match="number of samples"):
        lucid.multinomial(p, 5)


def test_shapes_and_dtypes() -> None:
    assert lucid.rand(2, 3).shape == lucid.randn((2, 3)).shape == (2, 3)
    assert lucid.randint(5, (2,)).dtype == lucid.int64
    assert lucid.randint(0, 5, size=(2, 2), dtype=lucid.int32).dtype == lucid.int32
    assert lucid.rand(2, dtype=lucid.float64).dtype == lucid.float64
    assert lucid.rand(2, requires_grad=True).is_leaf


def test_gradients_flow_through_noise() -> None:
    lucid.manual_seed(0)
    g = vmap(grad(lambda s: (s * lucid.randn(3)).sum()), randomness="different")(lucid.ones(4))
    lucid.manual_seed(0)
    noise = vmap(lambda s: lucid.randn(3).sum(), randomness="different")(lucid.ones(4))
    np.testing.assert_allclose(array(g), array(noise), rtol=1e-6)


def test_dropout() -> None:
    x = lucid.ones(1000)
    assert F.dropout(x, 0.3, training=False).tolist() == x.tolist()
    kept = array(F.dropout(x, 0.3))
    assert set(np.round(kept, 5).tolist()) == {0.0, np.round(np.float32(1 / 0.7), 5)}
    assert F.dropout(x, 0.0).tolist() == x.tolist()
    assert F.dropout(x, 1.0).sum().item() == 0
