# Written by scripts/make_stubs.py from the signatures of the compiled module.
# ruff: noqa: F811

from collections.abc import Sequence
from typing import Literal

from . import Tensor, _DType, _TensorLike, return_types

def cholesky(input: _TensorLike) -> Tensor: ...
def cross(input: _TensorLike, other: _TensorLike, dim: int = -1) -> Tensor: ...
def det(input: _TensorLike) -> Tensor: ...
def diagonal(input: _TensorLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor: ...
def inv(input: _TensorLike) -> Tensor: ...
def matmul(input: _TensorLike, other: _TensorLike) -> Tensor: ...
def matrix_norm(
    input: _TensorLike,
    ord: float | Literal["fro"] = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor: ...
def norm(
    input: _TensorLike,
    ord: float | Literal["fro"] | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor: ...
def slogdet(input: _TensorLike) -> return_types.slogdet: ...
def solve(input: _TensorLike, other: _TensorLike) -> Tensor: ...
def solve_triangular(
    input: _TensorLike,
    other: _TensorLike,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
) -> Tensor: ...
def vecdot(
    input: _TensorLike, other: _TensorLike, dim: int | Sequence[int] | None = -1
) -> Tensor: ...
def vector_norm(
    input: _TensorLike,
    ord: float = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: _DType | None = None,
) -> Tensor: ...
