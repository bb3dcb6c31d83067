"""Wrong calls fail at the call, with the right exception and a message that names the mistake; and
the next call works."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lucid
import lucid.nn.functional as F
from lucid.func import grad, hessian, jacrev, jvp, linearize, vjp, vmap

x = lucid.ones(3)
m = lucid.ones(2, 3)
i = lucid.arange(3)
Call = Callable[[], Any]


def total(v: lucid.Tensor) -> lucid.Tensor:
    return v.sum()


def write_captured(v: lucid.Tensor) -> lucid.Tensor:
    x[0] = v
    return v


def add_captured(v: lucid.Tensor) -> lucid.Tensor:
    x.add_(v)
    return v


def put(v: lucid.Tensor, at: Any, value: lucid.Tensor) -> None:
    v.clone()[at] = value


CALLS: dict[str, tuple[Call, type[Exception], str]] = {
    # arguments
    "missing": (lambda: lucid.sum(), TypeError, r"sum\(input, .*\): argument 'input' is missing"),  # type: ignore[call-arg]
    "unexpected": (lambda: x.sum(foo=1), TypeError, r"sum\(\): unexpected argument 'foo'"),  # type: ignore[call-arg]
    "twice": (lambda: x.sum(0, dim=0), TypeError, "'dim' given twice"),  # type: ignore[misc]
    "too many": (lambda: x.sum(0, False, "f"), TypeError, "at most 2 positional"),  # type: ignore[misc]
    "not a tensor": (lambda: lucid.sin("a"), TypeError, "'input' must be a tensor.*not str"),
    "None": (lambda: lucid.exp(None), TypeError, "'input' must be a tensor.*not NoneType"),  # type: ignore[arg-type]
    "complex": (lambda: x + 1j, TypeError, "complex"),  # type: ignore[operator]
    "dim of a wrong type": (lambda: x.sum("a"), TypeError, "'dim' must be an int.*not str"),  # type: ignore[arg-type]
    "dim out of range": (lambda: x.sum(2), ValueError, "dim 2 is out of range for a 1-D tensor"),
    "flag of a wrong type": (lambda: x.sum(0, "yes"), TypeError, "'keepdim' must be a bool"),  # type: ignore[arg-type]
    "dtype": (lambda: lucid.zeros(2, dtype="float16"), TypeError, "must be a dtype"),
    "complex array": (lambda: lucid.sin(np.ones(2) * 1j), TypeError, "not supported"),
    "text array": (lambda: lucid.tensor(np.array(["a"])), TypeError, "not supported"),
    "ragged": (lambda: lucid.tensor([[1], [1, 2]]), ValueError, "same depth and length"),
    "text in a list": (lambda: lucid.tensor([1, "a"]), TypeError, "'str'"),
    "large int": (lambda: lucid.tensor(1 << 70), ValueError, "does not fit int64"),
    "word": (lambda: F.mse_loss(x, x, reduction="max"), ValueError, "'mean', 'sum' or 'none'"),  # type: ignore[arg-type]
    "generator": (lambda: lucid.rand(2, generator=3), TypeError, "lucid.Generator"),  # type: ignore[arg-type]
    # shapes
    "shapes": (lambda: x + lucid.ones(2), ValueError, r"\(3,\) and \(2,\) do not broadcast"),
    "reshape": (lambda: x.reshape(2), ValueError, r"\(3,\) does not fit into \(2,\)"),
    "matmul": (lambda: m @ m, ValueError, r"\(2, 3\)"),
    "cat": (lambda: lucid.cat([x, m]), ValueError, "cat"),
    "negative size": (lambda: lucid.zeros(-2), ValueError, "-2"),
    "overflow": (lambda: lucid.zeros(1 << 40, 1 << 40), ValueError, "too large"),
    "overflow by broadcast": (
        lambda: lucid.zeros(1).expand(1 << 40, 1 << 40),
        ValueError,
        "too large",
    ),
    "t": (lambda: lucid.ones(1, 2, 3).t(), ValueError, "3-D"),
    "empty max": (lambda: lucid.zeros(0).max(), ValueError, "max"),
    # answers
    "item": (lambda: x.item(), ValueError, "one element"),
    "bool": (lambda: bool(x), ValueError, "one element"),
    "index": (lambda: [1, 2][lucid.tensor(1.0)], TypeError, "0-d integer"),
    "len": (lambda: len(lucid.tensor(1)), TypeError, "0-d"),
    "iteration": (lambda: list(lucid.tensor(1)), TypeError, "0-d"),
    # writing
    "grow": (lambda: x.add_(m), ValueError, "in-place"),
    "float into int": (lambda: i.add_(1.5), TypeError, "float32 result.*int64 tensor"),
    "value of a part": (lambda: put(m, 0, x[:2]), ValueError, r"\(2,\) does not.* \(3,\)"),
    "value under a mask": (lambda: put(m, m > 9, x), ValueError, r"\(3,\) does not.* \(0,\)"),
    "delete": (lambda: x.__delitem__(0), TypeError, "deleted"),  # type: ignore[attr-defined]
    "captured": (lambda: vmap(write_captured)(i), RuntimeError, "captured from outside"),
    "captured, method": (lambda: grad(add_captured)(1.0), RuntimeError, "captured from outside"),
    # vmap
    "batch sizes": (
        lambda: vmap(lambda a, b: a)(m, x),
        ValueError,
        "inconsistent batch sizes 2 vs 3",
    ),
    "in_dim range": (
        lambda: vmap(total, in_dims=2)(m),
        ValueError,
        "in_dim 2 is out of range for a 2-D tensor",
    ),
    "in_dim of a scalar": (
        lambda: vmap(total)(1.0),
        ValueError,
        "in_dim 0 is out of range for a 0-D tensor",
    ),
    "in_dims count": (
        lambda: vmap(total, (0, 0))(m),
        ValueError,
        "2 entries.*1 arguments; give one for each",
    ),
    "in_dims structure": (lambda: vmap(total, ((0, 0),))(m), ValueError, "in_dims"),
    "in_dims name": (lambda: vmap(total, {"w": 0})(m), ValueError, "'w'"),
    "in_dims type": (lambda: vmap(total, "0"), TypeError, "in_dims must be"),  # type: ignore[arg-type]
    "in_dims flag": (lambda: vmap(total, True), TypeError, "in_dims must be"),
    "text argument": (lambda: vmap(lambda a, t: a)(m, "t"), TypeError, "'str'"),
    "text result": (lambda: vmap(lambda a: "t")(m), TypeError, "func returned 'str'"),
    "out_dim range": (lambda: vmap(total, 0, 1)(m), ValueError, "out_dim 1 is out of range"),
    "out_dims structure": (lambda: vmap(total, 0, (0, 0))(m), ValueError, "out_dims"),
    "out_dims type": (lambda: vmap(total, 0, 1.5), TypeError, "out_dims must be"),  # type: ignore[arg-type]
    "strategy": (
        lambda: vmap(total, strategy="fast"),  # type: ignore[arg-type]
        ValueError,
        "strategy must be 'auto', 'vectorized' or 'isolated', not 'fast'",
    ),
    "strategy type": (lambda: vmap(total, strategy=3), TypeError, "strategy must be"),  # type: ignore[arg-type]
    "randomness": (lambda: vmap(total, randomness="no"), ValueError, "randomness must be"),  # type: ignore[arg-type]
    "chunk_size": (lambda: vmap(total, chunk_size=0), ValueError, "chunk_size must be"),
    "chunk_size type": (lambda: vmap(total, chunk_size=1.5), TypeError, "chunk_size must be"),  # type: ignore[arg-type]
    "chunk_size word": (lambda: vmap(total, chunk_size="all"), ValueError, "chunk_size must be"),  # type: ignore[arg-type]
    "not callable": (lambda: vmap(3), TypeError, "'func' must be callable, not int"),  # type: ignore[arg-type]
    "random op": (lambda: vmap(lambda a: lucid.rand(2))(m), RuntimeError, "random op"),
    "diverging": (
        lambda: vmap(lambda a: a if a.sum() > i[0] else -a, strategy="vectorized")(m),
        RuntimeError,
        "lane",
    ),
    "numpy of a body": (
        lambda: lucid.func.compile(lambda a: a.numpy())(x),
        RuntimeError,
        "numpy: inside a loop body",
    ),
    # gradients
    "not a scalar": (lambda: grad(lambda a: a)(x), ValueError, r"scalar.*\(3,\)"),
    "nothing returned": (lambda: grad(lambda a: None)(x), TypeError, "float tensor.*not None"),
    "a tuple returned": (lambda: grad(lambda a: (a.sum(), 1))(x), TypeError, "not tuple; has_aux"),
    "no aux": (lambda: grad(total, has_aux=True)(x), TypeError, "pair"),
    "an integer loss": (lambda: grad(lambda a: 3)(x), TypeError, "float"),
    "integers": (lambda: grad(total)(i), TypeError, "int64"),
    "argnums range": (lambda: grad(total, 1)(x), ValueError, "argnums 1 is out of range"),
    "argnums twice": (lambda: grad(total, (0, -1))(x), ValueError, "twice"),
    "argnums type": (lambda: grad(total, "x"), TypeError, "argnums must be"),  # type: ignore[arg-type]
    "no argnums": (lambda: grad(total, ()), ValueError, "argnums"),
    "nothing to differentiate": (lambda: grad(total)("text"), TypeError, "no tensor"),
    "jacobian chunks": (lambda: jacrev(total, chunk_size=0), ValueError, "chunk_size"),
    "jacobian of text": (lambda: jacrev(lambda a: "t")(x), TypeError, "func returned 'str'"),
    "hessian of a vector": (lambda: hessian(lambda a: a)(x), ValueError, "^hessian: .* scalar"),
    "cotangent shape": (
        lambda: vjp(total, x)[1](x),
        ValueError,
        r"the cotangent of result has shape \(3,\), expected \(\)",
    ),
    "cotangent structure": (lambda: vjp(total, x)[1](x, x), ValueError, "structure"),
    "cotangent keyword": (lambda: vjp(total, x)[1](c=x), TypeError, "keyword"),  # type: ignore[call-arg]
    "primals": (lambda: jvp(total, x, (x,)), TypeError, "'primals' must be a tuple"),  # type: ignore[call-overload]
    "tangent structure": (lambda: jvp(total, (x,), (x, x)), ValueError, "structure"),
    "tangent shape": (lambda: jvp(total, (x,), (m,)), ValueError, r"the tangent of primals\[0\]"),
    "no primals": (lambda: vjp(total), TypeError, "no tensor"),
    "linear arguments": (lambda: linearize(total, x)[1](), ValueError, "structure"),
    # recording
    "backward": (lambda: x.backward(), RuntimeError, "requires grad"),
    "recording integers": (lambda: i.requires_grad_(), TypeError, "int64"),
    "recording inside": (
        lambda: vmap(lambda a: a.requires_grad_())(m),
        RuntimeError,
        "inside a transform",
    ),
    "grad of a plain tensor": (lambda: setattr(x, "grad", x), RuntimeError, "leaf"),
    # exchange
    "writable memory": (lambda: x.numpy().fill(2.0), ValueError, "read-only"),
    "dlpack": (lambda: lucid.from_dlpack(3), TypeError, "__dlpack__"),
    "threads": (lambda: lucid.set_num_threads(-1), ValueError, "set_num_threads"),
    "seed": (lambda: lucid.manual_seed("a"), TypeError, "seed.* must be an int, not str"),  # type: ignore[arg-type]
    "state": (lambda: lucid.set_rng_state(3), TypeError, "pair"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CALLS)
def test_bad_call(name: str) -> None:
    call, error, phrase = CALLS[name]
    with pytest.raises(error, match=phrase):
        call()
    assert x.tolist() == [1.0] * 3
    assert vmap(grad(total))(m).tolist() == [[1.0] * 3] * 2


class Mine(Exception):
    pass


TRANSFORMS: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "vmap": lambda f: vmap(f)(m),
    "isolated": lambda f: vmap(f, strategy="isolated")(m),
    "grad": lambda f: grad(f)(x),
    "jacrev": lambda f: jacrev(f)(x),
    "vjp": lambda f: vjp(f, x),
    "jvp": lambda f: jvp(f, (x,), (x,)),
    "linearize": lambda f: linearize(f, x),
    "nested": lambda f: vmap(lambda a: grad(lambda b: vmap(f)(b[None]).sum())(a))(m),
    "no_grad": lambda f: lucid.no_grad(f)(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_exceptions_pass_unchanged(name: str) -> None:
    raised = Mine("from inside")

    def f(*args: Any) -> Any:
        raise raised

    with pytest.raises(Mine) as caught:
        TRANSFORMS[name](f)
    assert caught.value is raised
    assert vmap(grad(total))(m).shape == (2, 3)


def test_exceptions_can_be_caught_inside() -> None:
    def f(a: lucid.Tensor) -> lucid.Tensor:
        try:
            return a + lucid.ones(7)
        except ValueError:
            return a * 2

    assert vmap(f)(m).tolist() == [[2.0] * 3] * 2
    assert grad(lambda a: f(a).sum())(x).tolist() == [2.0] * 3


def test_escaped_tensors() -> None:
    kept: list[lucid.Tensor] = []

    def keep(a: lucid.Tensor) -> lucid.Tensor:
        kept.append(a)
        return a.sum()

    vmap(keep)(m)
    grad(keep)(x)
    jvp(keep, (x,), (x,))
    for tensor in kept:
        assert tensor.shape == (3,)
        with pytest.raises(RuntimeError, match="escaped"):
            tensor + 1
        with pytest.raises(RuntimeError, match="escaped"):
            tensor.sum().item()
        assert "tensor(" in repr(tensor)


def test_nothing_is_left_after_errors() -> None:
    def call_all() -> None:
        for call, error, phrase in CALLS.values():
            with pytest.raises(error, match=phrase):
                call()

    call_all()
    before = lucid.stats()["bytes_live"]
    call_all()
    assert lucid.stats()["bytes_live"] == before
