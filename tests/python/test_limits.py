"""Where memory or threads cannot be had there is a MemoryError, or fewer threads."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")

CHILD = """
import os, resource, sys
import lucid
from lucid.func import grad, vmap

def vm():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[0]) * 4096

def products():
    x = lucid.ones(600, 600)
    return (x @ x)[0, 0].item() == 600

def small_products():
    x = lucid.ones(50, 40, 40)
    return (x @ x)[0, 0, 0].item() == 40

def systems():
    x = lucid.eye(300) * 2
    return lucid.linalg.solve(x, lucid.ones(300, 300))[0, 0].item() == 0.5

def eigenvalues():
    return lucid.linalg.eigh(lucid.eye(100))[0][0].item() == 1

def elementwise():
    return lucid.ones(1 << 20).exp().log().sum().item() > 0

def loops():
    f = lambda x: lucid.while_loop(lambda c: c < 3, lambda c: c + 1, x)
    return vmap(f)(lucid.zeros(100000))[0].item() == 3

def sorts():
    return lucid.arange(1 << 18).flip(0).sort().values[1].item() == 1

WORK = [elementwise, products, small_products, systems, eigenvalues, loops, sorts]

def attempt(work):
    try:
        assert work()
        return True
    except MemoryError:
        return False

lucid.set_num_threads(4)
megabytes, warm = int(sys.argv[1]), sys.argv[2] == "warm"
if warm:
    assert all(attempt(w) for w in WORK)
if megabytes >= 0:
    lucid.empty_cache()
    resource.setrlimit(resource.RLIMIT_AS, (vm() + (megabytes << 20), resource.RLIM_INFINITY))
else:
    os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
done = [attempt(w) for w in WORK * 2]
if megabytes >= 0:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert all(attempt(w) for w in WORK)
print(done.count(False))
"""


def run(megabytes: int, when: str) -> int:
    """How much of the work found no memory."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(megabytes), when],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, (megabytes, when, child.stderr[-2000:])
    return int(child.stdout)


@pytest.mark.parametrize("when", ["cold", "warm"])
@pytest.mark.parametrize("megabytes", [0, 5, 40, 135, 300, 2000])
def test_memory(megabytes: int, when: str) -> None:
    failures = run(megabytes, when)
    assert megabytes < 2000 or failures == 0


@pytest.mark.parametrize("when", ["cold", "warm"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without processes")
def test_threads(when: str) -> None:
    assert run(-1, when) == 0
