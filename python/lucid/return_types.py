"""The named tuples that max, min, sort, topk and slogdet return."""

from lucid._lucid.return_types import max, min, slogdet, sort, topk

__all__ = ["max", "min", "slogdet", "sort", "topk"]
