"""What a call would make the engine do."""

from __future__ import annotations

from lucid import _lucid

TYPE_CHECKING = False  # the module typing takes longer to import than all of lucid
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def explain(func: Callable[..., Any]) -> Callable[..., str]:
    """A function that calls ``func`` and says, as text, what computing its results would take.

    The first line counts the dispatches and the bytes they read and write; then comes one line per
    program, with the operations that were fused into it, or kernel. What is pending behind the
    arguments is computed first, so that it does not count; the results are not computed.

    >>> import lucid
    >>> x = lucid.rand(1000, 64)
    >>> print(lucid.explain(lambda x: (x.sin() * 2).sum(1))(x))
    1 dispatch: reads 256 kB, writes 4 kB, 192000 operations in programs
       1  program  sin, mul, sum over (1000, 64): reads 256 kB, writes 4 kB
    <BLANKLINE>

    Raises what ``func`` raises; TypeError when ``func`` is not callable.
    """
    if not callable(func):
        raise TypeError(f"explain(): argument 'func' must be callable, not {type(func).__name__}")

    def explained(*args: Any, **kwargs: Any) -> str:
        _lucid.eval(args, kwargs)
        return _lucid._explain(func(*args, **kwargs))

    return explained
