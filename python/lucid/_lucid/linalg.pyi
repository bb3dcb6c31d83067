# Written by scripts/make_stubs.py from the signatures of the compiled module.
# ruff: noqa: F811

from collections.abc import Sequence
from typing import Literal

from . import return_types
from ._tensor import Tensor
from ._types import DType, TensorLike

def cholesky(input: TensorLike) -> Tensor: ...
def cross(input: TensorLike, other: TensorLike, dim: int = -1) -> Tensor: ...
def det(input: TensorLike) -> Tensor: ...
def diagonal(input: TensorLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor: ...
def inv(input: TensorLike) -> Tensor: ...
def matmul(input: TensorLike, other: TensorLike) -> Tensor: ...
def matrix_norm(
    input: TensorLike,
    ord: float | Literal["fro"] = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor: ...
def norm(
    input: TensorLike,
    ord: float | Literal["fro"] | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor: ...
def slogdet(input: TensorLike) -> return_types.slogdet: ...
def solve(input: TensorLike, other: TensorLike) -> Tensor: ...
def solve_triangular(
    input: TensorLike,
    other: TensorLike,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor: ...
def vecdot(
    input: TensorLike, other: TensorLike, dim: int | Sequence[int] | None = -1
) -> Tensor: ...
def vector_norm(
    input: TensorLike,
    ord: float = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor: ...
