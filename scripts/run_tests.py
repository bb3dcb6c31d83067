"""Runs the C tests of a build and, on request, the Python tests; the last line counts them.

Inside a C test executable every cmocka test counts for itself. An executable that fails without
saying which test failed (it crashed, timed out, leaked) counts as one more failed test.
"""

import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def plus(self, other: "Count") -> "Count":
        return Count(*(a + b for a, b in zip(self, other, strict=True)))

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def summed(pattern: str, text: str) -> int:
    return sum(int(n) for n in re.findall(pattern, text))


def count_executable(output: str, ok: bool) -> Count:
    """Counts from the closing lines that cmocka prints after each group of tests."""
    passed = summed(r"\[  PASSED  \] (\d+) test\(s\)", output)
    failed = summed(r"\[  FAILED  \] (\d+) test\(s\)", output)
    skipped = summed(r"\[  SKIPPED \] (\d+) test\(s\)", output)
    if passed + failed + skipped == 0:
        return Count(passed=int(ok), failed=int(not ok))
    if not ok and failed == 0:
        failed = 1
    return Count(passed, failed, skipped)


def run_ctest(preset: str) -> Count:
    report = ROOT / "build" / preset / "ctest.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--preset", preset, "--output-junit", str(report), "--no-tests=ignore"]
    # The whole output of a test is wanted: the counts stand at its end.
    command += ["--test-output-size-passed", "10000000", "--test-output-size-failed", "10000000"]
    finished = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    if finished.returncode != 0 or not report.exists():
        print(finished.stdout)
    if not report.exists():
        return Count(failed=1) if finished.returncode else Count()
    count = Count()
    for case in ElementTree.parse(report).iter("testcase"):
        output = case.findtext("system-out") or ""
        count = count.plus(count_executable(output, case.get("status") == "run"))
    if finished.returncode != 0 and count.failed == 0:
        count = count.plus(Count(failed=1))
    return count


def run_pytest(preset: str, quick: bool, asan: bool = False) -> Count:
    if not any((ROOT / "tests" / "python").glob("test_*.py")):
        return Count()
    report = ROOT / "build" / preset / "pytest.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python"]
    if asan:
        command = ["scripts/asan_python.sh"]
    command += [f"--junitxml={report}"]
    if quick:
        command += ["-x"]
    environment = {**os.environ, "LUCID_BUILD": str(ROOT / "build" / preset)}
    finished = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, env=environment)
    count = Count()
    if report.exists():
        for suite in ElementTree.parse(report).iter("testsuite"):
            total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            count = count.plus(Count(total - failed - skipped, failed, skipped))
    if finished.returncode != 0 and count.failed == 0:
        count = count.plus(Count(failed=1))
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="release", help="the build whose C tests run")
    parser.add_argument("--python", action="store_true", help="run the Python tests too")
    parser.add_argument("--quick", action="store_true", help="stop at the first failed Python test")
    parser.add_argument("--tally", type=Path, help="append 'passed failed skipped' to this file")
    parser.add_argument(
        "--asan-python", action="store_true", help="the Python tests alone, on a sanitized module"
    )
    options = parser.parse_args()

    count = Count()
    if not options.asan_python:
        count = run_ctest(options.preset)
        print(f"C ({options.preset}): {count}", flush=True)
    if options.python or options.asan_python:
        python_count = run_pytest(options.preset, options.quick, options.asan_python)
        print(f"Python: {python_count}")
        count = count.plus(python_count)
    if options.tally:
        with options.tally.open("a") as file:
            file.write(f"{count.passed} {count.failed} {count.skipped}\n")
    print(count, flush=True)
    # A run without tests is no success: something is wrong with the build or the checkout.
    return int(count.failed > 0 or count.passed == 0)


if __name__ == "__main__":
    # Test executables run side by side: a thread that waits must not take a core from another.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(min(4, os.cpu_count() or 1)))
    sys.exit(main())
