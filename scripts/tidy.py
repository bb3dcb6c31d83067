"""Runs clang-tidy over a build's compile commands, several files at a time.

usage: tidy.py BUILD_DIR [FILE...]

A file built for several instruction sets is looked at once. A file that passed is looked at again
only when its preprocessed text, its flags, .clang-tidy or clang-tidy itself changed.
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load_commands(build: Path) -> dict[str, list[str]]:
    """One compile command for each source file of the project."""
    commands: dict[str, list[str]] = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        arguments = shlex.split(entry["command"])
        if Path(arguments[0]).name == "ccache":
            arguments = arguments[1:]
        if entry["file"] not in commands or "LUCID__ISA=v3" in " ".join(arguments):
            commands[entry["file"]] = arguments
    return commands


def fingerprint(arguments: list[str], common: bytes) -> str | None:
    """A hash of all that clang-tidy would read, or None if the file does not compile."""
    output = arguments.index("-o")
    preprocess = arguments[:output] + arguments[output + 2 :]
    preprocess[preprocess.index("-c")] = "-E"
    text = subprocess.run(preprocess, capture_output=True, check=False)
    if text.returncode != 0:
        return None
    return hashlib.sha256(common + shlex.join(arguments).encode() + text.stdout).hexdigest()


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    wanted = {str(Path(name).resolve()) for name in sys.argv[2:]}
    commands = load_commands(build)
    if wanted:
        commands = {file: command for file, command in commands.items() if file in wanted}

    own = build / "tidy"
    own.mkdir(exist_ok=True)
    (own / "compile_commands.json").write_text(
        json.dumps(
            [
                {"file": file, "directory": str(build), "arguments": arguments}
                for file, arguments in commands.items()
            ]
        )
    )
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True)
    common = version.stdout + (ROOT / ".clang-tidy").read_bytes()
    passed_file = own / "passed.json"
    passed = set(json.loads(passed_file.read_text())) if passed_file.exists() else set()

    def examine(item: tuple[str, list[str]]) -> tuple[str | None, str]:
        """The fingerprint of a file that passed, or None and what is wrong with it."""
        file, arguments = item
        mark = fingerprint(arguments, common)
        if mark in passed:
            return mark, ""
        tidy = subprocess.run(
            ["clang-tidy", "--quiet", "-p", str(own), file],
            capture_output=True,
            text=True,
            check=False,
        )
        return (mark, "") if tidy.returncode == 0 else (None, tidy.stdout or tidy.stderr)

    now: set[str] = set()
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # The largest files first, so that no long one is left for the end.
        largest_first = sorted(commands.items(), key=lambda item: -os.path.getsize(item[0]))
        for mark, problems in pool.map(examine, largest_first):
            if mark is None:
                failures += 1
                print(problems, flush=True)
            else:
                now.add(mark)
    passed_file.write_text(json.dumps(sorted(passed | now if wanted else now)))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
