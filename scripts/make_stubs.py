"""Writes the type stubs of the compiled module from its docstrings' signatures.

usage: .venv/bin/python scripts/make_stubs.py [--check]

Run it after an operation was added or changed; --check only says whether it needs to be run. Names
and defaults come from the module itself; types are named here by operation and parameter.
"""

import argparse
import inspect
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import lucid._lucid as compiled

ROOT = Path(__file__).resolve().parent.parent
STUBS = ROOT / "python" / "lucid" / "_lucid"

HEADER = (
    "# Written by scripts/make_stubs.py from the signatures of the compiled module.\n"
    "# ruff: noqa: F811\n\n"
)

# -- types of parameters, by name, and where an operation differs, by "operation.name" -------------

ONE_DIM = "int"
DIMS = "int | Sequence[int] | None"
SIZES = "int | Sequence[int]"

PARAMETERS = {
    "alpha": "Number",
    "approximate": "Literal['none', 'tanh']",
    "array": "Array",
    "atol": "float",
    "beta": "Number",
    "bias": "TensorLike | None",
    "chunks": "int",
    "chunk_size": "int | None",
    "copy": "bool | None",
    "correction": "Number",
    "data": "TensorLike",
    "descending": "bool",
    "diagonal": "int",
    "dim": ONE_DIM,
    "dim0": "int",
    "dim1": "int",
    "dim2": "int",
    "dl_device": "tuple[int, int] | None",
    "dtype": "DType | None",
    "end_dim": "int",
    "eps": "float",
    "equal_nan": "bool",
    "equation": "str",
    "fill_value": "TensorLike",
    "generator": "Generator | None",
    "body_fn": "Callable[..., Any]",
    "branches": "Sequence[Callable[..., Any]]",
    "cond_fn": "Callable[..., Any]",
    "checkpoint_every": "int",
    "f": "Callable[..., Any]",
    "false_fn": "Callable[..., Any]",
    "gradient": "TensorLike | None",
    "indexing": "Literal['ij', 'xy']",
    "indices": "TensorLike",
    "k": "int",
    "keepdim": "bool",
    "largest": "bool",
    "left": "bool",
    "length": "int",
    "m": "int | None",
    "max": "TensorLike | None",
    "max_steps": "int",
    "max_version": "tuple[int, int] | None",
    "memo": "Any",
    "min": "TensorLike | None",
    "n": "int",
    "num_samples": "int",
    "nan": "TensorLike",
    "neginf": "TensorLike | None",
    "negative_slope": "float",
    "new_state": "tuple[int, int]",
    "normalized_shape": SIZES,
    "num_classes": "int",
    "obj": "object",
    "offset": "int",
    "operands": "TensorLike",
    "pad": "Sequence[int]",
    "posinf": "TensorLike | None",
    "reverse": "bool",
    "reduction": "Literal['mean', 'sum', 'none']",
    "repeats": "int",
    "replacement": "bool",
    "requires_grad": "bool",
    "retain_graph": "bool | None",
    "rounding_mode": "Literal['floor', 'trunc'] | None",
    "rtol": "float",
    "seed": "int",
    "size": SIZES,
    "sizes": SIZES,
    "sorted": "bool",
    "spec": "str",
    "split_size": "int | Sequence[int]",
    "stable": "bool",
    "start_dim": "int",
    "steps": "int",
    "stream": "None",
    "tensors": "Sequence[TensorLike] | Tensor",
    "threshold": "TensorLike",
    "training": "bool",
    "true_fn": "Callable[..., Any]",
    "unbiased": "bool | None",
    "unitriangular": "bool",
    "upper": "bool",
    "value": "TensorLike",
    "weight": "TensorLike",
    "accumulate": "bool",
    "as_tuple": "bool",
}

