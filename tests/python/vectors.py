"""Reads tests/vectors and runs their programs: see the README there for the format."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import lucid
import lucid.nn.functional as F
from lucid import func

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors"


@dataclass
class Expected:
    values: Any
    tolerance: float


@dataclass
class Case:
    name: str
    program: list[str] = field(default_factory=list)
    apply: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    strategies: list[str | None] = field(default_factory=lambda: [None])
    chunk_sizes: list[str | None] = field(default_factory=lambda: [None])
    seed: int = 0
    draws: int | None = None
    paths: int | None = None
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Expected] = field(default_factory=list)
    error: tuple[str, str] | None = None


# -- reading ---------------------------------------------------------------------------------------


def read_number(word: str, dtype: Any) -> Any:
    return float(word) if dtype.kind == "f" else int(word)


def read_array(words: list[str], output: bool) -> tuple[Any, float]:
    dtype, sizes, *words = words
    tolerance = 0.0
    if output:
        tolerance = 0.0 if words[0] == "exact" else float(words[0])
        words = words[1:]
    shape = () if sizes == "-" else tuple(int(size) for size in sizes.split("x"))
    kind = np.dtype(dtype)
    return np.array([read_number(w, kind) for w in words], dtype=kind).reshape(shape), tolerance


def statement(case: Case, key: str, words: list[str]) -> None:
    if key == "program":
        case.program = words
    elif key == "apply":
        case.apply.append((words[0], dict(word.split("=", 1) for word in words[1:])))
    elif key in ("strategies", "chunk_sizes"):
        setattr(case, key, words)
    elif key in ("seed", "draws", "paths"):
        setattr(case, key, int(words[0]))
    elif key == "input":
        case.inputs.append(read_array(words, False)[0])
    elif key == "output":
        case.outputs.append(Expected(*read_array(words, True)))
    elif key == "error":
        case.error = (words[0], " ".join(words[1:]))
    else:
        raise ValueError(f"unknown {key}")


def read(path: Path) -> Iterator[Case]:
    text = re.sub(r"#.*", "", path.read_text())
    case = None
    for line in re.sub(r"\n ", " ", text).splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "case":
            case = Case(words[1])
        elif words[0] == "end":
            yield case
        else:
            statement(case, words[0], words[1:])


# -- words -----------------------------------------------------------------------------------------

UNARY = {"relu": F.relu, "sigmoid": lucid.sigmoid, "cholesky": lucid.linalg.cholesky}
UNARY |= {name: getattr(lucid, name) for name in ("trace", "zeros_like", "ones_like")}
BINARY = {"solve": lucid.linalg.solve}
BINARY |= {name: getattr(lucid, name) for name in ("pow", "matmul", "outer", "masked_select")}
for arity, name in re.findall(
    r"^LUCID_(UNARY|BINARY)\((\w+),", (ROOT / "include/lucid_elementwise.def").read_text(), re.M
):
    (UNARY if arity == "UNARY" else BINARY)[name] = getattr(lucid, name)

# With the generator to draw from.
RANDOM: dict[str, tuple[int, Callable[..., Any]]] = {
    "rand": (0, lambda *size, g: lucid.rand(size, generator=g)),
    "rand64": (0, lambda *size, g: lucid.rand(size, generator=g, dtype=lucid.float64)),
    "randn": (0, lambda *size, g: lucid.randn(size, generator=g)),
    "randn64": (0, lambda *size, g: lucid.randn(size, generator=g, dtype=lucid.float64)),
    "randint": (0, lambda low, high, *size, g: lucid.randint(low, high, size, generator=g)),
    "randperm": (0, lambda n, g: lucid.randperm(n, generator=g)),
    "bernoulli": (1, lambda p, g: lucid.bernoulli(p, generator=g)),
    "exponential": (1, lambda rate, g: lucid.exponential(rate, generator=g)),
    "poisson": (1, lambda rate, g: lucid.poisson(rate, generator=g)),
    "normal": (2, lambda mean, std, g: lucid.normal(mean, std, generator=g)),
    "uniform": (2, lambda low, high, g: lucid.uniform(low, high, generator=g)),
    "multinomial": (1, lambda p, n, again, g: lucid.multinomial(p, n, bool(again), generator=g)),
    "dropout": (1, lambda x, p, g: F.dropout(x, p, generator=g)),
}


def put(x: Any, index: Any, value: Any) -> Any:
    x = x.clone()
    x[index] = value
    return x


OTHERS: dict[str, tuple[int, Callable[..., Any]]] = {
    "where": (3, lucid.where),
    "reshape": (1, lambda x, *sizes: x.reshape(sizes)),
    "expand": (1, lambda x, *sizes: x.expand(sizes)),
    "transpose": (1, lucid.transpose),
    "select": (1, lucid.select),
    "unsqueeze": (1, lucid.unsqueeze),
    "index": (2, lambda x, index: x[index]),
    "index_put": (3, put),
    "concatenate": (2, lambda x, y, dim: lucid.cat([x, y], dim)),
    "sort": (1, lambda x, dim: lucid.sort(x, dim).values),
    "softmax": (1, lucid.softmax),
    "log_softmax": (1, lucid.log_softmax),
    "cumsum": (1, lucid.cumsum),
    "cumprod": (1, lucid.cumprod),
}
for name in ("sum", "mean", "amax", "amin", "logsumexp", "any", "all"):
    OTHERS[name] = (
        1,
        partial(lambda f, x, *dims: f(x, dims or tuple(range(x.ndim))), vars(lucid)[name]),
    )


# -- running ---------------------------------------------------------------------------------------


def number(word: str) -> Any:
    return float(word) if any(c in word for c in ".e") else int(word)


class Machine:
    """One run of a program; `own` holds the generators of the case."""

    def __init__(self, args: tuple[Any, ...], own: dict[int, lucid.Generator]) -> None:
        self.args, self.own = args, own
        self.stack: list[Any] = []
        self.variables: dict[str, Any] = {}
        self.generator: lucid.Generator | None = None

    def run(self, words: list[str]) -> None:
        at = 0
        while at < len(words):
            word = words[at]
            if word == "[":
                end, open_blocks = at, 1
                while open_blocks:
                    end += 1
                    open_blocks += {"[": 1, "]": -1}.get(words[end], 0)
                self.stack.append(words[at + 1 : end])
                at = end
            else:
                self.word(word)
            at += 1

    def take(self, count: int) -> list[Any]:
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def word(self, word: str) -> None:
        name, _, rest = word.partition(":")
        parameters = [number(p) for p in rest.split(",")] if rest else []
        if re.fullmatch(r"-?\d.*", word):
            self.stack.append(number(word))
        elif re.fullmatch(r"x\d+", word):
            self.stack.append(self.args[int(word[1:])])
        elif word.startswith("->"):
            self.variables[word[2:]] = self.stack.pop()
        elif word in self.variables:
            self.stack.append(self.variables[word])
        elif hasattr(self, f"do_{name}"):
            getattr(self, f"do_{name}")(*parameters)
        elif name in RANDOM:
            arity, f = RANDOM[name]
            self.stack.append(f(*self.take(arity), *parameters, g=self.generator))
        elif name in OTHERS:
            arity, f = OTHERS[name]
            self.stack.append(f(*self.take(arity), *parameters))
        elif name in UNARY:
            self.stack.append(UNARY[name](*self.take(1)))
        elif name in BINARY:
            self.stack.append(BINARY[name](*self.take(2)))
        else:
            self.stack.append(lucid.as_tensor(self.stack.pop()).to(getattr(lucid, name)))

    def do_if(self) -> None:
        p, yes, no = self.take(3)
        self.run(yes if p else no)

    def do_while(self) -> None:
        p, body = self.take(2)
        self.run(p)
        while self.stack.pop():
            self.run(body)
            self.run(p)

    def do_times(self) -> None:
        n, body = self.take(2)
        for _ in range(int(n)):
            self.run(body)

    def block(self, words: list[str]) -> Callable[..., Any]:
        """A function of what the block finds on its stack, giving what it leaves there."""

        def f(*operands: Any) -> tuple[Any, ...]:
            inside = Machine(self.args, self.own)
            inside.variables = dict(self.variables)
            inside.generator = self.generator
            inside.stack = list(operands)
            inside.run(words)
            return tuple(inside.stack)

        return f

    def do_cond(self, count: int) -> None:
        p, *operands, yes, no = self.take(count + 3)
        self.stack += lucid.cond(p, self.block(yes), self.block(no), *operands)

    def do_switch(self, count: int, branches: int) -> None:
        index, *rest = self.take(1 + count + branches)
        self.stack += lucid.switch(index, [self.block(b) for b in rest[count:]], *rest[:count])

    def do_loop(self, count: int, max_steps: int = 0, checkpoint_every: int = 0) -> None:
        *carry, p, step = self.take(count + 2)
        goes_on, body = self.block(p), self.block(step)
        self.stack += lucid.while_loop(
            lambda c: goes_on(*c)[0],
            lambda c: body(*c),
            tuple(carry),
            max_steps=max_steps or None,
            checkpoint_every=checkpoint_every or None,
        )

    def do_fori(self, count: int, max_steps: int = 0) -> None:
        lower, upper, *carry, words = self.take(count + 3)
        body = self.block(words)
        self.stack += lucid.fori_loop(
            lower, upper, lambda i, c: body(i, *c), tuple(carry), max_steps=max_steps or None
        )

    def do_scan(self, count: int, sequences: int, reverse: int = 0) -> None:
        *rest, words = self.take(count + sequences + 1)
        body = self.block(words)

        def step(carry: Any, x: Any) -> Any:
            y = body(*carry, *x)
            return y[:count], y[count:]

        carry, ys = lucid.scan(
            step, tuple(rest[:count]), tuple(rest[count:]), reverse=bool(reverse)
        )
        self.stack += [*carry, *ys]

    def do_map(self, count: int) -> None:
        *xs, words = self.take(count + 1)
        body = self.block(words)
        self.stack += lucid.map(lambda x: body(*x), tuple(xs))

    def do_stack(self, count: int) -> None:
        self.stack.append(lucid.stack(self.take(count)))

    def do_own(self, seed: int) -> None:
        (body,) = self.take(1)
        before, self.generator = self.generator, self.own.setdefault(seed, lucid.Generator(seed))
        self.run(body)
        self.generator = before


def read_dims(text: str) -> Any:
    dims = tuple(None if d == "none" else int(d) for d in text.split(","))
    return dims[0] if len(dims) == 1 else dims


def apply(f: Callable[..., Any], transform: str, options: dict[str, str]) -> Callable[..., Any]:
    if transform == "jvp":
        return lambda *x: func.jvp(f, x[: len(x) // 2], x[len(x) // 2 :])[1]
    if transform == "vjp":
        n = int(options.get("primals", "1"))
        return lambda *x: func.vjp(f, *x[:n])[1](*x[n:])
    read: dict[str, Callable[[str], Any]] = {
        "in_dims": lambda text: read_dims(text),
        "out_dims": lambda text: read_dims(text),
        "argnums": lambda text: read_dims(text),
        "chunk_size": lambda text: text if text == "auto" else int(text) or None,
        "max_paths": int,
    }
    given = {key: read.get(key, str)(value) for key, value in options.items()}
    return getattr(func, transform)(f, **given)


def leaves(results: Any) -> list[Any]:
    """Numbers and tensors in nested tuples, in order."""
    if isinstance(results, tuple | list):
        return [leaf for result in results for leaf in leaves(result)]
    return [results]


def call(case: Case, strategy: str | None, chunk_size: str | None) -> list[Any]:
    own: dict[int, lucid.Generator] = {}

    def f(*args: Any) -> Any:
        machine = Machine(args, own)
        machine.run(case.program)
        results = machine.stack
        return results[0] if len(results) == 1 else tuple(results)

    for transform, options in case.apply:
        if transform == "vmap":
            options = dict(options)
            if strategy is not None:
                options["strategy"] = strategy
            if chunk_size is not None:
                options["chunk_size"] = chunk_size
        f = apply(f, transform, options)
    lucid.manual_seed(case.seed)
    results = leaves(f(*(lucid.tensor(x) for x in case.inputs)))
    return [y.numpy() if isinstance(y, lucid.Tensor) else np.asarray(y) for y in results]
