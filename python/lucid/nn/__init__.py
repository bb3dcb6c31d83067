"""What neural networks are made of: see lucid.nn.functional."""

from lucid.nn import functional

__all__ = ["functional"]