BY_OPERATION = {
    "cond.operands": "Any",
    "switch.operands": "Any",
    "fori_loop.init": "Any",
    "map.xs": "Any",
    "scan.init": "Any",
    "scan.xs": "Any",
    "while_loop.init": "Any",
    "__array__.dtype": "Any",
    "_rebuild_tensor.data": "bytes",
    "_uncompiled.func": "Callable[..., Any]",
    "_rebuild_tensor.dtype": "DType",
    "arange.end": "float | None",
    "arange.start": "float",
    "arange.step": "float",
    "bernoulli_.p": "TensorLike",
    "broadcast_tensors.tensors": "TensorLike",
    "cumprod.dim": ONE_DIM,
    "dropout.p": "float",
    "elu.alpha": "float",
    "embedding.weight": "TensorLike",
    "eval.tensors": "Any",
    "stop_gradient.x": "Any",
    "exponential.size": "int | Sequence[int] | None",
    "exponential_.lambd": "float",
    "flip.dims": SIZES,
    "from_dlpack.ext_tensor": "Any",
    "hardtanh.max_val": "TensorLike",
    "hardtanh.min_val": "TensorLike",
    "index_put.indices": "Sequence[TensorLike]",
    "index_put_.indices": "Sequence[TensorLike]",
    "layer_norm.weight": "TensorLike | None",
    "linspace.end": "float",
    "linspace.start": "float",
    "max.dim": "int | None",
    "meshgrid.tensors": "TensorLike",
    "min.dim": "int | None",
    "movedim.destination": SIZES,
    "movedim.source": SIZES,
    "narrow.start": "int",
    "norm.ord": "float | Literal['fro'] | None",
    "norm.p": "float | Literal['fro']",
    "matrix_norm.ord": "float | Literal['fro']",
    "normal.size": "int | Sequence[int] | None",
    "uniform.size": "int | Sequence[int] | None",
    "normal_.mean": "float",
    "normal_.std": "float",
    "normalize.p": "float",
    "pad.mode": "Literal['constant']",
    "pad.value": "TensorLike | None",
    "permute.dims": SIZES,
    "randint.high": "int | Sequence[int] | None",
    "randint.low": "int",
    "randint.size": "int | Sequence[int] | None",
    "randint_like.high": "int | None",
    "randint_like.low": "int",
    "repeat.repeats": SIZES,
    "repeat_interleave.dim": "int | None",
    "reshape.shape": SIZES,
    "roll.dims": "int | Sequence[int] | None",
    "roll.shifts": SIZES,
    "scatter.src": "TensorLike | None",
    "scatter.value": "TensorLike | None",
    "scatter_.src": "TensorLike | None",
    "scatter_.value": "TensorLike | None",
    "select.index": "int",
    "set_memory_budget.bytes": "int | None",
    "set_num_threads.n": "int",
    "size.dim": "int | None",
    "softplus.beta": "TensorLike",
    "squeeze.dim": DIMS,
    "take_along_dim.dim": "int | None",
    "tensordot.dims": "int | Sequence[int | Sequence[int]]",
    "tile.dims": SIZES,
    "to.dtype": "DType | Tensor",
    "uniform_.high": "float",
    "uniform_.low": "float",
    "vector_norm.ord": "float",
    "view.shape": SIZES,
}

REDUCTIONS = {
    *("sum", "prod", "mean", "amax", "amin", "any", "all", "logsumexp", "var", "std", "norm"),
    *("count_nonzero", "vector_norm", "matrix_norm", "normalize", "cosine_similarity", "vecdot"),
}
FLAT_WITHOUT_DIM = {"argmax", "argmin"}

