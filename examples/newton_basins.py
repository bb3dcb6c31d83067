"""Newton's method on a plane of starting points: a plain Python `while` under vmap.

python examples/newton_basins.py

Each point of the plane runs until it has found a root of z^3 = 1, in as many steps as it needs; the
picture shows which root it found. vmap groups the points by their way and runs each way once.
"""

import lucid
from lucid.func import vmap

WIDTH, HEIGHT, MOST = 76, 30, 60
ROOTS = ((1.0, 0.0), (-0.5, 0.75**0.5), (-0.5, -(0.75**0.5)))


def newton(x, y):
    """ONE start z = x + i y: the number of the root it ends at, and its steps."""
    steps = 0
    while (x**3 - 3 * x * y**2 - 1) ** 2 + (3 * x**2 * y - y**3) ** 2 > 1e-6 and steps < MOST:
        # z - (z^3 - 1) / (3 z^2) = 2 z / 3 + conj(z)^2 / (3 |z|^4)
        scale = 1 / (3 * (x * x + y * y) ** 2)
        x, y = 2 * x / 3 + (x * x - y * y) * scale, 2 * y / 3 - 2 * x * y * scale
        steps += 1
    distances = lucid.stack([(x - a) ** 2 + (y - b) ** 2 for a, b in ROOTS])
    return distances.argmin(), steps


def main():
    x, y = lucid.linspace(-2, 2, WIDTH), lucid.linspace(1.6, -1.6, HEIGHT)
    plane = lucid.meshgrid(x, y, indexing="xy")
    root, steps = vmap(newton)(plane[0].flatten(), plane[1].flatten())
    root, steps = root.reshape(HEIGHT, WIDTH), steps.reshape(HEIGHT, WIDTH)
    for row in root.tolist():
        print("".join(".o#"[number] for number in row))
    print(f"steps: {int(steps.min())} to {int(steps.max())}")

    # Some points again, one at a time.
    for i in range(0, HEIGHT, 7):
        for j in range(0, WIDTH, 15):
            alone = newton(x[j], y[i])
            assert (int(root[i, j]), int(steps[i, j])) == (int(alone[0]), alone[1])
    # Every root has its share of the plane.
    shares = [(root == k).sum() / root.numel() for k in range(3)]
    assert all(0.2 < share < 0.5 for share in shares)


if __name__ == "__main__":
    main()
