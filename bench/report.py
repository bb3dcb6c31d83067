"""Tables of what was measured, as text and as Markdown, and docs/performance.md."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from measure import PEERS, ROOT, Row
from workloads import WORKLOADS, Workload

Table = list[list[str]]


def milliseconds(seconds: float) -> str:
    ms = 1e3 * seconds
    return f"{ms:.4f}" if ms < 0.1 else f"{ms:.3f}" if ms < 10 else f"{ms:.1f}"


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"


def by_workload(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.workload, {})[row.system] = row
    return found


def measured(rows: Iterable[Row]) -> list[Row]:
    return [r for r in rows if not r.error and r.times]


def best_peer(rows: Iterable[Row]) -> Row | None:
    peers = [r for r in measured(rows) if not r.is_lucid]
    return min(peers, key=lambda r: r.median, default=None)


def ratio(row: Row | None, rows: Iterable[Row]) -> str:
    """Its time over the best peer's."""
    peer = best_peer(rows)
    return f"{row.median / peer.median:.2f}" if row and row.times and peer else ""


def medians(rows: Sequence[Row], systems: Sequence[str], works: Sequence[Workload]) -> Table:
    """One line a workload: a median a system, and lucid's over the best peer's."""
    aims = any(w.aim for w in works)
    header = ["ms", *systems, "lucid / best peer", *(["aim"] if aims else []), "dispatches"]
    lines = [header]
    found = by_workload(rows)
    for work in works:
        of = found.get(work.name)
        if not of:
            continue
        lucid = of.get("lucid")
        aim = [f"{work.aim:.2f}" if work.aim else ""] if aims else []
        line = [
            work.name,
            *(milliseconds(of[s].median) if s in of and of[s].times else "-" for s in systems),
            ratio(lucid, of.values()),
            *aim,
            str(lucid.dispatches) if lucid and lucid.times else "",
        ]
        lines.append(line)
    return lines


def details(rows: Sequence[Row]) -> Table:
    lines = [
        [
            *("workload", "system", "first ms", "median ms", "quartiles", "over best"),
            *("peak MB", "working MB", "difference"),
        ]
    ]
    found = by_workload(rows)
    for row in rows:
        if row.error:
            lines.append([row.workload, row.system, row.error[:60], "", "", "", "", "", ""])
            continue
        low, high = row.quartiles
        apart = f"{row.difference:.0e}"
        lines.append(
            [
                row.workload,
                row.system,
                milliseconds(row.first),
                milliseconds(row.median),
                f"{milliseconds(low)} .. {milliseconds(high)}",
                ratio(row, found[row.workload].values()) if row.is_lucid else "",
                megabytes(row.peak),
                megabytes(row.working),
                apart if row.agrees else f"DISAGREES {apart}",
            ]
        )
    return lines


# --- what does not depend on a workload ----------------------------------------------------------


def import_times(module: str, runs: int = 5) -> list[float]:
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        for _ in range(runs)
    ]


def distributions(name: str, seen: set[str]) -> set[str]:
    """The distribution and, recursively, what it needs (extras left out)."""
    if name in seen:
        return seen
    try:
        required = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(name)
    for line in required:
        if "extra ==" not in line:
            match = re.match(r"[A-Za-z0-9_.-]+", line)
            if match:
                distributions(match.group(), seen)
    return seen


def installed_bytes(names: set[str]) -> int:
    files = {
        Path(str(f.locate())).resolve()
        for name in names
        for f in importlib.metadata.files(name) or []
        if not str(f).endswith(".pyc")
    }
    return sum(f.stat().st_size for f in files if f.exists())


OWN = {"jax": {"jax", "jaxlib"}, "mlx": {"mlx", "mlx-cpu"}}


def packages() -> Table:
    lines = [["library", "version", "import ms", "installed MB", "with what it needs MB"]]
    for name in ("lucid", *PEERS.values()):
        if not importlib.util.find_spec(name):
            continue
        own = {name for name in OWN.get(name, {name}) if distributions(name, set())}
        needed = set().union(*(distributions(n, set()) for n in own))
        module = "mlx.core" if name == "mlx" else name
        lines.append(
            [
                name,
                importlib.metadata.version(name),
                f"{1e3 * statistics.median(import_times(module)):.1f}",
                f"{installed_bytes(own) / 1e6:.1f}",
                f"{installed_bytes(needed) / 1e6:.1f}",
            ]
        )
    return lines


# --- output --------------------------------------------------------------------------------------


def aligned(lines: Table) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(lines: Table) -> str:
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def page(date: str, where: str, notes: list[str], sections: dict[str, Table]) -> str:
    """docs/performance.md."""
    names = "\n".join(f"- **{w.name}**: {w.text}" for w in WORKLOADS)
    said = "".join(f"- {note}\n" for note in notes)
    parts = {title: markdown(table) for title, table in sections.items()}
    return f"""# Performance

Measured by `make bench ARGS=--write-docs` on {date}: {where}.
{said}
Each library runs in a process of its own, pinned to the same cores; they take turns. A time is
the median of calls with their evaluation, everything compiled or planned before; "first" is the
first call in its process, compilation included, the median of three processes; half a gigabyte is
written and given back before, so that no system waits for memory that a virtual machine has yet to
get from its host. JAX runs under `jit`, MLX under `compile`. "lucid" is called from Python as it
stands, "lucid C" through the C API. The results of all are compared; the run fails when they
differ, and for no other reason.

![Time per call, by workload](performance.png)

{names}

{parts["medians"]}

"lucid / best peer" is lucid's time over that of the fastest of the others, "aim" what we want it
to be at most; "-": the library has no such function. Dispatches are lucid's programs and kernels in
one call.

## Neighbours

The same functions on other shapes, dtypes and axes.

{parts["neighbours"]}

## Scaling

![Time against sizes, threads](scaling.png)

Left and middle: `vmap(grad(sum(tanh(x)*exp(-x*x) + log1p(abs(x)))))`. Right: `vmap(solve)`, n x n.

## Spread, first calls, memory

"peak" is the most memory the process had, "working" what of it came with the calls; "difference" is
the largest one between a result and lucid's, relative to the largest magnitude.

{parts["details"]}

## Import and size

{parts["packages"]}
"""


def write_page(text: str) -> None:
    (ROOT / "docs" / "performance.md").write_text(text)
