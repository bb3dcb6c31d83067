"""Composable function transforms on tensors.

>>> import lucid
>>> from lucid.func import grad, vmap
>>> X = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
>>> vmap(grad(lambda x: (x**2).sum()))(X)
tensor([[2., 4.],
        [6., 8.]])
"""

from lucid import func, linalg, nn
from lucid._lucid import *  # noqa: F403
from lucid._lucid import __version__, _rebuild_tensor
