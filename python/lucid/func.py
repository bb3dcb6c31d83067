"""Function transforms: functions in, functions out; they nest in any order.

>>> import lucid
>>> from lucid.func import grad, vmap
>>> X = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
>>> vmap(grad(lambda x: (x**2).sum()))(X)
tensor([[2., 4.],
        [6., 8.]])
"""

from lucid._custom import custom_jvp, custom_vjp, custom_vmap
from lucid._lucid.func import (
    all_gather,
    axis_index,
    axis_size,
    checkpoint,
    compile,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    last_paths,
    linearize,
    pmax,
    pmean,
    pmin,
    psum,
    vjp,
    vmap,
)

__all__ = [
    "all_gather",
    "axis_index",
    "axis_size",
    "checkpoint",
    "compile",
    "custom_jvp",
    "custom_vjp",
    "custom_vmap",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "last_paths",
    "linearize",
    "pmax",
    "pmean",
    "pmin",
    "psum",
    "vjp",
    "vmap",
]
