"""What NumPy's functions do with tensors.

They compute on the values and give arrays. Where that would lose a derivative without a word, they
are an error that names the function of lucid to use. An operator between an array and a tensor is
that of the tensor.
"""

from __future__ import annotations

from lucid import _lucid

TYPE_CHECKING = False  # the module typing takes longer to import than all of lucid
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The functions behind NumPy's operators, where lucid calls them otherwise.
OPERATORS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "floor_divide": "floor_divide",
    "remainder": "remainder",
    "power": "pow",
    "matmul": "matmul",
    "bitwise_and": "bitwise_and",
    "bitwise_or": "bitwise_or",
    "bitwise_xor": "bitwise_xor",
    "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift",
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
    "greater": "gt",
    "greater_equal": "ge",
}

OTHER_NAMES = {
    "absolute": "abs",
    "negative": "neg",
    "concatenate": "cat",
    "mod": "remainder",
    "invert": "bitwise_not",
}


def _name_in_lucid(name: str) -> str | None:
    """Where lucid has the function that NumPy calls `name`."""
    within, _, last = name.rpartition(".")
    places = [(_lucid, "lucid"), (_lucid.linalg, "lucid.linalg")]
    if within == "linalg":
        places.reverse()
    last = OPERATORS.get(last) or OTHER_NAMES.get(last, last)
    for module, place in places:
        if callable(getattr(module, last, None)):
            return f"{place}.{last}"
    return None


def _tensors_in(o: Any) -> list[Any]:
    if isinstance(o, _lucid.Tensor):
        return [o]
    if isinstance(o, dict):
        o = o.values()
    elif not isinstance(o, tuple | list):
        return []
    return [t for part in o for t in _tensors_in(part)]


def _arrays_for(o: Any) -> Any:
    """The same structure with arrays in the place of tensors."""
    if isinstance(o, _lucid.Tensor):
        return o.numpy()
    if isinstance(o, dict):
        return {key: _arrays_for(value) for key, value in o.items()}
    if type(o) in (tuple, list):
        return type(o)(map(_arrays_for, o))
    return o


def _check(name: str, *inputs: Any) -> None:
    for t in _tensors_in(inputs):
        if why := t._derivative():
            use = _name_in_lucid(name)
            use = f"use {use}" if use else "use functions of lucid"
            raise RuntimeError(
                f"numpy.{name}: the tensor {why}, and what NumPy computes is constant to the "
                f"derivative; {use}, or x.detach() where a constant is meant"
            )


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """For numpy.sin and its like."""
    import numpy

    name = ufunc.__name__
    if _tensors_in(options.get("out", ())):
        raise TypeError(f"numpy.{name}: out must be an array; the memory of a tensor is read-only")
    # NumPy's operators come here too, as calls like any other.
    called = method == "__call__" and not options and len(inputs) == 2
    arrays = numpy.ndarray | numpy.generic
    if called and name in OPERATORS and any(isinstance(x, arrays) for x in inputs):
        return getattr(_lucid, OPERATORS[name])(*inputs)
    _check(name if method == "__call__" else f"{name}.{method}", inputs, options)
    return getattr(ufunc, method)(*_arrays_for(inputs), **_arrays_for(options))


def array_function(
    self: Any, func: Callable[..., Any], types: Any, args: Any, options: dict[str, Any]
) -> Any:
    """For numpy.sum, numpy.stack and the rest."""
    module = func.__module__.removeprefix("numpy").lstrip(".")
    _check(f"{module}.{func.__name__}" if module else func.__name__, args, options)
    return func(*_arrays_for(args), **_arrays_for(options))


for _name, _function in (("__array_ufunc__", array_ufunc), ("__array_function__", array_function)):
    setattr(_lucid.Tensor, _name, _function)
