"""Views share their elements with the tensor they were made from, as in torch."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import close, same

import lucid
from lucid.func import compile, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

DTYPES = [np.float32, np.float64, np.int32, np.int64, np.bool_]


def ints(*shape: int, dtype: Any = np.int64) -> Any:
    return (np.arange(np.prod(shape)).reshape(shape) % 7).astype(dtype)


# Each view of a (4, 6) tensor as lucid and NumPy spell it.
VIEWS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "row": (lambda x: x[1], lambda a: a[1]),
    "last row": (lambda x: x[-1], lambda a: a[-1]),
    "element": (lambda x: x[1, 2], lambda a: a[1:2, 2:3].reshape(())),
    "column": (lambda x: x[:, 2], lambda a: a[:, 2]),
    "slice": (lambda x: x[1:3, 2:5], lambda a: a[1:3, 2:5]),
    "steps": (lambda x: x[::2, 1::3], lambda a: a[::2, 1::3]),
    "odd steps": (lambda x: x[::3, ::4], lambda a: a[::3, ::4]),
    "reversed": (lambda x: x[::-1, 4:1:-1], lambda a: a[::-1, 4:1:-1]),
    "new dims": (lambda x: x[None, 1:, None], lambda a: a[None, 1:, None]),
    "whole": (lambda x: x[...], lambda a: a[...]),
    "nothing": (lambda x: x[2:2], lambda a: a[2:2]),
    "T": (lambda x: x.T, lambda a: a.T),
    "mT": (lambda x: x.mT, lambda a: a.T),
    "t": (lambda x: x.t(), lambda a: a.T),
    "transpose": (lambda x: x.transpose(0, 1), lambda a: a.T),
    "swapaxes": (lambda x: lucid.swapaxes(x, -1, 0), lambda a: a.T),
    "permute": (lambda x: x.permute(1, 0), lambda a: a.T),
    "movedim": (lambda x: x.movedim(0, 1), lambda a: a.T),
    "view": (lambda x: x.view(-1), lambda a: a.reshape(-1)),
    "reshape": (lambda x: x.reshape(2, 3, 4), lambda a: a.reshape(2, 3, 4)),
    "function": (lambda x: lucid.reshape(x, (8, 3)), lambda a: a.reshape(8, 3)),
    "reshape_as": (lambda x: x.reshape_as(lucid.zeros(3, 8)), lambda a: a.reshape(3, 8)),
    "flatten": (lambda x: x.flatten(), lambda a: a.reshape(-1)),
    "ravel": (lambda x: x.ravel(), lambda a: a.reshape(-1)),
    "unflatten": (lambda x: x.unflatten(1, (2, 3)), lambda a: a.reshape(4, 2, 3)),
    "unsqueeze": (lambda x: x.unsqueeze(1), lambda a: a[:, None]),
    "squeeze": (lambda x: x.reshape(4, 1, 6).squeeze(1), lambda a: a[...]),
    "nothing to squeeze": (lambda x: x.squeeze(), lambda a: a[...]),
    "narrow": (lambda x: x.narrow(1, 2, 3), lambda a: a[:, 2:5]),
    "select": (lambda x: x.select(1, -1), lambda a: a[:, -1]),
    "diagonal": (lambda x: x.diagonal(), lambda a: a.reshape(-1)[0:22:7]),
    "off the diagonal": (lambda x: x.diagonal(2), lambda a: a.reshape(-1)[2:24:7]),
    "below the diagonal": (lambda x: x.diagonal(-1), lambda a: a.reshape(-1)[6:21:7]),
    "diagonal of the transpose": (lambda x: x.T.diagonal(1), lambda a: a.reshape(-1)[6:21:7]),
    "split": (lambda x: x.split(2)[1], lambda a: a[2:]),
    "split by sizes": (lambda x: x.split([1, 5], dim=1)[1], lambda a: a[:, 1:]),
    "chunk": (lambda x: x.chunk(3, dim=1)[2], lambda a: a[:, 4:]),
    "unbind": (lambda x: x.unbind(1)[3], lambda a: a[:, 3]),
    "iteration": (lambda x: list(x)[2], lambda a: a[2]),
    "atleast": (lambda x: lucid.atleast_2d(x), lambda a: a[...]),
    "expanded by nothing": (lambda x: x.expand(1, 4, 6), lambda a: a[None]),
    "detach": (lambda x: x.detach(), lambda a: a[...]),
    "data": (lambda x: x.data, lambda a: a[...]),
    "view of a view": (lambda x: x[1:][0], lambda a: a[1]),
    "view of a transpose": (lambda x: x.T[1:, 2], lambda a: a[2, 1:]),
    "view of views": (
        lambda x: x.reshape(2, 2, 6)[:, 1].T[::2].unsqueeze(0),
        lambda a: a.reshape(2, 2, 6)[:, 1].T[::2][None],
    ),
    "kept": (lambda x: x.T.reshape(6, 2, 2)[:, 0], lambda a: a.T[:, 0:2]),
}  # fmt: skip

WRITES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "add_": (lambda v, c: v.add_(c), lambda a: np.add(a, 3, out=a)),
    "fill_": (lambda v, c: v.fill_(c), lambda a: a.fill(3)),
    "+=": (lambda v, c: v.__iadd__(c), lambda a: np.add(a, 3, out=a)),
    "assignment": (lambda v, c: v.__setitem__(..., c), lambda a: a.fill(3)),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("view", VIEWS)
def test_writes_reach_the_base_and_other_views(view: str, write: str) -> None:
    make, expected = VIEWS[view]
    x, a = lucid.tensor(ints(4, 6)), ints(4, 6)
    flat, rows = x.view(-1), list(x)
    WRITES[write][0](make(x), 3)
    WRITES[write][1](expected(a))
    same(x, a)
    same(flat, a.reshape(-1))
    for r, row in zip(rows, a, strict=True):
        same(r, row)


@pytest.mark.parametrize("view", VIEWS)
def test_views_show_what_is_written_to_the_base(view: str) -> None:
    make, expected = VIEWS[view]
    x, a = lucid.tensor(ints(4, 6)), ints(4, 6)
    v, b = make(x), expected(a)
    same(v, b)
    x.mul_(2)
    x[1:3, 2:] = 9
    a *= 2
    a[1:3, 2:] = 9
    same(v, expected(a))
    v.zero_()
    expected(a)[...] = 0
    same(x, a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_every_dtype(dtype: Any) -> None:
    x, a = lucid.tensor(ints(3, 3, dtype=dtype)), ints(3, 3, dtype=dtype)
    x.diagonal()[1:] = 1
    x.T[0] = 0
    np.fill_diagonal(a, [a[0, 0], 1, 1])
    a[:, 0] = 0
    same(x, a)
    assert x.dtype == lucid.tensor(a).dtype


def test_the_ways_people_write_it() -> None:
    x = lucid.arange(12).reshape(3, 4)
    x[0][1] = 90
    x[1].add_(100)
    x.T[0] = 7
    for r in x:
        r += 1
    a, b = x.split([1, 2])
    a.zero_()
    x.view(-1)[11] = -1
    x[0, 1:3] += 5
    x[2][x[2] > 10] = 0
    assert x.tolist() == [[0, 5, 5, 0], [8, 106, 107, 108], [8, 10, 0, -1]]
    assert b.tolist() == x.tolist()[1:]


def test_views_outlive_their_base() -> None:
    def halves() -> Any:
        return lucid.arange(6.0).split(3)

    a, b = halves()
    whole = lucid.arange(6.0)
    first, overlapping = whole[:4], whole[2:]
    del whole
    a += 1
    first *= 10
    assert b.tolist() == [3, 4, 5]
    assert a.tolist() == [1, 2, 3]
    assert overlapping.tolist() == [20, 30, 4, 5]
    overlapping[0] = -1
    assert first.tolist() == [0, 10, -1, 30]
    del first
    overlapping += 1
    assert overlapping.tolist() == [0, 31, 5, 6]


def test_copies_are_copies() -> None:
    """What torch copies, too: by tensors and masks, and a reshape that no strides describe."""
    x = lucid.arange(6).reshape(2, 3)
    before = x.tolist()
    for y in (
        x[[0, 1]],
        x[lucid.tensor([0])],
        x[x >= 0],
        x[True],
        x.clone(),
        x.T.reshape(-1),
        x.T.flatten(),
        x.flip(0),
        x.roll(1),
        x.repeat(1, 1),
        x.index_select(0, lucid.tensor([0])),
        x.diag(),
        copy.copy(x),
        copy.deepcopy(x)[0],
        x + 0,
        x.float(),
    ):
        y.zero_()
        assert x.tolist() == before
    assert x.to(x.dtype) is x
    assert x.contiguous() is x


def test_expanded_views_are_read_but_not_written() -> None:
    x = lucid.arange(3)
    views = (
        x.expand(2, 3),
        x.broadcast_to((2, 3)),
        x.expand_as(lucid.zeros(2, 3)),
        lucid.broadcast_tensors(x, lucid.zeros(2, 3))[0],
        lucid.meshgrid(lucid.zeros(2), x)[1],
    )
    for v in views:
        with pytest.raises(RuntimeError, match="several elements are one .*clone"):
            v.add_(1)
        with pytest.raises(RuntimeError, match="several elements are one"):
            v[0] = 1
    views[0][1].add_(1)
    x[0] = 9
    for v in views:
        assert v.tolist() == [[9, 2, 3]] * 2
    fresh = lucid.zeros(1).expand(3)
    with pytest.raises(RuntimeError, match="several elements"):
        fresh += 1


def test_a_view_that_strides_cannot_describe() -> None:
    x = lucid.arange(6).reshape(2, 3)
    v = x.T.view(-1)
    assert v.tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(RuntimeError, match=r"view\(\).*reshape"):
        v[0] = 1
    x[0, 0] = 5
    with pytest.raises(RuntimeError, match=r"view\(\).*reshape"):
        v.tolist()
    with pytest.raises(RuntimeError, match=r"view\(\).*reshape"):
        repr(v)


def written(x: Any) -> Any:
    y = x * 1
    y[0][1] = y[1, 0] * y[0, 1]
    y.T[2].mul_(y[:, 0].clone())
    for r in y:
        r *= r[0] + 1
    a, b = y.split(1)
    b += a
    y.diagonal().add_(1)
    y.view(-1)[4] *= 2
    y[1, ::2].exp_()
    return y


X = np.array([[0.5, 1.5, -0.25], [2.0, 0.75, 0.3]])


def expected_of(a: Any) -> Any:
    y = a * 1
    y[0, 1] = y[1, 0] * y[0, 1]
    y[:, 2] *= y[:, 0].copy()
    for i in range(2):
        y[i] *= y[i, 0] + 1
    y[1] += y[0]
    y[0, 0] += 1
    y[1, 1] += 1
    y.reshape(-1)[4] *= 2
    y[1, ::2] = np.exp(y[1, ::2])
    return y


def slopes_of(a: Any, weight: Any) -> Any:
    """By differences in every direction."""
    g, h = np.zeros_like(a), 1e-6
    for i in np.ndindex(*a.shape):
        e = np.zeros_like(a)
        e[i] = h
        g[i] = ((expected_of(a + e) - expected_of(a - e)) * weight).sum() / (2 * h)
    return g


def test_under_every_transform() -> None:
    x = lucid.tensor(X)
    batch = lucid.stack([x, 2 * x, x - 1])
    weight = np.arange(6.0).reshape(2, 3) + 1
    w = lucid.tensor(weight)
    close(written(x), expected_of(X))
    many = np.stack([expected_of(a) for a in batch.numpy()])
    close(vmap(written)(batch), many)
    close(vmap(written, strategy="isolated")(batch), many)
    close(vmap(written, in_dims=2)(batch.permute(1, 2, 0)), many)
    close(compile(written)(x), expected_of(X))
    close(compile(vmap(written))(batch), many)
    g = slopes_of(X, weight)
    f = lambda v: (written(v) * w).sum()  # noqa: E731
    for slope in (
        grad(f)(x),
        jacrev(f)(x),
        jacfwd(f)(x),
        grad(compile(f))(x),
        vjp(written, x)[1](w)[0],
    ):
        close(slope, g, rtol=1e-6)  # fmt: skip
    close(jvp(f, (x,), (w,))[1], (g * weight).sum(), rtol=1e-6)
    close(vmap(grad(f))(batch), np.stack([slopes_of(a, weight) for a in batch.numpy()]), rtol=1e-6)
    close(hessian(f)(x), jacrev(grad(f))(x))


def test_in_loops_and_branches() -> None:
    def body(i: Any, y: Any) -> Any:
        y = y.clone()
        y[0].add_(1)
        y.T[1] *= 2
        return y

    y = np.zeros((2, 3))
    for _ in range(3):
        y[0] += 1
        y[:, 1] *= 2
    start = lucid.zeros(2, 3)
    close(lucid.fori_loop(0, 3, body, start), y)
    close(vmap(lambda s: lucid.fori_loop(0, 3, body, s))(start[None]), y[None])
    close(lucid.cond(lucid.tensor(True), lambda v: body(0, v), lambda v: v, start),
          [[1, 2, 1], [0, 0, 0]])  # fmt: skip
    total, _ = lucid.scan(lambda c, x: (body(0, c), x), start, lucid.zeros(3))
    close(total, y)


def test_a_batched_value_written_to_a_part_of_a_plain_tensor() -> None:
    def f(x: Any) -> Any:
        y = lucid.zeros(2, 3)
        y[1][0:2] = x
        y.diagonal().add_(x)
        return y

    a = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    expected = np.zeros((2, 2, 3), np.float32)
    expected[:, 1, :2] = a
    expected[:, 0, 0] += a[:, 0]
    expected[:, 1, 1] += a[:, 1]
    close(vmap(f)(a), expected)


def test_what_was_captured_is_not_written_through_a_view() -> None:
    w = lucid.zeros(2, 3)
    row = w[0]

    def through_new(x: Any) -> Any:
        w[0].add_(x)
        return x

    def through_old(x: Any) -> Any:
        row.add_(x)
        return x

    def through_inner(x: Any) -> Any:
        y = x * 1
        vmap(lambda e: y[0:1].add_(e))(x)
        return y.sum()

    x = lucid.ones(3)
    for f in (through_new, through_old):
        for transform in (vmap, jacrev, jacfwd, compile):
            with pytest.raises(RuntimeError, match="captured from outside"):
                transform(f)(x)  # type: ignore[operator]
    with pytest.raises(RuntimeError, match="captured from outside"):
        grad(through_inner)(x)
    assert w.sum().item() == 0

    def copied(x: Any) -> Any:
        y = w[0].clone()
        y += x
        return y

    close(vmap(copied)(x), np.ones((3, 3)))


def test_arguments_are_not_written_through_views() -> None:
    x = lucid.ones(2, 3)

    def f(v: Any) -> Any:
        v[0].zero_()
        v.T[1] = 5
        return v.sum()

    close(grad(f)(x), [[0, 0, 0], [1, 0, 1]])
    close(vmap(f)(x.unsqueeze(0)), [12.0])
    assert x.tolist() == [[1.0] * 3] * 2


def test_a_stale_view_read_inside_a_transform() -> None:
    w = lucid.arange(4.0)
    v = w[1:3]
    w += 1
    x = lucid.tensor([1.0, 2.0])
    close(vmap(lambda e: e * v)(x), [[2, 3], [4, 6]])
    close(grad(lambda e: (e * v).sum())(x), [2, 3])
    close(compile(lambda e: e * v)(x), [2, 6])
    w += 1
    assert v.tolist() == [3, 4]


def test_leaves() -> None:
    w = lucid.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        w[0].add_(1)
    with pytest.raises(RuntimeError, match="leaf"):
        w[0] += 1
    row = w[1]
    with lucid.no_grad():
        w[0].add_(1)
        w.view(-1)[5] = 4
    assert w.requires_grad
    assert w.is_leaf
    assert row.requires_grad
    (w * w).sum().backward()
    close(w.grad, [[4, 4, 4], [2, 2, 8]])
    row.sum().backward()
    close(w.grad, [[4, 4, 4], [3, 3, 9]])
    assert w.grad is not None
    w.grad[0].zero_()
    close(w.grad, [[0, 0, 0], [3, 3, 9]])
    w.data.sub_(1)
    w.detach()[1] = 0
    assert w.requires_grad
    close(w.detach(), [[1, 1, 1], [0, 0, 0]])
    close(w.grad, [[0, 0, 0], [3, 3, 9]])


def test_recorded_views() -> None:
    w = lucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = w * w
    y[1:].mul_(2)
    y.view(3, 1)[0] = 5
    y.sum().backward()
    close(w.grad, [0, 8, 12])
    with pytest.raises(RuntimeError, match=r"through detach\(\)"):
        y.detach().zero_()
    flat = lucid.zeros(5)
    a, b = flat[:2].requires_grad_(), flat[2:].requires_grad_()
    with lucid.no_grad():
        flat += 1
    (a.sum() + (b * b).sum()).backward()
    close(a.grad, [1, 1])
    close(b.grad, [2, 2, 2])
    with lucid.no_grad():
        a -= 1
    close(flat, [0, 0, 1, 1, 1])


def test_writes_through_detach_inside_grad() -> None:
    def f(x: Any) -> Any:
        x.detach().zero_()
        return x.sum()

    with pytest.raises(RuntimeError, match=r"through detach\(\)"):
        grad(f)(lucid.ones(2))

    def g(x: Any) -> Any:
        c = x.detach().clone()
        c += 1
        return (c * x).sum()

    close(grad(g)(lucid.ones(2)), [2, 2])


def test_sizes_0_and_0_d() -> None:
    x = lucid.tensor(3.0)
    x.view(1)[0] = 4
    x[...].add_(1)
    x.reshape(1, 1).mul_(2)
    assert x.item() == 10
    e = lucid.zeros(0, 3)
    e.T[1].add_(1)
    e[:, 0] = 4
    e.view(-1).fill_(1)
    assert e.shape == (0, 3)
    assert e.diagonal().shape == (0,)
    v, w = x.view(1)[1:], e.reshape(3, 0)[1:].T
    x += 1
    e += 1
    assert v.tolist() == []
    assert w.shape == (0, 2)
    e.diagonal().add_(1)


def test_long_chains_of_views() -> None:
    x = lucid.zeros(20_000)
    v = x
    for _ in range(15_000):
        v = v[1:]
    v[0] = 1
    assert x.sum().item() == 1
    h = lucid.ones(3)
    for _ in range(3000):
        h = (h * 1.0).reshape(3, 1).T[0]
    assert h.tolist() == [1, 1, 1]


def test_what_is_known_before_a_write_stays_right_after_it() -> None:
    x = lucid.arange(4.0)
    before = x[1:] * 2
    x[1:] += 1
    assert before.tolist() == [2, 4, 6]
    y = x[1:].sum()
    x.zero_()
    assert y.item() == 9
