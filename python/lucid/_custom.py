"""Functions with rules of their own: custom_jvp, custom_vjp, custom_vmap."""

from __future__ import annotations

from lucid._lucid import func as _func

TYPE_CHECKING = False  # the module typing takes longer to import than all of lucid
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Custom:
    """A function that stands in the place of ``fun``, and looks like it."""

    _how: str  # what gives it its rule

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: int | tuple[int, ...] = ()
    ) -> None:
        name = type(self).__name__
        if not callable(fun):
            raise TypeError(f"{name}(): argument 'fun' must be callable, not {type(fun).__name__}")
        argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums
        if not isinstance(argnums, tuple) or not all(type(i) is int and i >= 0 for i in argnums):
            raise TypeError(
                f"{name}(): nondiff_argnums must be an int >= 0 or a tuple of them, "
                f"not {nondiff_argnums!r}"
            )
        self.__wrapped__ = fun
        self._fixed = frozenset(argnums)
        self._rules: tuple[Callable[..., Any], ...] = ()
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            if hasattr(fun, attribute):
                setattr(self, attribute, getattr(fun, attribute))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.__wrapped__!r}>"

    def __reduce__(self) -> Any:
        from lucid._pickling import global_name, make_again

        return global_name(self) or (make_again, (type(self), vars(self)))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        from types import MethodType

        return MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _set(self, *rules: Callable[..., Any]) -> None:
        for rule in rules:
            if not callable(rule):
                raise TypeError(
                    f"{type(self).__name__}: a rule must be callable, not {type(rule).__name__}"
                )
        self._rules = rules

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments by position, defaults included."""
        if not self._rules:
            name = getattr(self, "__name__", "func")
            raise RuntimeError(
                f"{type(self).__name__}: {name} has no rule; give it one with {name}.{self._how}"
            )
        if kwargs:
            import inspect

            bound = inspect.signature(self.__wrapped__).bind(*args, **kwargs)
            bound.apply_defaults()
            if bound.kwargs:
                raise TypeError(
                    f"{type(self).__name__}: arguments that are keywords only cannot be given: "
                    + ", ".join(bound.kwargs)
                )
            args = bound.args
        if any(i >= len(args) for i in self._fixed):
            raise ValueError(
                f"{type(self).__name__}: nondiff_argnums {tuple(sorted(self._fixed))} is out of "
                f"range for a call with {len(args)} arguments"
            )
        return args

    def _part(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The arguments that are not differentiated, and those that are."""
        fixed = self._fixed
        return (
            tuple(a for i, a in enumerate(args) if i in fixed),
            tuple(a for i, a in enumerate(args) if i not in fixed),
        )

    def _whole(
        self, func: Callable[..., Any], fixed: tuple[Any, ...], count: int
    ) -> Callable[..., Any]:
        """func of the differentiated arguments alone."""
        if not self._fixed:
            return func

        def of_differentiated(*args: Any) -> Any:
            rest, kept = iter(args), iter(fixed)
            return func(*[next(kept if i in self._fixed else rest) for i in range(count)])

        return of_differentiated


