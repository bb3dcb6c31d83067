"""Draws what differentially private training wrote down: learning curve and gradient norms.

    python examples/plot_training.py LOG NORMS FIGURE.png [--clip 1]

LOG and NORMS are what dp_digits.py and c/dp_digits.c write with --log and --norms.
"""

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen needed

from matplotlib import pyplot as plt


def draw(log: list[dict[str, float | None]], norms: list[list[float]], clip: float, path: Path):
    """log: a row per step, accuracy None where it was not measured; norms: a list per step."""
    steps = [row["step"] for row in log]
    measured = [row for row in log if row["accuracy"] is not None]
    figure, (curve, histogram) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")

    curve.plot(steps, [row["loss"] for row in log], color="tab:gray", linewidth=0.8)
    curve.set(xlabel="step", ylabel="mean loss of the batch (gray)", title="Learning curve")
    curve.set_ylim(bottom=0)
    right = curve.twinx()
    right.plot(
        [row["step"] for row in measured],
        [100 * row["accuracy"] for row in measured],
        color="tab:blue",
    )
    right.set_ylabel("held-out accuracy, % (blue)")
    right.set_ylim(0, 100)

    part = max(1, len(norms) // 10)
    first = [norm for step in norms[:part] for norm in step]
    last = [norm for step in norms[-part:] for norm in step]
    # Norms spread over decades: the bins are equally wide on a logarithmic axis.
    largest = max([clip, *first, *last])
    bins = [largest * 10 ** (4 * (i / 60 - 1)) for i in range(61)]
    for name, values, color in [("first", first, "tab:orange"), ("last", last, "tab:blue")]:
        histogram.hist(
            [max(norm, bins[0]) for norm in values],
            bins=bins,
            weights=[100 / len(values)] * len(values),
            label=f"{name} {part} steps",
            color=color,
            histtype="stepfilled",
            alpha=0.6,
        )
    histogram.axvline(clip, color="black", linestyle="--", label=f"clipped to {clip:g}")
    histogram.set(
        xscale="log",
        xlabel="norm of a sample's gradient, before clipping",
        ylabel="samples, %",
        title="Gradient norms",
    )
    histogram.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def read_log(path: Path) -> list[dict[str, float | None]]:
    with path.open(newline="") as file:
        return [
            {key: float(text) if text else None for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def read_norms(path: Path) -> list[list[float]]:
    steps: dict[int, list[float]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            steps.setdefault(int(row["step"]), []).append(float(row["norm"]))
    return list(steps.values())


def main():
    parser = argparse.ArgumentParser(description="Draw a log of differentially private training.")
    parser.add_argument("log", type=Path)
    parser.add_argument("norms", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--clip", type=float, default=1.0)
    options = parser.parse_args()
    draw(read_log(options.log), read_norms(options.norms), options.clip, options.figure)
    print(options.figure)


if __name__ == "__main__":
    main()
