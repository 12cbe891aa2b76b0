"""One node each: an ONNX graph written by hand, and the gradients of the PyTorch function it stands for.

PyTorch's exporter writes many operators as others (GlobalMaxPool as MaxPool, GroupNormalization as
InstanceNormalization, Gelu as Erf), so that its files prove nothing about them. Here the graph has
the operator itself, and a scalar loss: every element of its outputs, times a weight of its own.

Dropout's mask cannot be given to the operator: its two cases are those where nothing is drawn. What
training drops is written out by packages/train, and tested there.
"""

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

TYPES = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
    torch.bool: TensorProto.BOOL,
}


def ints(*values):
    return numpy.array(values, dtype=numpy.int64)


def scalar(value):
    return numpy.array(value, dtype=numpy.float32)


def randn(*shape):
    return torch.randn(*shape)


def positive(*shape):
    return torch.rand(*shape) * 2 + 0.2


def weights(of):
    return torch.sin(torch.arange(of.numel(), dtype=of.dtype) + 0.5).reshape(of.shape)


def make(folder, save_tensors):
    for name, (operator, function, inputs, options) in cases().items():
        write(folder / name, operator, function, inputs, save_tensors, **options)


def write(path, operator, function, inputs, save_tensors, constants=(), opset=17, **attributes):
    """The node's inputs are `inputs`, by name, and then `constants`; '' is an omitted one."""
    leaves = {
        key: value.clone().requires_grad_() if value.is_floating_point() else value
        for key, value in inputs.items()
    }
    results = function(*leaves.values())
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    loss = sum((each * weights(each)).sum() for each in results)
    loss.backward()
    expected = {f"input:{key}": value for key, value in inputs.items()}
    expected["loss"] = loss.detach()
    expected |= {f"gradient:{key}": each.grad for key, each in leaves.items() if each.requires_grad}
    save_tensors(path.with_name(f"{path.name}.expected.onnx"), expected)

    initializers, names = [], list(inputs)
    for i, value in enumerate(constants):
        names.append("" if value is None else f"constant_{i}")
        if value is not None:
            initializers.append(numpy_helper.from_array(value, names[-1]))
    outputs = [f"y{i}" for i in range(len(results))]
    nodes = [helper.make_node(operator, names, outputs, name=operator, **attributes)]
    for output, each in zip(outputs, results):
        initializers.append(numpy_helper.from_array(weights(each).detach().numpy(), f"{output}_weights"))
        nodes.append(helper.make_node("Mul", [output, f"{output}_weights"], [f"{output}_weighted"]))
        nodes.append(helper.make_node("ReduceSum", [f"{output}_weighted"], [f"{output}_sum"], keepdims=0))
    nodes.append(helper.make_node("Sum", [f"{output}_sum" for output in outputs], ["loss"]))
    graph = helper.make_graph(
        nodes,
        path.name,
        [helper.make_tensor_value_info(key, TYPES[each.dtype], each.shape) for key, each in inputs.items()],
        [helper.make_tensor_value_info("loss", TYPES[loss.dtype], [])],
        initializers,
    )
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, f"{path}.onnx")