RETURNS = {
    "cond": "Any",
    "while_loop": "Any",
    "fori_loop": "Any",
    "switch": "Any",
    "scan": "tuple[Any, Any]",
    "map": "Any",
    "__array__": "Any",
    "_derivative": "str | None",
    "__copy__": "Tensor",
    "__deepcopy__": "Tensor",
    "__dlpack__": "Any",
    "__dlpack_device__": "tuple[int, int]",
    "__format__": "str",
    "__reduce__": "tuple[Any, ...]",
    "allclose": "bool",
    "backward": "None",
    "broadcast_tensors": "tuple[Tensor, ...]",
    "chunk": "tuple[Tensor, ...]",
    "dim": "int",
    "element_size": "int",
    "equal": "bool",
    "eval": "None",
    "stop_gradient": "Any",
    "get_memory_budget": "int",
    "get_num_threads": "int",
    "get_rng_state": "tuple[int, int]",
    "initial_seed": "int",
    "instruction_set": "str",
    "is_contiguous": "bool",
    "is_floating_point": "bool",
    "is_tensor": "bool",
    "item": "float",
    "manual_seed": "Generator",
    "meshgrid": "tuple[Tensor, ...]",
    "numel": "int",
    "numpy": "NumPyArray",
    "result_type": "_dtype",
    "seed": "int",
    "set_memory_budget": "None",
    "set_num_threads": "None",
    "set_rng_state": "None",
    "slogdet": "return_types.slogdet",
    "qr": "return_types.qr",
    "eigh": "return_types.eigh",
    "svd": "return_types.svd",
    "lstsq": "return_types.lstsq",
    "sort": "return_types.sort",
    "split": "tuple[Tensor, ...]",
    "stats": "dict[str, int]",
    "_explain": "tuple[str, str, str, str]",
    "_uncompiled": "Callable[..., Any]",
    "tolist": "Any",
    "topk": "return_types.topk",
    "unbind": "tuple[Tensor, ...]",
}

# Operations whose result depends on their arguments.
OVERLOADS = {
    "max": [
        ("{0}, dim: None = None, keepdim: bool = False", "Tensor"),
        ("{0}, dim: int, keepdim: bool = False", "return_types.max"),
        ("{0}, dim: Tensor", "Tensor"),
    ],
    "min": [
        ("{0}, dim: None = None, keepdim: bool = False", "Tensor"),
        ("{0}, dim: int, keepdim: bool = False", "return_types.min"),
        ("{0}, dim: Tensor", "Tensor"),
    ],
    "nonzero": [
        ("{0}, *, as_tuple: Literal[False] = False", "Tensor"),
        ("{0}, *, as_tuple: Literal[True]", "tuple[Tensor, ...]"),
    ],
    "size": [
        ("{0}, dim: None = None", "tuple[int, ...]"),
        ("{0}, dim: int", "int"),
    ],
}
FUNCTION_OVERLOADS = {
    "where": [
        ("condition: TensorLike, input: TensorLike, other: TensorLike", "Tensor"),
        ("condition: TensorLike", "tuple[Tensor, ...]"),
    ],
}

# -- signatures ------------------------------------------------------------------------------------


def parameter_type(operation: str, name: str) -> str:
    plain = operation.removesuffix("_")
    for key in (f"{operation}.{name}", f"{plain}.{name}"):
        if key in BY_OPERATION:
            return BY_OPERATION[key]
    if name == "dim" and plain in REDUCTIONS:
        return DIMS
    if name == "dim" and plain in FLAT_WITHOUT_DIM:
        return "int | None"
    return PARAMETERS.get(name, "TensorLike")


def parameters(operation: str, signature: inspect.Signature, method: bool) -> str:
    parts = []
    star = False
    for p in signature.parameters.values():
        if p.name == "self" and method:
            parts.append("self")
            continue
        kind = parameter_type(operation, p.name)
        if p.kind is p.VAR_POSITIONAL:
            parts.append(f"*{p.name}: {kind}")
            star = True
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        default = "" if p.default is p.empty else f" = {p.default!r}"
        if p.default is None and "None" not in kind and kind != "Any":
            kind += " | None"
        parts.append(f"{p.name}: {kind}{default}")
    return ", ".join(parts)


def definition(name: str, function: object, method: bool) -> Iterator[str]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    operation = name
    in_place = not operation.startswith("_") and operation.endswith("_")
    indent = "    " if method else ""
    overloads = OVERLOADS if method else OVERLOADS | FUNCTION_OVERLOADS
    if operation in overloads:
        first = "self" if method else "input: TensorLike"
        for text, result in overloads[operation]:
            yield f"{indent}@overload"
            yield f"{indent}def {name}({text.format(first)}) -> {result}: ..."
        return
    result = RETURNS.get(operation, "Tensor")
    if in_place:
        result = "Tensor"
    yield f"{indent}def {name}({parameters(operation, signature, method)}) -> {result}: ..."


def is_alias(name: str, function: object) -> bool:
    return getattr(function, "__name__", name) != name


