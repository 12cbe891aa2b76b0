"""Writes the gradients that PyTorch computes, as the oracle of ours: fixtures/gradients/*.onnx.

Every case is two ONNX files. `<case>.onnx` is what PyTorch exports, or one node written by hand
(single_operators.py): a module whose output is a scalar loss. `<case>.expected.onnx` holds, as initialisers, the inputs (`input:<name>`), the loss and
the gradient of every parameter (`gradient:<name>`) and of every floating-point input.

    nice -n 19 /usr/bin/python3 packages/onnx/scripts/make-gradient-fixtures.py

Needs Debian's python3-torch and python3-onnx. The files are the same on every run.
"""

import importlib.util
import io
import pathlib
import warnings

import numpy
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

import fake_quantise
import single_operators
import small_modules

FOLDER = pathlib.Path(__file__).parent.parent / "fixtures" / "gradients"


class Weighted(nn.Module):
    """Makes a scalar of an operator's result: each element weighs differently."""

    def __init__(self, operator):
        super().__init__()
        self.operator = operator

    def forward(self, *inputs):
        return sum((each * weights(each)).sum() for each in flat(self.operator(*inputs)))


def flat(result):
    return [part for each in result for part in flat(each)] if isinstance(result, tuple) else [result]


def weights(of):
    return torch.sin(torch.arange(of.numel(), dtype=of.dtype) + 0.5).reshape(of.shape)


