"""QuantizeLinear and DequantizeLinear in a row, and the gradients of PyTorch's fake_quantize for them.

The grids are coarse, so that some values lie outside the range and are clipped.
"""

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from single_operators import weights

INTEGERS = {(0, 255): numpy.uint8, (-128, 127): numpy.int8}


def make(folder, save_tensors):
    x = torch.randn(4, 3, 5) * 2
    scales = torch.tensor([0.004, 0.01, 0.02])
    cases = {
        "per-tensor": (x, torch.tensor(0.01), torch.tensor(140), None, (0, 255)),
        "per-tensor-signed": (x, torch.tensor(0.013), torch.tensor(0), None, (-128, 127)),
        "per-axis": (x, scales, torch.tensor([0, 0, 0]), 1, (-128, 127)),
        "per-axis-shifted": (x, scales, torch.tensor([100, 128, 30]), 1, (0, 255)),
    }
    for name, case in cases.items():
        write(folder / name, *case, save_tensors)


def write(path, x, scale, zero, axis, limits, save_tensors):
    leaf = x.clone().requires_grad_()
    zero = zero.to(torch.int32)
    if axis is None:
        result = torch.fake_quantize_per_tensor_affine(leaf, scale, zero, *limits)
    else:
        result = torch.fake_quantize_per_channel_affine(leaf, scale, zero, axis, *limits)
    loss = (result * weights(result)).sum()
    loss.backward()
    # A case in which nothing, or all, is clipped proves nothing.
    assert 0 < (leaf.grad == 0).sum() < leaf.numel() / 2 + leaf.numel() / 4
    save_tensors(
        path.with_name(f"{path.name}.expected.onnx"),
        {"input:x": x, "loss": loss.detach(), "gradient:x": leaf.grad},
    )
    attributes = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], name="quantise", **attributes),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], name="restore", **attributes),
        helper.make_node("Mul", ["y", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted"], ["loss"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        path.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("loss", TensorProto.FLOAT, [])],
        [
            numpy_helper.from_array(scale.numpy(), "scale"),
            numpy_helper.from_array(zero.numpy().astype(INTEGERS[limits]), "zero"),
            numpy_helper.from_array(weights(result).detach().numpy(), "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path.with_name(f"{path.name}.onnx"))
