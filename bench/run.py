"""lucid beside other libraries: `make bench`, or `.venv-peers/bin/python bench/run.py [--only W3]`.

Every library that is installed gets a process of its own; all are pinned to the same cores and take
turns, so that whatever else the machine does hits them alike. Tables and pictures go to
bench/results/; --write-docs puts them into docs/ too. The exit status is 1 when results disagree,
never for a slow run.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from measure import HERE, PEERS, ROOT, Row, Worker, alone, environment, measure, systems
from report import aligned, details, medians, packages, page, write_page
from scaling import Point, measure_scaling
from workloads import WORKLOADS, Workload, around

FIRSTS = 3  # processes whose first call is measured


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these workloads, no scaling")
    parser.add_argument("--quick", action="store_true", help="a first impression, in a minute")
    parser.add_argument("--rounds", type=int, help="turns of each library (5; quick: 2)")
    parser.add_argument("--seconds", type=float, help="of measuring in a turn (0.2; quick: 0.05)")
    parser.add_argument("--cores", type=int, default=2, help="how many cores to pin to")
    parser.add_argument("--systems", nargs="+", help="only these, e.g. lucid JAX")
    parser.add_argument("--no-neighbours", action="store_true", help="only the first table")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where they go")
    parser.add_argument("--write-docs", action="store_true", help="also docs/performance.md")
    args = parser.parse_args()
    names = [w.name for w in WORKLOADS]
    for name in args.only or []:
        if name not in names:
            parser.error(f"there is no workload {name}: choose from {', '.join(names)}")
    if args.write_docs and (args.only or args.quick or args.systems or args.no_neighbours):
        parser.error("--write-docs goes with a whole run")
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (0.05 if args.quick else 0.2)
    return args


def run_workloads(works: list[Workload], names: list[str], args: argparse.Namespace) -> list[Row]:
    rows = []
    for work in works:
        print(f"{work.name}: {work.text}", file=sys.stderr)
        rows += alone(work, names, args.rounds, args.seconds, 1 if args.quick else FIRSTS)
        for row in rows[-len(names) :]:
            if row.error:
                print(f"  {row.system}: left out: {row.error}", file=sys.stderr)
    return rows


def run_neighbours(works: list[Workload], names: list[str], args: argparse.Namespace) -> list[Row]:
    """In one process per system: their first calls and memory are not reported."""
    rows = []
    with contextlib.ExitStack() as stack:
        workers = []
        for name in names:
            workers.append(Worker(name))
            stack.callback(workers[-1].close)
        for work in works:
            print(f"{work.name}", file=sys.stderr)
            for i, worker in enumerate(workers):
                if worker.process.poll() is not None:  # it was given up, or crashed
                    workers[i] = Worker(worker.system)
                    stack.callback(workers[i].close)
            rows += measure(work, workers, 2, args.seconds / 3)
    return rows


def main() -> int:
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    os.sched_setaffinity(0, cores)
    where = environment(cores)
    found, missing = systems()
    names = [n for n in found if not args.systems or n in args.systems]
    notes = [f"{name}: {why}" for name, why in missing.items()]
    print("\n".join([where, *notes]), file=sys.stderr)

    works = [w for w in WORKLOADS if not args.only or w.name in args.only]
    near = [n for w in works for n in around(w.name)]
    started = datetime.datetime.now()
    rows = run_workloads(works, names, args)
    neighbours: list[Row] = []
    points: list[Point] = []
    if not args.no_neighbours and not (args.quick and not args.only):
        neighbours = run_neighbours(near, [n for n in names if n != "lucid compiled"], args)
    if not args.only and not args.quick:
        print("scaling", file=sys.stderr)
        drawn = [n for n in names if n in ("lucid", *PEERS)]
        points = measure_scaling(drawn, cores, args.quick, args.seconds / 4)

    sections = {"medians": medians(rows, names, works), "details": details(rows)}
    if neighbours:
        sections["neighbours"] = medians(neighbours, names, near)
    if not args.only:
        sections["packages"] = packages()
    text = f"{where}\n\n" + "\n\n".join(aligned(table) for table in sections.values()) + "\n"
    print(f"\n{text}", end="")

    args.results.mkdir(exist_ok=True)
    stem = args.results / f"{started:%Y-%m-%d-%H%M%S}"
    stem.with_suffix(".txt").write_text(text)
    kept = {"where": where, "workloads": [asdict(r) for r in rows + neighbours]}
    kept["scaling"] = [asdict(p) for p in points]
    stem.with_suffix(".json").write_text(json.dumps(kept))
    draw(rows, points, where, stem)
    if args.write_docs:
        write_page(page(f"{started:%Y-%m-%d}", where, notes, sections))
        for name in ("performance", "scaling"):
            shutil.copy(f"{stem}-{name}.png", ROOT / "docs" / f"{name}.png")
    wrong = [r for r in rows + neighbours if not r.agrees]
    for row in wrong:
        print(f"{row.workload}: {row.system} disagrees with the others", file=sys.stderr)
    return 1 if wrong else 0


def draw(rows: list[Row], points: list[Point], where: str, stem: Path) -> None:
    try:
        from plots import plot_scaling, plot_workloads
    except ImportError:
        print("no pictures: matplotlib is not installed", file=sys.stderr)
        return
    plot_workloads(rows, where, Path(f"{stem}-performance.png"))
    if points:
        plot_scaling(points, Path(f"{stem}-scaling.png"))


if __name__ == "__main__":
    sys.exit(main())