class Classified(nn.Module):
    """Mean cross-entropy against soft targets, written with standard operators."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, targets):
        return -(F.log_softmax(self.model(x), dim=1) * targets).sum() / targets.shape[0]


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def torchscript(module, inputs, opset, dynamic_axes=None):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            file,
            opset_version=opset,
            input_names=list(inputs),
            output_names=["loss"],
            dynamic_axes=dynamic_axes,
            training=torch.onnx.TrainingMode.TRAINING,
            # Folding hides weights under new names.
            do_constant_folding=False,
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def torchscript_open(module, inputs, opset):
    """With a first axis that is open."""
    return torchscript(module, inputs, opset, {key: {0: f"{key}_0"} for key in inputs})


def dynamo(module, inputs, _opset):
    names = {"input_names": list(inputs), "output_names": ["loss"]}
    return torch.onnx.export(module, tuple(inputs.values()), dynamo=True, **names).model_proto


def write(name, module, inputs, opset=17, export=torchscript):
    """`inputs` by name; the floating-point ones are differentiated too, except `targets`."""
    module.train()
    leaves = {
        key: value.clone().requires_grad_() if value.is_floating_point() and key != "targets" else value
        for key, value in inputs.items()
    }
    # The file holds the running statistics before the step.
    before = {key: value.clone() for key, value in module.state_dict().items()}
    loss = module(*leaves.values())
    loss.backward()
    expected = {f"input:{key}": value.detach() for key, value in inputs.items()}
    expected["loss"] = loss.detach()
    for key, value in leaves.items():
        if value.requires_grad:
            expected[f"gradient:{key}"] = value.grad
    for key, value in module.named_parameters():
        expected[f"gradient:{key}"] = value.grad
    module.load_state_dict(before)
    model = export(module, inputs, opset)
    held = {each.name for each in model.graph.initializer}
    missing = [key for key, _ in module.named_parameters() if key not in held]
    assert not missing, f"{name}: the exporter renamed {missing}"
    model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, FOLDER / f"{name}.onnx")
    save_tensors(FOLDER / f"{name}.expected.onnx", expected)


def save_tensors(path, tensors):
    graph = onnx.helper.make_graph([], "expected", [], [])
    for name, value in tensors.items():
        array = numpy.array(value.numpy(), order="C")
        graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), path)


def randn(*shape):
    return torch.randn(*shape)


def operators():
    """One operator with one set of attributes each."""

    def image(channels=3, size=6):
        return {"x": randn(2, channels, size, size)}

    modules = {
        "conv-1d": (nn.Conv1d(3, 4, 3, stride=2, padding=1), {"x": randn(2, 3, 9)}),
        "conv-2d": (nn.Conv2d(3, 4, 3, padding=1), image()),
        "conv-strided": (nn.Conv2d(3, 4, (3, 2), stride=(2, 3), padding=(1, 0)), image()),
        "conv-dilated": (nn.Conv2d(3, 2, 3, dilation=2, bias=False), image()),
        "conv-grouped": (nn.Conv2d(4, 6, 3, groups=2, stride=2), image(4)),
        "conv-depthwise": (nn.Conv2d(4, 4, 3, groups=4, padding=1), image(4)),
        "conv-3d": (nn.Conv3d(2, 3, 2), {"x": randn(1, 2, 3, 4, 3)}),
        "conv-transpose": (
            nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1),
            image(3, 4),
        ),
        "conv-transpose-grouped": (nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), image(4, 3)),
        "max-pool": (nn.MaxPool2d(2), image()),
        "max-pool-overlapping": (nn.MaxPool2d(3, stride=2, padding=1), image()),
        "max-pool-dilated": (nn.MaxPool2d(2, stride=1, dilation=2), image()),
        "average-pool": (nn.AvgPool2d(2), image()),
        "average-pool-padded": (nn.AvgPool2d(3, stride=2, padding=1), image()),
        "average-pool-uncounted": (
            nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
            image(),
        ),
        "global-average-pool": (nn.AdaptiveAvgPool2d(1), image()),
        "global-max-pool": (nn.AdaptiveMaxPool2d(1), image()),
        "batch-norm-2d": (nn.BatchNorm2d(3), image()),
        "batch-norm-1d": (nn.BatchNorm1d(5), {"x": randn(6, 5)}),
        "instance-norm": (nn.InstanceNorm2d(3, affine=True), image()),
        "layer-norm": (nn.LayerNorm(6), {"x": randn(2, 3, 6)}),
        "layer-norm-two-axes": (nn.LayerNorm((3, 6)), {"x": randn(2, 3, 6)}),
        "group-norm": (nn.GroupNorm(2, 4), image(4)),
        "embedding": (nn.Embedding(7, 4), {"x": torch.tensor([[1, 2, 1], [6, 0, 2]])}),
        "linear": (nn.Linear(5, 3), {"x": randn(4, 5)}),
        "gru": (Function(nn.GRU(3, 4)), {"x": randn(5, 2, 3)}),
        "gru-bidirectional": (Function(nn.GRU(3, 2, bidirectional=True)), {"x": randn(4, 2, 3)}),
        "lstm": (Function(nn.LSTM(3, 4)), {"x": randn(5, 2, 3)}),
        "lstm-bidirectional": (Function(nn.LSTM(3, 2, bidirectional=True)), {"x": randn(4, 2, 3)}),
    }
    functions = {
        "pad": (lambda x: F.pad(x, (1, 2, 0, 1)), image()),
        "pad-reflect": (lambda x: F.pad(x, (1, 2, 3, 1), mode="reflect"), image()),
        "pad-replicate": (lambda x: F.pad(x, (1, 2, 3, 1), mode="replicate"), image()),
        "resize-nearest": (lambda x: F.interpolate(x, scale_factor=2), image()),
        "resize-bilinear": (
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
            image(),
        ),
        "resize-corners": (
            lambda x: F.interpolate(x, size=(5, 11), mode="bilinear", align_corners=True),
            image(),
        ),
        "resize-bicubic": (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), image()),
        "gather": (lambda x, at: torch.gather(x, 1, at), {"x": randn(3, 4), "at": torch.tensor([[0, 0], [3, 1], [2, 2]])}),
        "index-select": (lambda x: torch.index_select(x, 1, torch.tensor([2, 0, 2])), {"x": randn(3, 4)}),
        "einsum-attention": (
            lambda q, k: torch.einsum("bqhd,bkhd->bhqk", q, k),
            {"q": randn(2, 3, 2, 4), "k": randn(2, 5, 2, 4)},
        ),
        "einsum-bilinear": (
            lambda x, w, y: torch.einsum("bi,ijk,bj->bk", x, w, y),
            {"x": randn(2, 3), "w": randn(3, 4, 2), "y": randn(2, 4)},
        ),
    }
    for name, (module, inputs) in modules.items():
        write(f"operators/{name}", Weighted(module), inputs)
    for name, (function, inputs) in functions.items():
        write(f"operators/{name}", Weighted(Function(function)), inputs)


class Block(nn.Module):
    """Residual block with a strided shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        Block(4, 4, 1),
        Block(4, 8, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )


