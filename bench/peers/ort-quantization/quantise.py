"""Quantises a model with onnxruntime.quantization in each of its usual settings.

usage: quantise.py MODEL INPUT FOLDER
INPUT.npy in FOLDER has the calibration rows, float32 [batches, rows, ...]. Writes a model per setting to FOLDER, and
prints one line of JSON per model: {"setting", "path"}.
"""
import itertools
import json
import os
import sys

# Debian's onnx is found by onnxruntime.quantization only after these.
import onnx, onnx.helper, onnx.defs, onnx.reference  # noqa: E401, F401
import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Rows(CalibrationDataReader):
    def __init__(self, name, batches):
        self.feeds = iter({name: batch} for batch in batches)

    def get_next(self):
        return next(self.feeds, None)


def main():
    model, name, folder = sys.argv[1:]
    batches = np.load(os.path.join(folder, f"{name}.npy"))
    prepared = os.path.join(folder, "prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)
    methods = [
        ("min-max", CalibrationMethod.MinMax, {}),
        ("percentile 99.99", CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
        ("percentile 99.999", CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
        ("entropy", CalibrationMethod.Entropy, {}),
    ]
    # As the last layer of Skein's models has it: its results are not rounded again.
    outputs = [("", {}), (", outputs of Gemm in floats", {"OpTypesToExcludeOutputQuantization": ["Gemm"]})]
    settings = itertools.product(methods, outputs, (False, True))
    for (method, calibration, extra), (outcome, more), reduced in settings:
        setting = f"{method}{outcome}{', 7-bit weights' if reduced else ''}"
        path = os.path.join(folder, f"{setting.replace(' ', '-').replace(',', '')}.onnx")
        quantize_static(
            prepared,
            path,
            Rows(name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduced,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=calibration,
            extra_options={**extra, **more},
        )
        print(json.dumps({"setting": setting, "path": path}), flush=True)


main()
