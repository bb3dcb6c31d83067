"""What pickle and copy do with functions that lucid makes."""

from __future__ import annotations

import sys

import lucid

TYPE_CHECKING = False  # the module typing takes longer to import than all of lucid
if TYPE_CHECKING:
    from typing import Any


def global_name(o: Any) -> str | None:
    """The name by which o is found in its module, as pickle finds functions; None: it is not."""
    name = getattr(o, "__qualname__", None)
    found: Any = sys.modules.get(getattr(o, "__module__", None) or "")
    for part in name.split(".") if found and isinstance(name, str) else ():
        found = getattr(found, part, None)
    return name if found is o else None


def reduce_transformed(f: Any, name: str, arguments: tuple[Any, ...]) -> Any:
    """For vmap(g) and its like: the name of a decorated function, else how it was made."""
    make = getattr(lucid.func, name, None) or getattr(lucid, name)
    return global_name(f) or (make, arguments, vars(f) or None)


def make_again(kind: type, state: dict[str, Any]) -> Any:
    """A custom_jvp, custom_vjp or custom_vmap."""
    f: Any = object.__new__(kind)
    vars(f).update(state)
    return f


def refuse_linear(name: str) -> None:
    raise TypeError(
        f"{name}: what vjp and linearize give holds a record of the run that made it, and cannot "
        "be pickled; pickle the function and the primals, and call vjp or linearize there"
    )
