"""x[index] and x[index] = value mean what NumPy means by them, for random indices."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import Array, same

import lucid
from lucid.func import grad, vmap

SHAPE = (3, 4, 2, 5)
X = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


def positions(size: int) -> st.SearchStrategy[int]:
    return st.integers(-size, size - 1)


def slices(size: int) -> st.SearchStrategy[slice]:
    bound = st.none() | st.integers(-size - 2, size + 2)
    return st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, -1, -2, 3]))


@st.composite
def arrays(draw: st.DrawFn, size: int) -> Array:
    """Indices whose shapes always broadcast: parts of (2, 3)."""
    shape = draw(st.sampled_from([(), (3,), (1,), (2, 1), (2, 3)]))
    count = int(np.prod(shape))
    values = draw(st.lists(positions(size), min_size=count, max_size=count))
    return np.array(values, dtype=np.int64).reshape(shape)


@st.composite
def indices(draw: st.DrawFn, advanced: bool) -> tuple[Any, ...]:
    """An index of any kind of items for a tensor of shape SHAPE."""
    count = draw(st.integers(0, len(SHAPE)))
    skipped = draw(st.booleans())
    at = draw(st.integers(0, count)) if skipped else count
    items: list[Any] = []
    for i in range(count):
        dim = i if i < at else len(SHAPE) - count + i
        kinds = [positions(SHAPE[dim]), slices(SHAPE[dim])]
        if advanced:
            kinds += [arrays(SHAPE[dim])] * 2
        items.append(draw(st.one_of(kinds)))
        if draw(st.integers(0, 5)) == 0:
            items.append(None)
    if skipped:
        where = sum(1 for item in items[: _nth_item(items, at)])
        items.insert(where, ...)
    return tuple(items)


def _nth_item(items: list[Any], n: int) -> int:
    """Where the n-th item that stands for a dim is, not counting None."""
    seen = 0
    for i, item in enumerate(items):
        if seen == n:
            return i
        seen += item is not None
    return len(items)


def ours(index: tuple[Any, ...], how: int) -> Any:
    """The same index with tensors, arrays or lists for its arrays."""

    def convert(a: Array) -> Any:
        return (lucid.tensor(a), a, a.tolist() if a.ndim else int(a))[how]

    items = tuple(convert(i) if isinstance(i, np.ndarray) else i for i in index)
    return items[0] if len(items) == 1 else items


@settings(max_examples=300, deadline=None)
@given(indices(advanced=False))
def test_get_basic(index: tuple[Any, ...]) -> None:
    same(lucid.tensor(X)[ours(index, 0)], X[index])


@settings(max_examples=400, deadline=None)
@given(indices(advanced=True), st.integers(0, 2))
def test_get_advanced(index: tuple[Any, ...], how: int) -> None:
    same(lucid.tensor(X)[ours(index, how)], X[index])


def values_for(shape: tuple[int, ...], kind: int, rng: np.random.Generator) -> Any:
    """A number, the whole shape, or something that broadcasts to it."""
    if kind == 0 or not shape:
        return -1.0
    if kind == 1:
        return rng.standard_normal(shape).astype(np.float32)
    if kind == 2:
        return rng.standard_normal(shape[-1:]).astype(np.float32)
    return rng.standard_normal((1, *[1 if i % 2 else n for i, n in enumerate(shape)])).astype(
        np.float32
    )


@settings(max_examples=300, deadline=None)
@given(indices(advanced=False), st.integers(0, 3))
def test_set_basic(index: tuple[Any, ...], kind: int) -> None:
    value = values_for(X[index].shape, kind, np.random.default_rng(0))
    t, expected = lucid.tensor(X), X.copy()
    expected[index] = value
    t[ours(index, 0)] = value
    same(t, expected)


def repeats(index: tuple[Any, ...]) -> bool:
    """Whether some element is meant twice: then NumPy does not say which value stays."""
    chosen = np.arange(X.size).reshape(SHAPE)[index]
    return bool(len(np.unique(chosen)) != chosen.size)


@settings(max_examples=400, deadline=None)
@given(indices(advanced=True), st.integers(0, 3))
def test_set_advanced(index: tuple[Any, ...], kind: int) -> None:
    if repeats(index):
        kind = 0
    value = values_for(X[index].shape, kind, np.random.default_rng(0))
    t, expected = lucid.tensor(X), X.copy()
    expected[index] = value
    t[ours(index, 0)] = value
    same(t, expected)


MASKS: list[Any] = [
    X > 50,
    X[:, :, 0, 0] > 40,
    (slice(None), X[0, :, :, 0] % 3 == 0),
    (..., X[0, 0, 0] > 2),
    (1, X[1, :, :, :] > 70),
    (X[:, 0, 0, 0] >= 40, ..., 1),
    (X[:, 0, 0, 0] >= 40, slice(None), slice(None), [0, 2]),
    np.zeros(SHAPE, dtype=bool),
    True,
    False,
    (None, True, 1),
]


@pytest.mark.parametrize("case", range(len(MASKS)))
def test_masks(case: int) -> None:
    mask = MASKS[case]
    items = mask if isinstance(mask, tuple) else (mask,)
    index = tuple(lucid.tensor(i) if isinstance(i, np.ndarray) else i for i in items)
    same(lucid.tensor(X)[index], X[mask])
    for value in (7.0, np.arange(X[mask].size, dtype=np.float32).reshape(X[mask].shape)):
        t, expected = lucid.tensor(X), X.copy()
        expected[mask] = value
        t[index] = value
        same(t, expected)


def test_numpy_scalars_and_tensors_as_positions() -> None:
    t = lucid.tensor(X)
    same(t[np.int64(1)], X[1])
    same(t[np.int32(-1), 0], X[-1, 0])
    same(t[lucid.tensor(2)], X[2])
    same(t[lucid.tensor(1) : lucid.tensor(3)], X[1:3])


def test_empty_lists() -> None:
    same(lucid.tensor(X)[[]], X[[]])
    t = lucid.tensor(X)
    t[[]] = 3.0
    same(t, X)


BAD: list[tuple[Any, type[Exception], str]] = [
    ((0, 0, 0, 0, 0), IndexError, "too many indices for a 4-D tensor"),
    (3, IndexError, "out of range"),
    ((0, -5), IndexError, "out of range"),
    ((..., 0, ...), IndexError, "one ellipsis"),
    (1.5, IndexError, "integers or bools"),
    ("a", TypeError, "'str'"),
    (np.zeros(2, dtype=bool), IndexError, "mask has size 2"),
    (slice(0, 1, 0), ValueError, "zero"),
    (([0, 1], [0, 1, 2]), Exception, "fit together|broadcast"),
]


@pytest.mark.parametrize(("index", "error", "phrase"), BAD)
def test_bad_indices(index: Any, error: type[Exception], phrase: str) -> None:
    t = lucid.tensor(X)
    with pytest.raises(error, match=phrase):
        t[index]
    with pytest.raises(error, match=phrase):
        t[index] = 0
    same(t, X)


def test_positions_are_checked_when_values_are_computed() -> None:
    row = lucid.tensor(X)[lucid.tensor([0, 3])]
    with pytest.raises(IndexError, match="out of range"):
        row.tolist()


def test_gather_and_scatter() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5)).astype(np.float32)
    index = np.array([[3, 0, 1], [1, 2, 0]])
    t, i = lucid.tensor(x), lucid.tensor(index)
    same(t.gather(0, i), np.take_along_axis(x[:, :3], index, 0))
    same(lucid.take_along_dim(t, i[:, :1], 0), np.take_along_axis(x, index[:, :1], 0))
    source = rng.standard_normal((2, 3)).astype(np.float32)
    put, add = x.copy(), x.copy()
    for r in range(2):
        for c in range(3):
            put[index[r, c], c] = source[r, c]
            add[index[r, c], c] += source[r, c]
    same(t.scatter(0, i, lucid.tensor(source)), put)
    np.testing.assert_allclose(t.scatter_add(0, i, lucid.tensor(source)).numpy(), add, rtol=1e-6)
    put[index, np.arange(3)] = 2.0
    same(t.scatter(0, i, 2.0), put)
    same(t.scatter(0, i, value=2.0), put)


def test_index_functions() -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    t, rows = lucid.tensor(x), lucid.tensor([2, 0, 2])
    same(t.index_select(0, rows), x[[2, 0, 2]])
    same(lucid.take(t, lucid.tensor([[0, 11], [5, -1]])), x.reshape(-1)[[[0, 11], [5, -1]]])
    expected = x.copy()
    np.add.at(expected, [2, 0, 2], 1)
    same(t.index_add(0, rows, lucid.ones(3, 4)), expected)
    np.add.at(expected, [2, 0, 2], 1)
    same(t.index_add(0, rows, lucid.ones(3, 4), alpha=2), expected)
    expected = x.copy()
    expected[:, [1, 3]] = 9
    same(t.index_fill(1, lucid.tensor([1, 3]), 9), expected)
    same(t.index_copy(1, lucid.tensor([1, 3]), lucid.full((3, 2), 9.0)), expected)
    expected = x.copy()
    expected[[0, 1], [1, 1]] += 5
    same(t.index_put((lucid.tensor([0, 1]), lucid.tensor([1, 1])), 5.0, accumulate=True), expected)
    same(t.masked_select(t > 8), x[x > 8])
    same(t.nonzero(), np.argwhere(x))
    for a, b in zip(t.nonzero(as_tuple=True), np.nonzero(x), strict=True):
        same(a, b)


@settings(max_examples=100, deadline=None)
@given(indices(advanced=True))
def test_under_vmap(index: tuple[Any, ...]) -> None:
    """The batch is invisible to an index, wherever it stands."""
    batch = np.stack([X, X + 1000, -X])
    expected = np.stack([x[index] for x in batch])
    same(vmap(lambda x: x[ours(index, 0)])(batch), expected)
    moved = np.moveaxis(batch, 0, 2)
    same(vmap(lambda x: x[ours(index, 0)], in_dims=2)(moved), expected)


def test_batched_indices_under_vmap() -> None:
    index = np.array([[0, 2], [1, 1], [2, 0]])
    same(vmap(lambda i: lucid.tensor(X)[i])(index), X[index])
    same(vmap(lambda x, i: x[i])(X, np.array([1, 2, 0])), X[np.arange(3), [1, 2, 0]])

    def write(x: lucid.Tensor, i: lucid.Tensor) -> lucid.Tensor:
        y = x.clone()
        y[i, :, 0] = 5.0
        return y

    expected = X.copy()
    for b, i in enumerate([1, 2, 0]):
        expected[b, i, :, 0] = 5.0
    same(vmap(write)(X, np.array([1, 2, 0])), expected)


def test_a_block_that_begins_where_a_counter_says() -> None:
    a = np.arange(24.0).reshape(4, 6)
    x = lucid.tensor(a)

    def step(i: lucid.Tensor, _: None) -> tuple[lucid.Tensor, lucid.Tensor]:
        return i + 1, lucid.dynamic_slice(x, [i, 1], [2, 3])

    same(lucid.scan(step, 0, length=2)[1], np.stack([a[i : i + 2, 1:4] for i in range(2)]))
    starts = np.array([[0, 1], [1, 0], [1, 1]])
    blocks = vmap(lambda s: lucid.dynamic_slice(x, s, [2, 2]))(starts)
    same(blocks, np.stack([a[i : i + 2, j : j + 2] for i, j in starts]))
    narrowed = vmap(lambda i: x.narrow(1, i, 2))(np.array([0, 4]))
    same(narrowed, np.stack([a[:, i : i + 2] for i in (0, 4)]))

    def rest(x: lucid.Tensor, i: lucid.Tensor) -> lucid.Tensor:
        return (lucid.dynamic_update_slice(x, lucid.zeros(2, 1), [i, 0]) ** 2).sum()

    expected = np.stack([2 * a, 2 * a])
    expected[0, 1:3, 0] = expected[1, 2:4, 0] = 0
    same(vmap(grad(rest), (None, 0))(x, np.array([1, 2])), expected)


def test_a_slice_with_a_moving_bound_says_how_to_write_it() -> None:
    x = lucid.tensor(X)
    for bounds in (lambda i: slice(i, i + 2), lambda i: slice(None, i), lambda i: (0, slice(i, 3))):
        with pytest.raises(RuntimeError, match=r"lucid\.dynamic_slice\(x, start_indices"):
            lucid.fori_loop(0, 2, lambda i, c, b=bounds: c + x[b(i)].sum(), 0.0)


def test_where_without_values_gives_positions() -> None:
    x = np.array([[0, 1, 0], [2, 0, 3]])
    for ours_, theirs in zip(lucid.where(lucid.tensor(x)), np.where(x), strict=True):
        same(ours_, theirs)
    with pytest.raises(TypeError, match="give both input and other, or neither"):
        lucid.where(lucid.tensor(x), 1)  # type: ignore[call-overload]