class custom_jvp(_Custom):
    """A function whose derivative is given by a rule of its own, in both modes.

    ``@f.defjvp`` takes the rule: ``rule(primals, tangents) -> (out, tangent_out)``, where primals
    and tangents are tuples like the arguments and tangent_out is like out; it must be linear in
    the tangents. A tangent of None in tangent_out is zeros; that of an integer argument is zeros
    like it. Reverse mode comes by transposing the rule, which may use loops and branches on the
    tangents whose course does not depend on them. Derivatives of higher order differentiate
    the rule, so it should call the function itself for out.

    nondiff_argnums: positions of arguments that are not differentiated; they may be any object,
    and the rule gets them in front: ``rule(*nondiff, primals, tangents)``.

    >>> import lucid
    >>> from lucid.func import custom_jvp, grad
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return lucid.log(1 + lucid.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + lucid.exp(x))) * dx
    >>> grad(log1pexp)(lucid.tensor(100.0))
    tensor(1.)

    Raises RuntimeError when there is no rule, when the rule or the function uses a value that is
    being differentiated or mapped and is not among the arguments; ValueError and TypeError when
    the rule returns another structure, shape or dtype than it should.
    """

    _how = "defjvp(rule)"

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the rule and returns it; a decorator."""
        self._set(rule)
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self._bind(args, kwargs)
        fixed, differentiated = self._part(args)
        (rule,) = self._rules
        return _func._call_custom_jvp(
            self._whole(self.__wrapped__, fixed, len(args)),
            (lambda primals, tangents: rule(*fixed, primals, tangents)) if fixed else rule,
            differentiated,
        )


class custom_vjp(_Custom):
    """A function whose reverse derivative is given by rules of its own.

    ``f.defvjp(fwd, bwd)`` takes them: ``fwd(*args) -> (out, residuals)`` runs in the place of f
    where something is differentiated; ``bwd(residuals, cotangents)`` returns a tuple of the
    cotangents of the arguments, with None for zeros. Residuals are any structure; cotangents are
    like out. bwd may do anything with the cotangents, e.g. clip them. Forward mode (jvp, jacfwd,
    hessian, ...) transposes bwd where that is made of operations that are linear in the cotangents,
    loops of a known number of steps and branches among them; where it is not, e.g. a loop until
    convergence, it raises RuntimeError: use custom_jvp, which serves both modes.

    nondiff_argnums: positions of arguments that are not differentiated; they may be any object.
    fwd gets them where they are, bwd in front: ``bwd(*nondiff, residuals, cotangents)``.

    >>> import lucid
    >>> from lucid.func import custom_vjp, grad
    >>> @custom_vjp
    ... def clip_gradient(x, bound):
    ...     return x * 1
    >>> clip_gradient.defvjp(
    ...     lambda x, bound: (x * 1, bound),
    ...     lambda bound, ct: (lucid.minimum(lucid.maximum(ct, -bound), bound), None),
    ... )
    >>> grad(lambda x: (5 * clip_gradient(x, 1.0)).sum())(lucid.zeros(2))
    tensor([1., 1.])

    Raises as custom_jvp does.
    """

    _how = "defvjp(fwd, bwd)"

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Sets the rules."""
        self._set(fwd, bwd)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self._bind(args, kwargs)
        fixed, differentiated = self._part(args)
        fwd, bwd = self._rules
        single = len(differentiated) == 1

        def pull(residuals: Any, cotangents: Any) -> Any:
            result = bwd(*fixed, residuals, cotangents)
            return (result,) if single and not isinstance(result, tuple) else result

        return _func._call_custom_vjp(
            self._whole(self.__wrapped__, fixed, len(args)),
            self._whole(fwd, fixed, len(args)),
            pull,
            differentiated,
        )


def _out_dims(batched: Any) -> Any:
    """True and False as dims of the batch: 0 and None."""
    if isinstance(batched, bool):
        return 0 if batched else None
    if isinstance(batched, dict):
        return {key: _out_dims(value) for key, value in batched.items()}
    if isinstance(batched, tuple | list):
        return tuple(map(_out_dims, batched))
    raise TypeError(
        "custom_vmap: out_batched must be a bool or a structure of them like the output, "
        f"not {batched!r}"
    )


class custom_vmap(_Custom):
    """A function whose vmap is given by a rule of its own.

    ``@f.def_vmap`` takes the rule: ``rule(axis_size, in_batched, *args) -> (out, out_batched)``.
    Arguments have their batch at dim 0 where in_batched, a structure like the arguments, is True,
    and so must the results where out_batched is: a bool, or a structure of bools that that of out
    begins with. Derivatives are derived from the function and the rule.

    >>> import lucid
    >>> from lucid.func import custom_vmap, vmap
    >>> @custom_vmap
    ... def f(x, w):
    ...     return x @ w
    >>> @f.def_vmap
    ... def rule(axis_size, in_batched, x, w):
    ...     print("all", axis_size, "at once")
    ...     x_batched, w_batched = in_batched
    ...     return (lucid.einsum("bi,bi->b", x, w) if w_batched else x @ w), True
    >>> vmap(f, in_dims=(0, None))(lucid.eye(3), lucid.ones(3))
    all 3 at once
    tensor([1., 1., 1.])

    Raises RuntimeError when there is no rule, or when the function or the rule uses a value that
    is being mapped and is not among the arguments; ValueError and TypeError when the rule returns
    something else than it should.
    """

    _how = "def_vmap(rule)"

    def __init__(self, fun: Callable[..., Any]) -> None:
        super().__init__(fun)

    def def_vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the rule and returns it; a decorator."""
        self._set(rule)
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = self._bind(args, kwargs)
        (rule,) = self._rules

        def batch(size: int, in_batched: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
            result = rule(size, in_batched, *values)
            if not isinstance(result, tuple) or len(result) != 2:
                return result  # refused with a message that says what was expected
            return result[0], _out_dims(result[1])

        return _func._call_custom_vmap(self.__wrapped__, batch, args)