def functions(module: types.ModuleType) -> Iterator[str]:
    names = sorted(vars(module))
    for name in names:
        value = getattr(module, name)
        if name == "vmap":  # in lucid.func
            continue
        if isinstance(value, types.BuiltinFunctionType) and not is_alias(name, value):
            yield from definition(name, value, method=False)
    for name in names:
        value = getattr(module, name)
        if isinstance(value, types.BuiltinFunctionType) and is_alias(name, value):
            yield f"{name} = {value.__name__}"


def methods() -> Iterator[str]:
    members = vars(compiled.Tensor)
    for name in sorted(members):
        value = members[name]
        if isinstance(value, types.MethodDescriptorType) and not is_alias(name, value):
            yield from definition(name, value, method=True)
    for name in sorted(members):
        value = members[name]
        if isinstance(value, types.MethodDescriptorType) and is_alias(name, value):
            yield f"    {name} = {value.__name__}"


# -- the files -------------------------------------------------------------------------------------

TYPES = """from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import (
    Any,
    ParamSpec,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    final,
    overload,
)

import numpy as np
from typing_extensions import Buffer

from ._tensor import Tensor

_P = ParamSpec("_P")
_R = TypeVar("_R")

class SupportsArray(Protocol):
    def __array__(self) -> Any: ...

class HasName(Protocol):
    @property
    def name(self) -> str: ...

Array: TypeAlias = Buffer | SupportsArray
# Whatever holds numbers: operations take all of these where they take tensors.
TensorLike: TypeAlias = Tensor | float | Array | Sequence[TensorLike]
Number: TypeAlias = float | Tensor
NumPyArray: TypeAlias = np.ndarray[Any, np.dtype[Any]]
DType: TypeAlias = dtype | type[Any] | str | HasName
IndexItem: TypeAlias = SupportsIndex | slice | EllipsisType | TensorLike | None
Index: TypeAlias = IndexItem | tuple[IndexItem, ...]

class DivergenceError(RuntimeError): ...

@final
class dtype:
    @property
    def name(self) -> str: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def is_floating_point(self) -> bool: ...
    def __reduce__(self) -> str: ...

@final
class Generator:
    def __new__(cls, seed: int = 0) -> Generator: ...
    def manual_seed(self, seed: int, /) -> Generator: ...
    def seed(self) -> int: ...
    def initial_seed(self) -> int: ...
    def get_state(self) -> tuple[int, int]: ...
    def set_state(self, state: tuple[int, int], /) -> Generator: ...

@final
class NoGrad:
    def __call__(self, func: Callable[_P, _R]) -> Callable[_P, _R]: ...
    def __enter__(self) -> NoGrad: ...
    def __exit__(self, *args: object) -> None: ...

@overload
def no_grad() -> NoGrad: ...
@overload
def no_grad(func: Callable[_P, _R]) -> Callable[_P, _R]: ...
"""

IMPORTS = """from builtins import bool as _bool, float as _float, int as _int
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, final, overload

from . import return_types
from ._tensor import Tensor
from ._types import Array, DType, Generator, Index, Number, NumPyArray, TensorLike
from ._types import dtype as _dtype
"""

TENSOR = """
@final
class Tensor:
    __array_priority__: int
    grad: Tensor | None
    requires_grad: bool
    def __new__(cls, data: TensorLike, dtype: DType | None = None) -> Tensor: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def T(self) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    @property
    def data(self) -> Tensor: ...
    @property
    def dtype(self) -> _dtype: ...
    @property
    def is_leaf(self) -> bool: ...
    def __getitem__(self, index: Index, /) -> Tensor: ...
    def __setitem__(self, index: Index, value: TensorLike, /) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __contains__(self, value: object, /) -> bool: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __hash__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __index__(self) -> int: ...
"""

NAMESPACES = ["func", "functional", "linalg", "return_types"]
TYPE_NAMES = ["DivergenceError", "Generator", "dtype", "no_grad"]