def separable():
    layers = [nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU6()]
    for inputs, outputs, stride in ((4, 6, 1), (6, 8, 2)):
        layers += [
            nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.Hardswish(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


class Encoder(nn.Module):
    """A transformer encoder block, and a classifier on the mean of its states."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.attend = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.classify = nn.Linear(width, 4)

    def forward(self, x):
        batch, length, width = x.shape
        split = self.attend(x).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = self.norm1(x + self.project(mixed))
        x = self.norm2(x + self.narrow(F.gelu(self.widen(x))))
        return self.classify(x.mean(1))


class Bag(nn.Module):
    """Mean of embeddings, then a classifier."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.classify = nn.Linear(6, 4)

    def forward(self, tokens):
        return self.classify(torch.tanh(self.embedding(tokens).mean(1)))


class UNet(nn.Module):
    """One level down and up again: transposed convolution, nearest upsampling and a skip connection."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 4, 3, padding=1)
        self.down2 = nn.Conv2d(4, 6, 3, padding=1)
        self.middle = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.GroupNorm(2, 6)
        self.up1 = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.up2 = nn.Conv2d(8, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        high = F.leaky_relu(self.down1(x))
        low = F.leaky_relu(self.down2(F.max_pool2d(high, 2)))
        lowest = self.norm(self.middle(F.avg_pool2d(low, 2)))
        low = low + F.interpolate(F.silu(lowest), scale_factor=2, mode="nearest")
        return self.out(F.elu(self.up2(torch.cat([self.up1(low), high], 1))))


def models():
    def soft(*shape):
        return torch.softmax(2 * randn(*shape), 1)

    lenet = nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(54, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip
    mlp = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 6), nn.Sigmoid(), nn.Linear(6, 4))
    cases = {
        "mlp": (mlp, randn(6, 8), soft(6, 4)),
        "lenet": (lenet, randn(3, 1, 20, 20), soft(3, 5)),
        "resnet": (resnet(), randn(3, 3, 16, 16), soft(3, 5)),
        "separable-cnn": (separable(), randn(3, 3, 16, 16), soft(3, 5)),
        "transformer": (Encoder(), randn(3, 5, 8), soft(3, 4)),
        "embedding-classifier": (Bag(), torch.randint(0, 20, (4, 7)), soft(4, 4)),
        "unet": (UNet(), randn(2, 1, 8, 8), soft(2, 2, 8, 8)),
    }
    for name, (model, x, targets) in cases.items():
        write(f"models/{name}", Classified(model), {"x": x, "targets": targets})


def modules():
    """The modules of small_modules.py, by each exporter that is installed."""
    exporters = {"modules-fixed": torchscript, "modules-open": torchscript_open}
    if importlib.util.find_spec("onnxscript") is None:
        print("dynamo's exporter is missing: install onnxscript.")
    else:
        exporters["modules-dynamo"] = dynamo
    for folder, export in exporters.items():
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        torch.manual_seed(20261202)
        for name, (module, inputs) in small_modules.modules().items():
            write(f"{folder}/{name}", Weighted(module), inputs, export=export)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(20260101)
    for folder in ("operators", "models", "single", "quantised"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    operators()
    models()
    modules()
    single_operators.make(FOLDER / "single", save_tensors)
    torch.manual_seed(20261206)
    fake_quantise.make(FOLDER / "quantised", save_tensors)
