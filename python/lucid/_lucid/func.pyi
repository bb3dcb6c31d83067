# Written by scripts/make_stubs.py from the signatures of the compiled module.
# ruff: noqa: F811

from collections.abc import Callable
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
