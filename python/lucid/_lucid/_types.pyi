# Written by scripts/make_stubs.py from the signatures of the compiled module.
# ruff: noqa: F811

from collections.abc import Callable, Sequence
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
