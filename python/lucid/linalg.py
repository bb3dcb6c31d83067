"""Linear algebra. Matrices stand in the last two dims, everything before is a batch."""

from lucid._lucid.linalg import *  # noqa: F403