FUNC = """from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, final, overload

from lucid._lucid import Tensor

_R = TypeVar("_R")
# An int, None, or tuples, lists and dicts of them.
_Dims: TypeAlias = int | tuple[_Dims, ...] | list[_Dims] | dict[Any, _Dims] | None
_Argnums: TypeAlias = int | tuple[int, ...]

@final
class _LinearFunction:
    def __call__(self, *args: Any) -> Any: ...

def vmap(
    func: Callable[..., Any],
    in_dims: _Dims = 0,
    out_dims: _Dims = 0,
    randomness: Literal["error", "different", "same"] = "error",
    chunk_size: int | Literal["auto"] | None = None,
    strategy: Literal["auto", "vectorized", "isolated"] = "auto",
    axis_name: str | None = None,
    max_paths: int = 1000,
) -> Callable[..., Any]: ...
def grad(
    func: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]: ...
def grad_and_value(
    func: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]: ...
def jacrev(
    func: Callable[..., Any],
    argnums: _Argnums = 0,
    has_aux: bool = False,
    chunk_size: int | Literal["auto"] | None = None,
) -> Callable[..., Any]: ...
def jacfwd(
    func: Callable[..., Any],
    argnums: _Argnums = 0,
    has_aux: bool = False,
    chunk_size: int | Literal["auto"] | None = None,
) -> Callable[..., Any]: ...
def hessian(
    func: Callable[..., Any],
    argnums: _Argnums = 0,
    has_aux: bool = False,
    chunk_size: int | Literal["auto"] | None = None,
) -> Callable[..., Any]: ...
@overload
def vjp(
    func: Callable[..., _R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[_R, _LinearFunction]: ...
@overload
def vjp(
    func: Callable[..., _R], *primals: Any, has_aux: Literal[True]
) -> tuple[_R, _LinearFunction]: ...
@overload
def jvp(
    func: Callable[..., _R],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    strict: bool = False,
    has_aux: Literal[False] = False,
) -> tuple[_R, _R]: ...
@overload
def jvp(
    func: Callable[..., tuple[_R, Any]],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    strict: bool = False,
    *,
    has_aux: Literal[True],
) -> tuple[_R, _R, Any]: ...
def last_paths() -> dict[str, Any]: ...
def linearize(func: Callable[..., _R], *primals: Any) -> tuple[_R, _LinearFunction]: ...
def psum(x: Any, axis_name: str | tuple[str, ...]) -> Any: ...
def pmean(x: Any, axis_name: str | tuple[str, ...]) -> Any: ...
def pmax(x: Any, axis_name: str | tuple[str, ...]) -> Any: ...
def pmin(x: Any, axis_name: str | tuple[str, ...]) -> Any: ...
def all_gather(x: Any, axis_name: str, dim: int = 0) -> Any: ...
def axis_index(axis_name: str) -> Tensor: ...
def axis_size(axis_name: str) -> int: ...
def checkpoint(func: Callable[..., _R]) -> Callable[..., _R]: ...
def compile(func: Callable[..., _R]) -> Callable[..., _R]: ...
def _call_custom_jvp(
    func: Callable[..., Any], rule: Callable[..., Any], args: tuple[Any, ...]
) -> Any: ...
def _call_custom_vjp(
    func: Callable[..., Any],
    fwd: Callable[..., Any],
    bwd: Callable[..., Any],
    args: tuple[Any, ...],
) -> Any: ...
def _call_custom_vmap(
    func: Callable[..., Any], rule: Callable[..., Any], args: tuple[Any, ...]
) -> Any: ...
"""

OPERATORS = "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul".split()
UNARY_OPERATORS = "neg pos abs invert".split()
COMPARISONS = "lt le gt ge".split()


def operators() -> Iterator[str]:
    for name in OPERATORS:
        # The reflected and in-place powers have no modulus.
        modulus = ", mod: None = None" if name == "pow" else ""
        note = "  # type: ignore[misc]" if name == "pow" else ""
        yield f"    def __{name}__(self, other: TensorLike{modulus}, /) -> Tensor: ..."
        yield f"    def __r{name}__(self, other: TensorLike{modulus}, /) -> Tensor: ..."
        yield f"    def __i{name}__(self, other: TensorLike, /) -> Tensor: ...{note}"
    for name in ("divmod", "rdivmod"):
        yield f"    def __{name}__(self, other: TensorLike, /) -> tuple[Tensor, Tensor]: ..."
    for name in UNARY_OPERATORS:
        yield f"    def __{name}__(self) -> Tensor: ..."
    for name in COMPARISONS:
        yield f"    def __{name}__(self, other: TensorLike, /) -> Tensor: ..."
    for name in ("eq", "ne"):
        yield (
            f"    def __{name}__(self, other: object, /) -> Tensor: ...  # type: ignore[override]"
        )


