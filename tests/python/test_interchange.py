"""NumPy, buffers, DLPack, pickles: tensors in and out."""

import array as arrays
import copy
import gc
import pickle
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from support import Array, same

import lucid
from lucid.func import grad, vmap

DTYPES = [np.float32, np.float64, np.int32, np.int64, np.bool_]
LAYOUTS: dict[str, Any] = {
    "plain": lambda a: a,
    "transposed": lambda a: a.T,
    "strided": lambda a: a[::2, 1:],
    "reversed": lambda a: a[::-1],
    "broadcast": lambda a: np.broadcast_to(a[0], (3, 4)),
    "column": lambda a: a[:, 0],
    "0-d": lambda a: a[0, 0],
    "empty": lambda a: a[:0],
    "fortran": np.asfortranarray,
}


def example(dtype: Any) -> Array:
    return (np.arange(12).reshape(3, 4) % 5).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", [lucid.tensor, lucid.as_tensor, lucid.from_dlpack])
def test_arrays_in(dtype: Any, layout: str, make: Any) -> None:
    a = np.asarray(LAYOUTS[layout](example(dtype)))
    if make is lucid.from_dlpack and not a.flags.writeable:
        a = a.copy()
    same(make(a), a)
    same(make(a) if a.dtype == bool else make(a) + 0, a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_out(dtype: Any) -> None:
    a = example(dtype)
    t = lucid.tensor(a)
    for out in (t.numpy(), np.asarray(t), np.array(t), np.from_dlpack(t)):
        assert out.dtype == a.dtype
        np.testing.assert_array_equal(out, a)
    np.testing.assert_array_equal(np.asarray(t.T), a.T)
    np.testing.assert_array_equal(np.asarray(t[::-1, 1:]), a[::-1, 1:])
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert not t.numpy().flags.writeable
    assert np.array(t).flags.writeable


def test_memory_is_shared_on_request() -> None:
    a = np.arange(4.0)
    shared, copied = lucid.from_numpy(a), lucid.tensor(a)
    lucid.eval(shared, copied)
    a[0] = 9
    assert shared[0].item() == 9
    assert copied[0].item() == 0
    t = lucid.arange(1000) * 2
    assert np.shares_memory(t.numpy(), t.numpy())


SHARING: dict[str, Any] = {
    "from_numpy": lucid.from_numpy,
    "as_tensor": lucid.as_tensor,
    "from_dlpack": lucid.from_dlpack,
    "a memoryview": lambda a: lucid.as_tensor(memoryview(a)),
}


@pytest.mark.parametrize("layout", ["plain", "transposed", "strided", "reversed", "column", "0-d"])
@pytest.mark.parametrize("name", SHARING)
def test_shared_arrays_are_followed_and_results_keep_what_they_saw(name: str, layout: str) -> None:
    whole = example(np.float64)
    a = (
        np.asarray(LAYOUTS[layout](whole))
        if layout != "0-d"
        else whole.reshape(-1)[3:4].reshape(())
    )
    t = SHARING[name](a)
    flat, before = t.reshape(-1), a.copy()
    pending = [t * 2, t.clone(), t.sum(), vmap(lambda x: x + 1)(flat), lucid.stack([t, t]), t.cos()]
    copied = copy.copy(t)
    whole += 10
    same(t, a)
    same(flat, a.reshape(-1))
    same(t + 1, a + 1)
    for x, expected in zip(
        pending,
        [before * 2, before, before.sum(), before.reshape(-1) + 1, np.stack([before] * 2)],
        strict=False,
    ):
        same(x, np.asarray(expected))
    same(copied, before)
    t += 1  # reaches the array
    same(t, before + 11)
    np.testing.assert_array_equal(a, before + 11)
    if a.ndim == 2:
        t[1:].mul_(2)
        t.T[0] = -1
        expected = before + 11
        expected[1:] *= 2
        expected[:, 0] = -1
        np.testing.assert_array_equal(a, expected)
        rows = list(t)
        del t, flat
        whole[:] = 3
        same(rows[0], a[0])
        rows[1].zero_()
        assert a[1].tolist() == [0] * a.shape[1]


def test_what_shared_memory_cannot_do_is_an_error() -> None:
    a = np.arange(3.0)
    t = lucid.from_numpy(frozen(a.copy()))
    with pytest.raises(RuntimeError, match="must not be written.*clone"):
        t += 1
    with pytest.raises(RuntimeError, match="must not be written.*clone"):
        t[0:1].add_(1)
    assert t.tolist() == [0, 1, 2]

    def f(x: Any) -> Any:
        y = lucid.from_numpy(a)
        y[0] = x
        return y.sum()

    with pytest.raises(RuntimeError, match="inside a transform.*clone"):
        vmap(f)(lucid.ones(2, dtype=lucid.float64))
    assert a.tolist() == [0, 1, 2]
    w = lucid.from_numpy(a).requires_grad_()  # with memory of its own
    a[0] = 9
    assert w.tolist() == [0, 1, 2]
    assert lucid.as_tensor(a, dtype=lucid.float32).dtype == lucid.float32
    x = lucid.ones(2)
    lucid.as_tensor(x)[0] = 5
    assert x.tolist() == [5, 1]


def test_captured_shared_memory() -> None:
    a = np.arange(3.0)
    t = lucid.from_numpy(a)
    y = vmap(lambda x: x * t)(lucid.ones(2, dtype=lucid.float64))
    g = grad(lambda x: (x * t[1:]).sum())(lucid.ones(2, dtype=lucid.float64))
    a[:] = 7
    assert y.tolist() == [[0, 1, 2]] * 2
    assert g.tolist() == [1, 2]
    assert vmap(lambda x: x * t[0])(lucid.ones(1, dtype=lucid.float64)).tolist() == [7]


def test_memory_of_other_kinds_is_followed() -> None:
    numbers = arrays.array("d", [1, 2, 3])
    t = lucid.as_tensor(numbers)
    y = t * 2
    numbers[0] = 9
    assert t.tolist() == [9, 2, 3]
    assert y.tolist() == [2, 4, 6]
    with pytest.raises(BufferError):
        numbers.append(4)
    del t
    numbers.append(4)


def test_operations_copy_arrays_that_can_change() -> None:
    a = np.arange(4.0)
    y = lucid.sin(a)
    a[:] = 100
    np.testing.assert_allclose(y.numpy(), np.sin(np.arange(4.0)))


def frozen(a: Array) -> Array:
    a.flags.writeable = False
    return a


READ_ONLY: dict[str, Any] = {
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 4)),
    "diagonal": lambda a: a.reshape(2, 2).diagonal(),
    "sliding windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2),
    "a frozen view": lambda a: frozen(a[:]),
    "a frozen view of a frozen view": lambda a: frozen(frozen(a[:])[1:]),
    "a frozen array": frozen,
    "a memoryview": lambda a: memoryview(a).toreadonly(),
    "a window of a memoryview": lambda a: np.asarray(memoryview(a).toreadonly()),
    "memory of bytes": lambda a: np.frombuffer(bytearray(a), a.dtype),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_read_only_views_of_what_can_be_written_are_copied(name: str) -> None:
    a = np.arange(4.0)
    view = READ_ONLY[name](a)
    before = np.array(view)
    results = [lucid.neg(view), lucid.ones(1) + view, vmap(lambda x: x * 2)(view)]
    kept = vmap(lambda x, v: v, in_dims=(0, None))(lucid.ones(1), view)
    a.flags.writeable = True
    a[:] = 100
    same(results[0], -before)
    same(results[1], 1 + before)
    same(results[2], 2 * before)
    same(kept[0], before)


