"""
The peer of private training: gradients of single examples by torch.func's vmap, as PyTorch's
tutorial on per-sample gradients has them, clipped and summed; one thread.

Reads commands from stdin, one JSON object a line: {"model": "mlp", "batch": 64, "steps": 10}.
Answers each with {"ms": [...]}, the milliseconds of every step. The first line out is the version.
"""
import json
import sys
import time

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
torch.manual_seed(0)

NORM = 1.0
model = nn.Sequential(
    nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
)
params = {name: value.detach() for name, value in model.named_parameters()}


def loss_of(params, x, label):
    scores = functional_call(model, params, (x.unsqueeze(0),))
    return nn.functional.cross_entropy(scores, label.unsqueeze(0))


each = vmap(grad(loss_of), in_dims=(None, 0, 0))


def step(x, labels):
    grads = each(params, x, labels)
    norms = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
    factors = (NORM / norms).clamp(max=1)
    sums = {name: torch.einsum("b,b...->...", factors, g) for name, g in grads.items()}
    for name, value in params.items():
        value.sub_(sums[name], alpha=0.01 / len(labels))


print(json.dumps({"version": torch.__version__}), flush=True)
batches = {}
for line in sys.stdin:
    wanted = json.loads(line)
    batch = wanted["batch"]
    if batch not in batches:
        batches[batch] = (torch.randn(batch, 784), torch.randint(0, 10, (batch,)))
    times = []
    for _ in range(wanted["steps"]):
        begun = time.perf_counter()
        step(*batches[batch])
        times.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"ms": times}), flush=True)
