"""Writes src/optimisers/fixtures/pytorch.json: the paths that PyTorch's optimisers take in float64.

The loss is 1/2 sum a p^2 over two parameters of different rank. Debian: python3-torch.
"""

import json
import pathlib

import torch

STEPS = 8
START = {"w": [[1.0, -2.0, 3.0], [0.5, 0.25, -4.0]], "b": [0.1, -0.7]}
CURVATURE = {"w": [[1.0, 10.0, 0.5], [2.0, 0.1, 3.0]], "b": [4.0, 0.2]}

CASES = [
    ("sgd", {}, "SGD", {}, 0.05, None),
    ("sgd", {"momentum": 0.9}, "SGD", {"momentum": 0.9}, 0.02, None),
    ("sgd", {"weightDecay": 0.1}, "SGD", {"weight_decay": 0.1}, 0.05, {"norm": 2.5}),
    ("sgd", {"momentum": 0.9}, "SGD", {"momentum": 0.9}, 0.05, {"value": 0.75}),
    ("adam", {}, "Adam", {}, 0.1, None),
    (
        "adam",
        {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.1},
        "Adam",
        {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        0.05,
        None,
    ),
    ("adamw", {}, "AdamW", {}, 0.1, None),
    ("adamw", {"weightDecay": 0.2}, "AdamW", {"weight_decay": 0.2}, 0.05, {"norm": 1.0}),
    ("adagrad", {}, "Adagrad", {}, 0.3, None),
    ("adagrad", {"epsilon": 1e-2, "weightDecay": 0.1}, "Adagrad", {"eps": 1e-2, "weight_decay": 0.1}, 0.3, None),
    ("rmsprop", {}, "RMSprop", {}, 0.02, None),
    (
        "rmsprop",
        {"alpha": 0.9, "momentum": 0.7, "epsilon": 1e-3, "weightDecay": 0.1},
        "RMSprop",
        {"alpha": 0.9, "momentum": 0.7, "eps": 1e-3, "weight_decay": 0.1},
        0.02,
        None,
    ),
]


def path(optimiser, options, rate, clip):
    tensors = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in START.items()}
    chosen = getattr(torch.optim, optimiser)(tensors.values(), lr=rate, **options)
    for _ in range(STEPS):
        chosen.zero_grad()
        sum((torch.tensor(CURVATURE[k], dtype=torch.float64) * t * t).sum() / 2 for k, t in tensors.items()).backward()
        if clip and "norm" in clip:
            torch.nn.utils.clip_grad_norm_(tensors.values(), clip["norm"])
        if clip and "value" in clip:
            torch.nn.utils.clip_grad_value_(tensors.values(), clip["value"])
        chosen.step()
    return {k: t.detach().flatten().tolist() for k, t in tensors.items()}


cases = [
    {"optimiser": ours, "options": options, "rate": rate, "clip": clip, "end": path(theirs, arguments, rate, clip)}
    for ours, options, theirs, arguments, rate, clip in CASES
]
target = pathlib.Path(__file__).parent.parent / "src/optimisers/fixtures/pytorch.json"
fixture = {"torch": torch.__version__, "steps": STEPS, "start": START, "curvature": CURVATURE, "cases": cases}
target.write_text(json.dumps(fixture, indent=1) + "\n")