def test_memory_that_nobody_can_write_is_shared() -> None:
    for a in (np.frombuffer(bytes(80_000)), (lucid.arange(10_000.0) * 2).numpy()):
        same(lucid.neg(a), -a)
        before = lucid.stats()["bytes_live"]
        kept = lucid.neg(a)
        assert lucid.stats()["bytes_live"] == before
        del kept


def test_exported_memory_outlives_the_tensor() -> None:
    t = lucid.arange(1000.0)
    view, packed = t.numpy(), np.from_dlpack(t * 2)
    t += 1
    del t
    gc.collect()
    churn = [lucid.ones(1000) * i for i in range(10)]
    lucid.eval(churn)
    np.testing.assert_array_equal(view, np.arange(1000))
    np.testing.assert_array_equal(packed, 2 * np.arange(1000))


def test_imported_arrays_are_released() -> None:
    class Owned(np.ndarray[Any, Any]):
        pass

    a = np.arange(8.0).view(Owned)
    alive = weakref.ref(a)
    t = lucid.from_numpy(a)
    y = (t * 2).sum()
    del a
    gc.collect()
    assert alive() is not None
    assert y.item() == 56
    del t, y
    lucid.eval(lucid.ones(1) + 1)
    gc.collect()
    assert alive() is None


def test_buffers() -> None:
    assert lucid.tensor(arrays.array("f", [1, 2, 3])).tolist() == [1.0, 2.0, 3.0]
    assert lucid.tensor(arrays.array("q", [1, 2])).dtype == lucid.int64
    m = memoryview(lucid.tensor([[1, 2], [3, 4]], dtype=lucid.int32))
    assert m.shape == (2, 2)
    assert m.readonly
    assert np.asarray(m).tolist() == [[1, 2], [3, 4]]
    assert bytes(memoryview(lucid.ones(2))) == np.ones(2, np.float32).tobytes()
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    same(lucid.sin(frozen) * 0 + frozen, frozen)
    with pytest.raises(TypeError, match="not supported"):
        lucid.tensor(b"abc")