def cases():
    """Operator, PyTorch function, inputs, and attributes or constants of the node; by name of the case."""
    torch.manual_seed(20260102)
    x = {"x": randn(3, 4)}
    pair = {"a": randn(2, 3, 4), "b": randn(3, 1)}
    image = {"x": randn(2, 4, 3, 3)}
    cube = {"x": randn(2, 3, 4)}
    # Equal elements share a gradient.
    ties = {"a": torch.tensor([1.0, 2.0, -1.0, 0.5]), "b": torch.tensor([1.0, -2.0, 3.0, 0.5])}
    level = {"x": torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 4.0]])}
    at = torch.tensor([[0, 2], [2, 1], [1, 0]])
    unary = {
        "abs": ("Abs", torch.abs, x, {}),
        "sqrt": ("Sqrt", torch.sqrt, {"x": positive(3, 4)}, {}),
        "exp": ("Exp", torch.exp, x, {}),
        "log": ("Log", torch.log, {"x": positive(3, 4)}, {}),
        "sin": ("Sin", torch.sin, x, {}),
        "cos": ("Cos", torch.cos, x, {}),
        "neg": ("Neg", torch.neg, x, {}),
        "erf": ("Erf", torch.erf, x, {}),
        "identity": ("Identity", torch.clone, x, {}),
        "tanh": ("Tanh", torch.tanh, x, {}),
        "sigmoid": ("Sigmoid", torch.sigmoid, x, {}),
        "relu": ("Relu", torch.relu, x, {}),
        "leaky-relu": ("LeakyRelu", lambda x: F.leaky_relu(x, 0.1), x, {"alpha": 0.1}),
        "elu": ("Elu", lambda x: F.elu(x, 1.3), x, {"alpha": 1.3}),
        "selu": ("Selu", torch.selu, x, {}),
        "gelu": ("Gelu", F.gelu, x, {"opset": 20}),
        "gelu-tanh": (
            "Gelu",
            lambda x: F.gelu(x, approximate="tanh"),
            x,
            {"opset": 20, "approximate": "tanh"},
        ),
        "softplus": ("Softplus", F.softplus, x, {}),
        "hard-sigmoid": (
            "HardSigmoid",
            F.hardsigmoid,
            {"x": randn(3, 4) * 3},
            {"alpha": 1 / 6, "beta": 0.5},
        ),
        "hard-swish": ("HardSwish", F.hardswish, {"x": randn(3, 4) * 3}, {}),
        "clip": (
            "Clip",
            lambda x: torch.clamp(x, -0.5, 0.75),
            x,
            {"constants": [scalar(-0.5), scalar(0.75)]},
        ),
        "cast": ("Cast", lambda x: x.double(), x, {"to": TensorProto.DOUBLE}),
        "dropout-eval": ("Dropout", lambda x: F.dropout(x, 0.4, False), x, {"constants": [scalar(0.4)]}),
        "dropout-none": (
            "Dropout",
            lambda x: F.dropout(x, 0.0, True),
            x,
            {"constants": [scalar(0), numpy.array(True)]},
        ),
    }
    binary = {
        "add": ("Add", torch.add, pair, {}),
        "sub": ("Sub", torch.sub, pair, {}),
        "mul": ("Mul", torch.mul, pair, {}),
        "div": ("Div", torch.div, {"a": randn(2, 3, 4), "b": positive(3, 1)}, {}),
        "pow": ("Pow", torch.pow, {"a": positive(2, 3, 4), "b": randn(3, 1)}, {}),
        "min": ("Min", torch.minimum, ties, {}),
        "max": ("Max", torch.maximum, ties, {}),
        "where": (
            "Where",
            torch.where,
            {"condition": torch.tensor([[True], [False], [True]]), **pair},
            {},
        ),
        "matmul": ("MatMul", torch.matmul, {"a": randn(2, 1, 3, 4), "b": randn(3, 4, 2)}, {}),
        "matmul-vector": ("MatMul", torch.matmul, {"a": randn(4), "b": randn(2, 4, 3)}, {}),
        "gemm": (
            "Gemm",
            lambda a, b, c: 0.5 * a.T @ b.T + 2 * c,
            {"a": randn(4, 3), "b": randn(2, 4), "c": randn(2)},
            {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1},
        ),
    }
    normalising = {
        "softmax": ("Softmax", lambda x: torch.softmax(x, 1), cube, {"axis": 1}),
        "log-softmax": ("LogSoftmax", lambda x: torch.log_softmax(x, -1), cube, {}),
        "group-normalization": (
            "GroupNormalization",
            lambda x, scale, bias: F.group_norm(x, 2, scale, bias),
            {**image, "scale": randn(4), "bias": randn(4)},
            {"opset": 21, "num_groups": 2},
        ),
        "global-max-pool": ("GlobalMaxPool", lambda x: F.adaptive_max_pool2d(x, 1), image, {}),
        "global-average-pool": (
            "GlobalAveragePool",
            lambda x: F.adaptive_avg_pool2d(x, 1),
            image,
            {},
        ),
    }
    reducing = {
        "reduce-sum": ("ReduceSum", lambda x: x.sum((0, 2)), cube, {"constants": [ints(0, 2)], "keepdims": 0}),
        "reduce-mean": ("ReduceMean", lambda x: x.mean((1, 2), keepdim=True), cube, {"axes": [1, 2]}),
        "reduce-max": ("ReduceMax", lambda x: x.amax(1), level, {"axes": [1], "keepdims": 0}),
        "reduce-max-18": (
            "ReduceMax",
            lambda x: x.amax(0, keepdim=True),
            level,
            {"opset": 18, "constants": [ints(0)]},
        ),
        "reduce-min": ("ReduceMin", lambda x: x.amin(1), level, {"axes": [1], "keepdims": 0}),
        "reduce-log-sum-exp": (
            "ReduceLogSumExp",
            lambda x: torch.logsumexp(x, (0, 2), keepdim=True),
            cube,
            {"axes": [0, 2]},
        ),
        "reduce-l2": ("ReduceL2", lambda x: torch.linalg.vector_norm(x, dim=(0, 1)), cube, {"axes": [0, 1], "keepdims": 0}),
    }
    arranging = {
        "reshape": ("Reshape", lambda x: x.reshape(4, 6), cube, {"constants": [ints(4, -1)]}),
        "flatten": ("Flatten", lambda x: x.flatten(0, 1), cube, {"axis": 2}),
        "transpose": ("Transpose", lambda x: x.permute(2, 0, 1), cube, {"perm": [2, 0, 1]}),
        "squeeze": ("Squeeze", lambda x: x.squeeze(1), {"x": randn(3, 1, 2)}, {"constants": [ints(1)]}),
        "unsqueeze": ("Unsqueeze", lambda x: x.unsqueeze(1), x, {"constants": [ints(1)]}),
        "concat": ("Concat", lambda a, b: torch.cat([a, b], 1), {"a": randn(2, 3), "b": randn(2, 2)}, {"axis": 1}),
        "split": (
            "Split",
            lambda x: torch.split(x, [1, 3], 2),
            cube,
            {"constants": [ints(1, 3)], "axis": 2},
        ),
        "slice": (
            "Slice",
            lambda x: x[:, 1:, ::2],
            cube,
            {"constants": [ints(1, 0), ints(3, 4), ints(1, 2), ints(1, 2)]},
        ),
        "pad": ("Pad", lambda x: F.pad(x, (1, 2, 0, 1)), x, {"constants": [ints(0, 1, 1, 2)]}),
        "expand": ("Expand", lambda x: x.expand(2, 3, 4), {"x": randn(3, 1)}, {"constants": [ints(2, 3, 4)]}),
        "tile": ("Tile", lambda x: x.tile(2, 3), x, {"constants": [ints(2, 3)]}),
    }
    indexing = {
        "gather": ("Gather", lambda x: x[:, [2, 0, 2]], x, {"constants": [ints(2, 0, 2)], "axis": 1}),
        "gather-elements": (
            "GatherElements",
            lambda x: torch.gather(x, 1, at),
            x,
            {"constants": [at.numpy()], "axis": 1},
        ),
        "gather-nd": ("GatherND", lambda x, at: x[at[:, 0], at[:, 1]], {**x, "indices": at}, {}),
        "scatter-nd": (
            "ScatterND",
            lambda x, at, updates: x.index_put((at[:, 0], at[:, 1]), updates),
            {**x, "indices": at, "updates": randn(3)},
            {},
        ),
        "scatter-nd-add": (
            "ScatterND",
            lambda x, at, updates: x.index_put((at[:, 0], at[:, 1]), updates, accumulate=True),
            {**x, "indices": at, "updates": randn(3)},
            {"reduction": "add"},
        ),
    }
    return unary | binary | normalising | reducing | arranging | indexing
