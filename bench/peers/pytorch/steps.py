"""
The peer of the training benchmark: the same models and the same steps in PyTorch, one thread.

Reads commands from stdin, one JSON object a line: {"model": "mlp", "batch": 10, "steps": 100}.
Answers each with {"ms": [...]}, the milliseconds of every step. The first line out is the version.
"""
import json
import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
torch.manual_seed(0)


def mlp(batch):
    model = nn.Sequential(
        nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
    )
    return model, torch.randn(batch, 784), torch.randint(0, 10, (batch,)), nn.CrossEntropyLoss()


def cnn(batch):
    """The network for MNIST of McMahan et al., 2017."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10),
    )
    return model, torch.randn(batch, 1, 28, 28), torch.randint(0, 10, (batch,)), nn.CrossEntropyLoss()


def transformer(batch):
    model = nn.TransformerEncoderLayer(
        d_model=128, nhead=4, dim_feedforward=512, dropout=0.0,
        activation="gelu", batch_first=True, norm_first=True,
    )
    return model, torch.randn(batch, 64, 128), torch.randn(batch, 64, 128), nn.MSELoss()


MODELS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}
open_steps = {}


def step_of(name, batch):
    if (name, batch) not in open_steps:
        model, x, target, loss_of = MODELS[name](batch)
        model.train()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01)

        def step():
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(model(x), target)
            loss.backward()
            optimiser.step()
            return loss.item()

        open_steps[(name, batch)] = step
    return open_steps[(name, batch)]


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    wanted = json.loads(line)
    step = step_of(wanted["model"], wanted["batch"])
    times = []
    for _ in range(wanted["steps"]):
        begun = time.perf_counter()
        step()
        times.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"ms": times}), flush=True)
