"""Pictures of what was measured (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from measure import Row
from report import best_peer, by_workload, measured
from scaling import CURVES, Point

COLOUR = {
    "lucid": "#d1495b",
    "lucid compiled": "#8d2a3c",
    "lucid C": "#f0a202",
    "JAX": "#2e6f95",
    "torch": "#5c946e",
    "MLX": "#7d6b91",
}
MARKER = {"lucid": "o", "lucid compiled": "s", "lucid C": "D", "JAX": "^", "torch": "v", "MLX": "X"}


def plot_workloads(rows: Sequence[Row], title: str, to: Path) -> None:
    found = {name: of for name, of in by_workload(rows).items() if measured(of.values())}
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(found)), layout="constrained")
    axes = figure.subplots()
    shown = set()
    for y, of in enumerate(found.values()):
        best = best_peer(of.values())
        lucid = of.get("lucid")
        if best and lucid and lucid.times:
            axes.plot([1e3 * best.median, 1e3 * lucid.median], [y, y], color="#bbbbbb", zorder=1)
        for row in measured(of.values()):
            axes.plot(
                1e3 * row.median,
                y,
                MARKER[row.system],
                color=COLOUR[row.system],
                markersize=5 if row.system == "lucid C" else 8,
                label="" if row.system in shown else row.system,
                zorder=4 if row.system == "lucid C" else 3 if row.is_lucid else 2,
            )
            shown.add(row.system)
        if best and lucid and lucid.times:
            axes.annotate(
                f"{lucid.median / best.median:.2f}",
                (1.01, y),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
            )
    axes.annotate(
        "lucid / best", (1.01, -1), xycoords=("axes fraction", "data"), va="center", fontsize=8
    )
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.4, -1.4)
    axes.set_xscale("log")
    axes.set_xlabel("ms per call, median (log scale)")
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", fontsize=8, ncols=6, columnspacing=1)
    axes.set_title(title, fontsize=10)
    figure.savefig(to, dpi=110)


def plot_scaling(points: Sequence[Point], to: Path) -> None:
    figure = Figure(figsize=(15, 5), layout="constrained")
    all_axes = figure.subplots(1, 3)
    for axes, curve in zip(all_axes, CURVES, strict=True):
        lines: dict[tuple[str, int], list[Point]] = {}
        for p in points:
            if p.curve == curve:
                lines.setdefault((p.system, p.cores), []).append(p)
        for (system, cores), at in lines.items():
            axes.plot(
                [p.size for p in at],
                [1e3 * p.seconds for p in at],
                "--" if cores == 1 else "-",
                marker=MARKER[system],
                markersize=4,
                color=COLOUR[system],
                label=f"{system}, {cores} core{'s' if cores > 1 else ''}",
            )
        axes.set_yscale("log")
        axes.set_xscale("linear" if curve == "matrix size" else "log")
        axes.set_xlabel(
            {
                "batch size": "batch size, 4 elements an example",
                "example size": "elements of an example, 100 examples",
                "matrix size": "n, 4000 systems n x n",
            }[curve]
        )
        axes.grid(color="#eeeeee")
        axes.set_axisbelow(True)
    all_axes[0].set_ylabel("ms per call, median")
    all_axes[0].legend(fontsize=8)
    figure.savefig(to, dpi=90)
