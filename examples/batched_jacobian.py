"""Newton's method on a batch of equations at once: a Jacobian and a linear solve under vmap.

Finds for each of 1000 points the angles of a two-link arm whose hand reaches it.

    python examples/batched_jacobian.py
"""

import math

import lucid
from lucid.func import jacfwd, jacrev, vmap

UPPER, FORE = 1.0, 0.7  # lengths of the links, metres
COUNT = 1000


def hand(q):
    """Position (2) of the hand for ONE pair of joint angles q (2), radians."""
    elbow = UPPER * lucid.stack([q[0].cos(), q[0].sin()])
    return elbow + FORE * lucid.stack([(q[0] + q[1]).cos(), (q[0] + q[1]).sin()])


def newton_step(q, target):
    """q - J^-1 (hand(q) - target), for ONE arm."""
    return q - lucid.linalg.solve(jacfwd(hand)(q), hand(q) - target)


def main():
    lucid.manual_seed(0)
    # Elbows bent by 0.6 to 2.2 radians: away from the stretched arm, where J is singular.
    shoulder = (lucid.rand(COUNT, dtype=lucid.float64) - 0.5) * 2 * math.pi
    elbow = 0.6 + 1.6 * lucid.rand(COUNT, dtype=lucid.float64)
    angles = lucid.stack([shoulder, elbow], dim=1)
    targets = vmap(hand)(angles)

    jacobians = vmap(jacfwd(hand))(angles)
    assert jacobians.shape == (COUNT, 2, 2)
    assert (jacobians - vmap(jacrev(hand))(angles)).abs().max() < 1e-14
    # det J = UPPER FORE sin(elbow)
    assert (lucid.linalg.det(jacobians) - UPPER * FORE * elbow.sin()).abs().max() < 1e-14

    q = angles + 0.2 * (lucid.rand(COUNT, 2, dtype=lucid.float64) - 0.5)
    for step in range(6):
        miss = (vmap(hand)(q) - targets).norm(dim=1).max().item()
        print(f"step {step}: the farthest hand is {miss:.1e} m from its target")
        q = vmap(newton_step)(q, targets)
    assert (vmap(hand)(q) - targets).norm(dim=1).max() < 1e-12


if __name__ == "__main__":
    main()