def test_numpy_functions_take_tensors() -> None:
    t = lucid.tensor([1.0, 4.0])
    np.testing.assert_array_equal(np.sqrt(t), [1.0, 2.0])
    np.testing.assert_array_equal(np.stack([t, t]), [[1.0, 4.0]] * 2)
    assert isinstance(np.ones(2) * t, lucid.Tensor)
    assert isinstance(np.float32(2) * t, lucid.Tensor)
    assert isinstance(np.ones((2, 2)) @ t.double(), lucid.Tensor)
    a = np.zeros(2)
    a += t.numpy()
    a[:] = t
    np.testing.assert_array_equal(a, [1.0, 4.0])


def test_objects_with_an_array_method() -> None:
    class Holder:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return np.arange(3.0)

    assert (lucid.tensor([1.0, 1.0, 1.0]) + Holder()).tolist() == [1.0, 2.0, 3.0]
    assert lucid.tensor(Holder()).tolist() == [0.0, 1.0, 2.0]


def test_nested_lists() -> None:
    assert lucid.tensor([[1, 2], [3, 4]]).dtype == lucid.int64
    assert lucid.tensor([[1, 2.5]]).dtype == lucid.float32
    assert lucid.tensor([True, False]).dtype == lucid.bool
    assert lucid.tensor([True, 2]).dtype == lucid.int64
    assert lucid.tensor([]).shape == (0,)
    assert lucid.tensor([[], []]).shape == (2, 0)
    assert lucid.tensor(((1, 2), (3, 4))).shape == (2, 2)
    third = 1 / 3
    assert lucid.tensor([third], dtype=lucid.float64)[0].item() == third
    assert lucid.tensor(third, dtype=lucid.float64).item() == third
    assert lucid.full((2,), third, dtype=lucid.float64)[0].item() == third
    big = 2**53 + 1
    assert lucid.tensor([big]).item() == big
    rows: list[Any] = [lucid.tensor([1.0, 2.0]), np.array([3.0, 4.0], np.float32)]
    assert lucid.tensor(rows).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert lucid.ones(2).add([1, 2]).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tolist_and_item(dtype: Any) -> None:
    a = example(dtype)
    t = lucid.tensor(a)
    assert t.tolist() == a.tolist()
    assert t.T.tolist() == a.T.tolist()
    assert type(t[0, 0].item()) is type(a[0, 0].item())
    assert t[1, 2].item() == a[1, 2].item()
    assert lucid.tensor(a[0, 0]).tolist() == a[0, 0].item()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pickles_and_copies(dtype: Any, layout: str) -> None:
    a = np.asarray(LAYOUTS[layout](example(dtype)))
    t = lucid.tensor(a)
    for other in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy([t])[0]):
        same(other, a)
        assert other is not t


def test_pickles_of_dtypes_and_results() -> None:
    for name in ("float32", "float64", "int32", "int64", "bool"):
        dtype = getattr(lucid, name)
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        assert repr(dtype) == f"lucid.{name}"
        assert np.dtype(name) == np.dtype(dtype.name)
    assert lucid.float is lucid.float32
    assert lucid.long is lucid.int64
    most = pickle.loads(pickle.dumps(lucid.tensor([[1, 3], [4, 2]]).max(1)))
    assert most.values.tolist() == [3, 4]


def test_dlpack_protocol() -> None:
    t = lucid.arange(6).reshape(2, 3)
    assert t.__dlpack_device__() == (1, 0)
    assert "dltensor_versioned" in repr(t.__dlpack__(max_version=(1, 0)))
    assert '"dltensor"' in repr(t.__dlpack__())
    same(lucid.from_dlpack(t), t.numpy())
    same(lucid.from_dlpack(t.__dlpack__()), t.numpy())
    same(lucid.from_dlpack(t.__dlpack__(copy=True)), t.numpy())
    with pytest.raises(BufferError):
        t.__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError, match="not supported"):
        lucid.from_dlpack(np.ones(2, np.float16))


def test_texts() -> None:
    assert repr(lucid.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(lucid.tensor(3)) == "tensor(3)"
    assert repr(lucid.tensor([1, 2], dtype=lucid.int32)) == "tensor([1, 2], dtype=lucid.int32)"
    assert repr(lucid.zeros(0, 2)) == "tensor([], shape=(0, 2), dtype=lucid.float32)"
    assert str(lucid.tensor(True)) == "tensor(True)"
    cube = repr(lucid.zeros(2, 1, 1))
    assert cube == "tensor([[[0.]],\n\n        [[0.]]])"
    assert f"{lucid.tensor(2.0):.2f}" == "2.00"
    assert f"{lucid.tensor(7):03d}" == "007"
    assert f"{lucid.ones(1)}" == "tensor([1.])"


def test_import_needs_no_numpy() -> None:
    code = (
        "import lucid, sys; assert 'numpy' not in sys.modules; print((lucid.ones(2) + 1).tolist())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[2.0, 2.0]\n"
