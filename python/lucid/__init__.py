"""Composable function transforms on tensors.

>>> import lucid
>>> from lucid.func import grad, vmap
>>> X = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
>>> vmap(grad(lambda x: (x**2).sum()))(X)
tensor([[2., 4.],
        [6., 8.]])
"""

from lucid._threads import settings as _settings

with _settings():
    from lucid._lucid import *  # noqa: F403
from lucid._lucid import __version__ as __version__
from lucid._lucid import _rebuild_tensor as _rebuild_tensor

# After the names above, which must not hide these.
from lucid._explain import CacheInfo as CacheInfo  # isort: skip
from lucid._explain import Explanation as Explanation  # isort: skip
from lucid._explain import cache_info as cache_info  # isort: skip
from lucid._explain import explain as explain  # isort: skip
from lucid import _numpy as _numpy  # isort: skip
from lucid import func as func  # isort: skip
from lucid import linalg as linalg  # isort: skip
from lucid import nn as nn  # isort: skip
from lucid import return_types as return_types  # isort: skip
