# Written by scripts/make_stubs.py from the signatures of the compiled module.
# ruff: noqa: F811

from typing import NamedTuple

from ._tensor import Tensor

class max(NamedTuple):
    values: Tensor
    indices: Tensor

class min(NamedTuple):
    values: Tensor
    indices: Tensor

class sort(NamedTuple):
    values: Tensor
    indices: Tensor

class topk(NamedTuple):
    values: Tensor
    indices: Tensor

class slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class qr(NamedTuple):
    Q: Tensor
    R: Tensor

class eigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class svd(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor

class lstsq(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor
