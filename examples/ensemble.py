"""An ensemble of small nets trained at once by vmap over the models.

    python examples/ensemble.py

Each net starts from its own random weights and fits the same noisy sine curve; their spread says
where the ensemble does not know the curve.
"""

import lucid
from lucid.func import grad_and_value, vmap

MODELS, HIDDEN, SAMPLES, STEPS, RATE = 16, 32, 64, 1000, 0.02


def new_model(_):
    """The parameters of ONE net of one input and one output; under vmap each draws its own."""
    return {
        "weight0": 2 * lucid.randn(HIDDEN),
        "bias0": lucid.randn(HIDDEN),
        "weight1": lucid.randn(HIDDEN) / HIDDEN**0.5,
        "bias1": lucid.zeros(()),
    }


def predict(model, x):
    """ONE net at ONE point x ()."""
    return (x * model["weight0"] + model["bias0"]).tanh() @ model["weight1"] + model["bias1"]


def loss(model, xs, ys):
    return (vmap(predict, in_dims=(None, 0))(model, xs) - ys).square().mean()


@vmap
def start_velocity(model):
    return {name: lucid.zeros_like(value) for name, value in model.items()}


def descend(model, velocity, xs, ys):
    """One step of gradient descent with momentum for ONE net."""
    gradient, value = grad_and_value(loss)(model, xs, ys)
    velocity = {name: 0.9 * velocity[name] - RATE * gradient[name] for name in model}
    return {name: model[name] + velocity[name] for name in model}, velocity, value


def main():
    lucid.manual_seed(0)
    xs = 4 * lucid.rand(SAMPLES) - 2
    ys = (2 * xs).sin() + 0.1 * lucid.randn(SAMPLES)

    models = vmap(new_model, randomness="different")(lucid.zeros(MODELS))
    velocity = start_velocity(models)
    step = vmap(descend, in_dims=(0, 0, None, None))
    for n in range(1, STEPS + 1):
        models, velocity, losses = step(models, velocity, xs, ys)
        lucid.eval(models, velocity, losses)
        if n % 200 == 0:
            print(f"step {n:4}  loss {losses.mean():.4f}, of the worst net {losses.max():.4f}")
    assert losses.max() < 0.03

    grid = lucid.tensor([-1.0, 0.0, 1.0, 4.0])
    curves = vmap(vmap(predict, in_dims=(None, 0)), in_dims=(0, None))(models, grid)
    alone = [{name: value[k] for name, value in models.items()} for k in range(MODELS)]
    looped = lucid.stack([lucid.stack([predict(model, x) for x in grid]) for model in alone])
    assert (curves - looped).abs().max() < 1e-5
    mean, spread, sine = curves.mean(0), curves.std(0), (2 * grid).sin()
    for i in range(len(grid)):
        print(f"x = {grid[i]:4.1f}  {mean[i]:5.2f} +- {spread[i]:.2f}  (sine {sine[i]:5.2f})")
    assert (mean - sine)[:3].abs().max() < 0.15
    assert spread[3] > 3 * spread[:3].max()  # far from the data the nets part


if __name__ == "__main__":
    main()
