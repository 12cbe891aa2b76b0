"""Writes digits.onnx: a small convolutional network that PyTorch has taught to read the digits 0 to 4, with
outputs for all ten, exported the ordinary way. And the pictures: data/train-*, data/held-*.

Run with Debian's python3-torch and python3-sklearn: /usr/bin/python3 export.py [digits.csv.gz]
"""

import gzip
import pathlib
import struct
import sys

import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
SOURCE = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"
HELD = 500
KNOWN = 5

torch.manual_seed(4)
torch.set_num_threads(1)


def read(path):
    """Pictures as bytes, [n, 8, 8], and the digits that they show."""
    with gzip.open(path, "rt") as lines:
        rows = torch.tensor([[int(float(each)) for each in line.split(",")] for line in lines])
    rows = rows[torch.randperm(len(rows))]
    return (rows[:, :-1] * 255 / 16).round().to(torch.uint8).reshape(-1, 8, 8), rows[:, -1]


def write(name, array):
    """In the format of the MNIST family."""
    header = struct.pack(f">BBBB{array.dim()}I", 0, 0, 8, array.dim(), *array.shape)
    content = gzip.compress(header + array.to(torch.uint8).numpy().tobytes(), 9, mtime=0)
    (HERE / "data" / f"{name}-idx{array.dim()}-ubyte.gz").write_bytes(content)


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(32 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


pictures, digits = read(sys.argv[1] if len(sys.argv) > 1 else SOURCE)
for name, rows in (("held", slice(0, HELD)), ("train", slice(HELD, None))):
    write(f"{name}-images", pictures[rows])
    write(f"{name}-labels", digits[rows])

known = digits[HELD:] < KNOWN
x = pictures[HELD:][known][:, None] / 255
y = digits[HELD:][known]
model = Digits()
optimiser = torch.optim.Adam(model.parameters(), lr=0.003)
for epoch in range(12):
    for rows in torch.randperm(len(x)).split(32):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
model.eval()
with torch.no_grad():
    found = model(pictures[:HELD, None] / 255).argmax(1)
print("loss", loss.item(), "held-out accuracy", (found == digits[:HELD]).float().mean().item())
torch.onnx.export(
    model,
    torch.zeros(1, 1, 8, 8),
    HERE / "digits.onnx",
    input_names=["image"],
    output_names=["logits"],
    dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
    dynamo=False,
)
