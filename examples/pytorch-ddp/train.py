"""Trains a small network with PyTorch's DistributedDataParallel, as one rank of a gang of jobs.

    python3 train.py TABLE.csv LABEL --epochs N

The script depends on Skein in three conventions only: the worker sets MASTER_ADDR, MASTER_PORT,
RANK and WORLD_SIZE as every launcher does; a line `::progress FRACTION MESSAGE` on stderr is shown
as the progress of the job; and what lies in `checkpoint/` when an attempt fails lies there again at
the next one. A rank that was killed has a checkpoint to resume from and the others may have none,
so the ranks first find the newest checkpoint, and all resume from it.
"""

import argparse
import csv
import os
import pathlib
import random
import sys

import torch
import torch.distributed as distributed
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

BATCH = 16  # rows per rank and step
CHECKPOINT = pathlib.Path("checkpoint/state.pt")


def read_table(path, label):
    """Features [rows, columns], class numbers [rows], and the classes in the order of the alphabet."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row[label] for row in rows})
    features = [[float(value) for name, value in row.items() if name != label] for row in rows]
    labels = [classes.index(row[label]) for row in rows]
    return torch.tensor(features), torch.tensor(labels), classes


class Diagnosis(nn.Module):
    """Raw rows to probabilities: the scaling is a part of the model, so that callers need not know it."""

    def __init__(self, features, classes):
        super().__init__()
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("deviation", features.std(0))
        self.layers = nn.Sequential(
            nn.Linear(features.shape[1], 16), nn.ReLU(), nn.Linear(16, classes)
        )

    def forward(self, rows):
        return self.layers((rows - self.mean) / self.deviation)


def save(state):
    """A rank that dies while it writes leaves the checkpoint before."""
    CHECKPOINT.parent.mkdir(exist_ok=True)
    unfinished = CHECKPOINT.with_suffix(".unfinished")
    torch.save(state, unfinished)
    os.replace(unfinished, CHECKPOINT)


def resume(rank, model, optimiser):
    """Brings all ranks to the newest checkpoint that any of them has; returns the epochs that are done."""
    found = torch.load(CHECKPOINT, weights_only=True) if CHECKPOINT.exists() else None
    done = torch.tensor([found["epochs"] if found else 0])
    gathered = [torch.zeros_like(done) for _ in range(distributed.get_world_size())]
    distributed.all_gather(gathered, done)
    epochs = [int(each) for each in gathered]
    newest = max(epochs)
    if newest == 0:
        return 0
    shared = [found]
    distributed.broadcast_object_list(shared, src=epochs.index(newest))
    model.load_state_dict(shared[0]["model"])
    optimiser.load_state_dict(shared[0]["optimiser"])
    if rank == 0:
        print(f"resumes after epoch {newest} of the checkpoint", flush=True)
    return newest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("label")
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    # Debian builds PyTorch without libuv, which the rendezvous would ask for.
    os.environ.setdefault("USE_LIBUV", "0")
    distributed.init_process_group("gloo")
    rank, ranks = distributed.get_rank(), distributed.get_world_size()

    features, labels, classes = read_table(options.table, options.label)
    order = list(range(len(labels)))
    random.Random(1).shuffle(order)
    cut = len(order) * 4 // 5
    training, test = order[:cut], order[cut:]
    model = Diagnosis(features[training], len(classes))
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.005)
    start = resume(rank, model, optimiser)
    together = DistributedDataParallel(model)

    for epoch in range(start, options.epochs):
        # The order is the same on every rank; of two ranks, each takes every second row.
        shuffled = random.Random(epoch).sample(training, len(training) - len(training) % ranks)
        mine = torch.tensor(shuffled[rank::ranks])
        for batch in mine.split(BATCH):
            loss = F.cross_entropy(together(features[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        save(
            {
                "epochs": epoch + 1,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
        )
        message = f"epoch {epoch + 1}/{options.epochs}, loss {loss.item():.4f}"
        print(f"::progress {(epoch + 1) / options.epochs:.4f} {message}", file=sys.stderr, flush=True)

    if rank == 0:
        with torch.no_grad():
            right = (model(features[test]).argmax(1) == labels[test]).float().mean().item()
        print(f"accuracy {right:.4f} on {len(test)} rows held back", flush=True)
        export(model, features[:1])
    distributed.barrier()
    distributed.destroy_process_group()


def export(model, example):
    torch.onnx.export(
        nn.Sequential(model, nn.Softmax(dim=1)).eval(),
        (example,),
        "model.onnx",
        input_names=["features"],
        output_names=["probabilities"],
        dynamic_axes={"features": {0: "batch"}, "probabilities": {0: "batch"}},
        dynamo=False,
    )


if __name__ == "__main__":
    main()
