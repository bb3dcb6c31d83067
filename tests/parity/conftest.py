"""The report of `make parity`: how many named cases and comparisons each family has."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

# A case of the table is what a comparison is about: an operation, a composition of transforms, a
# program. Each is compared in several ways: its value, its derivatives, under vmap over each axis.
KEYS = ("case", "word", "name")
families: dict[str, tuple[str, str]] = {}
compared: dict[str, int] = defaultdict(int)
wrong: dict[str, list[str]] = defaultdict(list)


def describe(item: pytest.Item) -> tuple[str, str]:
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    case = next((params[key] for key in KEYS if key in params), None)
    family = getattr(case, "family", "") or item.module.FAMILY  # type: ignore[attr-defined]
    name = " of ".join(case) if isinstance(case, tuple) else str(case)
    return family, name if case is not None else item.name.partition("[")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    families.update({item.nodeid: describe(item) for item in items})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and not report.skipped:
        family = families[report.nodeid][0]
        compared[family] += 1
        if report.failed:
            wrong[family].append(report.nodeid)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for family, name in families.values():
        names[family].add(name)
    rows = [(f, len(names[f]), compared[f], len(wrong[f])) for f in names if compared[f]]
    rows.append(("total", *(sum(row[k] for row in rows) for k in (1, 2, 3))))
    terminalreporter.write_line("")
    terminalreporter.write_line(
        f"{'parity with JAX':28}{'cases':>7}{'comparisons':>13}{'wrong':>7}"
    )
    for family, cases, comparisons, failures in rows:
        terminalreporter.write_line(f"{family:28}{cases:7}{comparisons:13}{failures:7}")
