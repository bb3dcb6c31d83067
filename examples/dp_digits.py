"""Differentially private training on handwritten digits (Abadi et al. 2016, "Deep Learning with
Differential Privacy"): the gradient of each sample is clipped, and noise is added to their sum, so
that the trained net tells little about any one sample.

    python examples/dp_digits.py --help

examples/c/dp_digits.c is the same program in C: from one seed both draw the same numbers in the
same order, and agree step by step up to rounding.
"""

import argparse
import csv
import time
from pathlib import Path

import dp_accounting
import numpy as np
from dp_accounting.rdp import RdpAccountant
from plot_training import draw
from tqdm import tqdm

import lucid
from lucid.func import grad_and_value, vmap
from lucid.nn import functional as F

HERE = Path(__file__).resolve().parent
HIDDEN = 32
HELD_OUT = 360


def read_digits(path: Path):
    """Images (1797, 64), grey values from 0 to 1, and their digits (1797)."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    return lucid.tensor(table[:, :64] / 16), lucid.tensor(table[:, 64].astype(np.int64))


# ---- the model --------------------------------------------------------------------------------


def logits(parameters, x):
    """(..., 10) for images x (..., 64)."""
    weight0, bias0, weight1, bias1 = parameters
    return F.linear(lucid.tanh(F.linear(x, weight0, bias0)), weight1, bias1)


def loss(parameters, image, digit):
    """The loss of ONE sample: an image (64) and its digit ()."""
    return F.cross_entropy(logits(parameters, image), digit)


# The gradients (batch, ...) of every sample's loss by the parameters, and the losses (batch).
per_sample_gradients = vmap(grad_and_value(loss), in_dims=(None, 0, 0))


def start_parameters():
    """Weights are normal with variance 1 / inputs, biases zero."""
    weight0 = lucid.randn(HIDDEN, 64) / 64**0.5
    weight1 = lucid.randn(10, HIDDEN) / HIDDEN**0.5
    return weight0, lucid.zeros(HIDDEN), weight1, lucid.zeros(10)


def accuracy(parameters, images, digits) -> float:
    guess = logits(parameters, images).argmax(1)
    return (guess == digits).to(lucid.float32).mean().item()


# ---- training ---------------------------------------------------------------------------------


def step(parameters, images, digits, options):
    """One step: sum of the clipped gradients, plus noise, over the expected batch.

    Returns the new parameters, and the losses and gradient norms of the samples of the step.
    """
    # Each sample is taken with the same probability, by itself, as the accountant assumes.
    taken = lucid.rand(len(images)) < options.batch / len(images)
    gradients, losses = per_sample_gradients(parameters, images[taken], digits[taken])
    norms = sum(g.flatten(1).square().sum(1) for g in gradients).sqrt()
    shrink = (options.clip / norms).clamp(max=1)

    moved = []
    for p, g in zip(parameters, gradients, strict=True):
        noise = lucid.randn(p.shape) * (options.noise * options.clip)
        mean_gradient = (lucid.tensordot(shrink, g, dims=1) + noise) / options.batch
        moved.append(p - options.learning_rate * mean_gradient)
    return tuple(moved), losses, norms


def train(images, digits, options):
    """Returns a row per step, a list of gradient norms per step, and the seconds it took."""
    order = lucid.randperm(len(images))
    held_out, kept = order[:HELD_OUT], order[HELD_OUT:]
    test_images, test_digits = images[held_out], digits[held_out]
    images, digits = images[kept], digits[kept]
    parameters = start_parameters()
    print(f"digits    {len(images)} to train on, {len(test_images)} held out")

    log, all_norms = [], []
    start = time.perf_counter()
    progress = tqdm(range(1, options.steps + 1), unit="step", ncols=100)
    for n in progress:
        parameters, losses, norms = step(parameters, images, digits, options)
        lucid.eval(parameters, losses, norms)
        row = {
            "step": n,
            "batch": len(norms),
            "loss": losses.mean().item(),
            "mean_norm": norms.mean().item(),
            "clipped": (norms > options.clip).to(lucid.float32).mean().item(),
            "accuracy": None,
        }
        if n % options.every == 0 or n == options.steps:
            row["accuracy"] = accuracy(parameters, test_images, test_digits)
            progress.set_postfix(loss=f"{row['loss']:.3f}", accuracy=f"{row['accuracy']:.1%}")
        log.append(row)
        all_norms.append(norms.tolist())
    return log, all_norms, time.perf_counter() - start


def privacy_spent(options, samples: int) -> tuple[float, int]:
    """Epsilon, and the order of the Renyi divergence that gives it."""
    accountant = RdpAccountant(orders=range(2, 257))
    one_step = dp_accounting.PoissonSampledDpEvent(
        options.batch / samples, dp_accounting.GaussianDpEvent(options.noise)
    )
    accountant.compose(one_step, options.steps)
    return accountant.get_epsilon_and_optimal_order(options.delta)


# ---- the program ------------------------------------------------------------------------------


def write_csv(path: Path, columns: list[str], rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_options() -> argparse.Namespace:
    def number(kind, least, most):
        def parse(text):
            value = kind(text)
            if not least <= value <= most:
                raise argparse.ArgumentTypeError(f"must be from {least} to {most}, not {text}")
            return value

        parse.__name__ = kind.__name__
        return parse

    parser = argparse.ArgumentParser(
        description="Differentially private training on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--seed", type=number(int, 0, 2**53), default=0, help="of all random numbers")
    add("--steps", type=number(int, 1, 10**6), default=300, help="of gradient descent")
    add("--batch", type=number(float, 1, 1437), default=256, help="samples in a step, on average")
    add("--noise", type=number(float, 0, 1e6), default=4.0, help="standard deviation / clip")
    add("--clip", type=number(float, 1e-6, 1e6), default=1.0, help="largest gradient norm")
    add("--learning-rate", type=number(float, 1e-9, 1e3), default=1.0, help="length of a step")
    add("--delta", type=number(float, 1e-12, 0.5), default=1e-5, help="of (epsilon, delta)")
    add("--every", type=number(int, 1, 10**6), default=10, help="steps between accuracies")
    add("--data", type=Path, default=HERE / "data" / "digits.csv", help="the digits")
    add("--log", type=Path, help="file for a line per step (CSV)")
    add("--norms", type=Path, help="file for every gradient norm (CSV)")
    add("--figure", type=Path, default=HERE / "out" / "dp_digits.png", help="the PNG")
    return parser.parse_args()


def main():
    options = read_options()
    images, digits = read_digits(options.data)
    lucid.manual_seed(options.seed)
    log, norms, seconds = train(images, digits, options)
    epsilon, order = privacy_spent(options, len(images) - HELD_OUT)

    print(f"accuracy  {100 * log[-1]['accuracy']:.1f} % of the held-out digits")
    print(
        f"privacy   epsilon {epsilon:.2f}, delta {options.delta:g}: "
        f"RDP accountant of the subsampled Gaussian, order {order}"
    )
    clipped = 100 * log[-1]["clipped"]
    print(f"norms     {clipped:.0f} % of the last step's gradients clipped to {options.clip:g}")
    print(f"time      {seconds:.1f} s, {1e3 * seconds / options.steps:.1f} ms a step")
    if options.log:
        write_csv(options.log, list(log[0]), (row.values() for row in log))
    if options.norms:
        rows = ((n, norm) for n, step in enumerate(norms, 1) for norm in step)
        write_csv(options.norms, ["step", "norm"], rows)
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    draw(log, norms, options.clip, options.figure)
    print(f"figure    {options.figure}")


if __name__ == "__main__":
    main()
