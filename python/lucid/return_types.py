"""The named tuples that some functions return, under the names of those functions."""

from lucid._lucid.return_types import eigh, lstsq, max, min, qr, slogdet, sort, svd, topk

__all__ = ["eigh", "lstsq", "max", "min", "qr", "slogdet", "sort", "svd", "topk"]
