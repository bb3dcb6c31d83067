"""What a call would make the engine do."""

from __future__ import annotations

from lucid import _lucid

TYPE_CHECKING = False  # the module typing takes longer to import than all of lucid
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Any


class Explanation(str):
    """What computing some results takes: a text, that is also a picture and a list of steps.

    ``svg`` is a picture of the graph, coloured by program, ``html`` a page with a table and the
    picture; a notebook shows it by itself. ``data`` holds the figures as a dict: ``dispatches``,
    ``fusion`` (False if turned off), ``bytes_read``, ``bytes_written``, ``flops``, ``steps`` (each
    with ``kind``, ``ops``, ``shape``, ``lanes``, bytes, flops), ``choices`` between one lane
    program and steps (each with ``operations``, ``examples``, ``batch_seconds`` and
    ``steps_seconds`` as estimated, ``chosen``) and, if measured, ``machine``,
    ``measured_seconds`` and ``estimated_seconds``, in all and of each step, which has
    ``bandwidth_share`` and ``peak_share``, too.
    """

    __slots__ = ("_json", "html", "svg")

    svg: str
    html: str
    _json: str

    def __new__(cls, text: str, json: str, svg: str, html: str) -> Explanation:
        self = super().__new__(cls, text)
        self._json, self.svg, self.html = json, svg, html
        return self

    @property
    def text(self) -> str:
        """The text alone."""
        return str.__str__(self)

    @property
    def data(self) -> dict[str, Any]:
        """The figures."""
        import json

        return json.loads(self._json)  # type: ignore[no-any-return]

    @property
    def dispatches(self) -> int:
        """How many programs and kernels run."""
        return int(self.data["dispatches"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the form that the name asks for: .txt, .json, .svg or .html."""
        import pathlib

        forms = {".txt": self.text, ".json": self._json, ".svg": self.svg, ".html": self.html}
        path = pathlib.Path(path)
        if path.suffix not in forms:
            raise ValueError(
                f"save(): path must end in one of {', '.join(forms)}, not {path.suffix!r}"
            )
        path.write_text(forms[path.suffix], encoding="utf-8")

    def __str__(self) -> str:
        return str.__str__(self)

    def __repr__(self) -> str:
        return self.text.rstrip("\n")

    def _repr_html_(self) -> str:
        return self.html

    def __reduce__(self) -> tuple[Any, ...]:
        return (Explanation, (self.text, self._json, self.svg, self.html))


def explain(func: Callable[..., Any], *, measure: bool = False) -> Callable[..., Explanation]:
    """A function that calls ``func`` and says what computing its results takes.

    The first line counts the dispatches, the bytes they read and write, and the operations on
    floats (one per element, ``exp`` and its like too); then comes one line per program, with the
    operations that were fused into it, or kernel. "lanes" says what lies side by side in the SIMD
    registers: ``elements`` of one value, the same element of a ``batch`` of examples, or what a
    ``library`` (the BLAS) makes of it. What is pending behind the arguments is computed first, so
    that it does not count; the results are not computed.

    ``measure=True`` runs the plan a few times and adds how long each step takes, how long it would
    at the speed of this machine, and what share of its bandwidth and peak that is. The machine is
    measured once, in a fraction of a second.

    The :class:`Explanation` is a ``str``; its ``svg``, ``html``, ``data`` and ``save(path)`` say
    the same in other forms.

    >>> import lucid
    >>> x = lucid.rand(1000, 64)
    >>> lucid.explain(lambda x: (x.sin() * 2).sum(1))(x)
    1 dispatch: reads 256 kB, writes 4 kB, 192 kFLOP
       1  program  sin, mul, sum over (1000, 64), lanes = elements: reads 256 kB, writes 4 kB, 192 kFLOP

    Raises what ``func`` raises; TypeError when ``func`` is not callable.
    """  # noqa: E501
    if not callable(func):
        raise TypeError(f"explain(): argument 'func' must be callable, not {type(func).__name__}")

    if not isinstance(measure, bool):
        raise TypeError(
            f"explain(): argument 'measure' must be a bool, not {type(measure).__name__}"
        )
    func = _lucid._uncompiled(func)  # whose results are pending, under the same plan

    def explained(*args: Any, **kwargs: Any) -> Explanation:
        _lucid.eval(args, kwargs)
        results = func(*args, **kwargs)
        parts = results if type(results) is tuple else (results,)
        return Explanation(*_lucid._explain(*parts, measure=measure))

    return explained


class CacheInfo(tuple[int, int, int, int, int, int]):
    """Of the plan cache: hits, misses, maxsize, currsize, maxbytes and currbytes."""

    __slots__ = ()

    hits = property(lambda self: self[0], doc="Evaluations that found their plan.")
    misses = property(lambda self: self[1], doc="Evaluations that had to make one.")
    maxsize = property(lambda self: self[2], doc="How many plans are kept at most.")
    currsize = property(lambda self: self[3], doc="How many plans are kept now.")
    maxbytes = property(lambda self: self[4], doc="How many bytes they may take at most.")
    currbytes = property(lambda self: self[5], doc="How many bytes they take now.")

    def __repr__(self) -> str:
        names = ("hits", "misses", "maxsize", "currsize", "maxbytes", "currbytes")
        return f"CacheInfo({', '.join(f'{n}={v}' for n, v in zip(names, self, strict=True))})"


def cache_info() -> CacheInfo:
    """How often a plan was found in the cache, and how full it is.

    A plan is made once for each structure of work (operations, shapes, dtypes); numbers, also
    those written in the program, are not part of it. A compiled function keeps its plan itself,
    and is not counted when it runs it.

    >>> import lucid
    >>> x = lucid.tensor([1.0, 2.0])
    >>> before = lucid.cache_info()
    >>> for step in (0.1, 0.2, 0.3):
    ...     lucid.eval(x * step - step)
    >>> lucid.cache_info().hits - before.hits >= 2
    True
    """
    stats = _lucid.stats()
    return CacheInfo(
        stats[name]
        for name in (
            "plans_reused",
            "plans_built",
            "plans_most",
            "plans_kept",
            "plans_bytes_most",
            "plans_bytes",
        )
    )
