"""Writing a file of test vectors; see the README for the format."""

from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
EVERY_WAY = {"strategies": ["auto", "vectorized", "isolated"], "chunk_sizes": [0, 1, 3]}
SPLITTING = {"strategies": ["auto", "isolated"], "chunk_sizes": [0, 1, 3]}


def tensor_text(x: Any, tolerance: float | None) -> str:
    x = np.asarray(x)
    sizes = "x".join(map(str, x.shape)) or "-"
    words = [str(x.dtype), sizes] + ([] if tolerance is None else [str(tolerance or "exact")])
    # The shortest decimals that read back as the same bits.
    words += [str(value if x.dtype.kind == "f" else int(value)) for value in x.ravel()]
    return " ".join(words)


def wrap(line: str) -> str:
    """Long lines go on, indented."""
    lines, current = [], ""
    for word in line.split(" "):
        if len(current) + len(word) > 98 and current:
            lines.append(current)
            current = "    " + word
        else:
            current = f"{current} {word}" if current else word
    return "\n".join([*lines, current])


class File:
    def __init__(self, name: str, about: str) -> None:
        self.path = HERE / f"{name}.txt"
        self.lines = [wrap(f"# {about}"), "# Written by make_vectors.py.", ""]

    def case(
        self,
        name: str,
        program: str,
        *applied: str,
        inputs: Any = (),
        outputs: Any = (),
        tolerance: float = 0,
        error: str = "",
        **options: Any,
    ) -> None:
        lines = [f"case {name}", f"program {program}"]
        lines += [f"apply {a}" for a in applied]
        for key, value in options.items():
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{key} {text}")
        lines += [f"input {tensor_text(x, None)}" for x in inputs]
        lines += [f"output {tensor_text(y, tolerance)}" for y in outputs]
        lines += [f"error {error}"] * bool(error)
        self.lines += [*map(wrap, lines), "end", ""]

    def text(self) -> str:
        return "\n".join(self.lines[:-1]) + "\n"


def floats(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> Any:
    """A few short binary fractions, so that files stay readable and sums exact."""
    drawn = np.random.default_rng(seed).integers(int(low * 16), int(high * 16), shape)
    return (drawn / 16).astype(np.float32)
