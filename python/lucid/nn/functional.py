"""Activations, losses and layers as functions."""

from lucid._lucid.functional import *  # noqa: F403