def unshadowed(line: str) -> str:
    """int, float and bool as types, where lucid.int and Tensor.int hide them."""
    names = r"(?<![\w.'])(int|float|bool)(?![\w'(])"
    definition = re.match(r"\s*(def \w+|\w+:) ?", line)
    head = definition.end() if definition else 0
    return line[:head] + re.sub(names, r"_\1", line[head:])


def tensor_stub() -> str:
    body = [*TENSOR.splitlines(), *operators(), *methods()]
    imports = IMPORTS.replace("from ._tensor import Tensor\n", "")
    return imports + "\n".join(map(unshadowed, body))


def functions_stub() -> str:
    return IMPORTS + "\n".join(map(unshadowed, functions(compiled)))


def main_stub() -> str:
    values = {name: getattr(compiled, name) for name in compiled.__all__}
    dtypes = [name for name, value in values.items() if isinstance(value, compiled.dtype)]
    private = sorted(name for name in vars(compiled) if re.match("_[a-z]", name))
    return "\n".join(
        [
            "# ruff: noqa: F403, F405",
            "from builtins import float as _float",
            "from typing import Final",
            *(f"from . import {name} as {name}" for name in NAMESPACES),
            "from ._functions import *",
            *(f"from ._functions import {name} as {name}" for name in private),
            "from ._tensor import Tensor as Tensor",
            *(f"from ._types import {name} as {name}" for name in TYPE_NAMES),
            "from .func import vmap as vmap",
            "",
            "__version__: Final[str]",
            *(f"{name}: Final[_float]" for name in ("e", "inf", "nan", "pi")),
            "default_generator: Generator",
            *(f"{name}: dtype" for name in dtypes),
            "",
            f"__all__ = {compiled.__all__!r}",
        ]
    )


def namespace_stub(module: types.ModuleType) -> str:
    return IMPORTS + "\n".join(functions(module))


def return_types_stub() -> str:
    lines = ["from typing import NamedTuple\n\nfrom ._tensor import Tensor\n"]
    for name in ("max", "min", "sort", "topk"):
        lines.append(f"class {name}(NamedTuple):\n    values: Tensor\n    indices: Tensor\n")
    named = {
        "slogdet": ("sign", "logabsdet"),
        "qr": ("Q", "R"),
        "eigh": ("eigenvalues", "eigenvectors"),
        "svd": ("U", "S", "Vh"),
        "lstsq": ("solution", "residuals", "rank", "singular_values"),
    }
    for name, fields in named.items():
        lines.append(f"class {name}(NamedTuple):")
        lines += [f"    {field}: Tensor" for field in fields]
    return "\n".join(lines)


def formatted(text: str) -> str:
    """With sorted imports, without unused ones, in the project's format."""
    text = HEADER + text
    for step in (["check", "--select", "I,F401,RUF022", "--fix"], ["format"]):
        command = [sys.executable, "-m", "ruff", *step, "--stdin-filename", "stub.pyi", "-"]
        text = subprocess.run(
            command, cwd=ROOT, input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


def stubs() -> dict[Path, str]:
    texts = {
        "__init__": main_stub(),
        "_functions": functions_stub(),
        "_tensor": tensor_stub(),
        "_types": TYPES,
        "func": FUNC,
        "functional": namespace_stub(compiled.functional),
        "linalg": namespace_stub(compiled.linalg),
        "return_types": return_types_stub(),
    }
    return {STUBS / f"{name}.pyi": formatted(text) for name, text in texts.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    options = parser.parse_args()
    old = [path for path, text in stubs().items() if not path.exists() or path.read_text() != text]
    if options.check:
        for path in old:
            print(f"{path.relative_to(ROOT)} is out of date: run scripts/make_stubs.py")
        return int(bool(old))
    STUBS.mkdir(exist_ok=True)
    for path, text in stubs().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
