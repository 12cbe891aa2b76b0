"""Writes src/data/formats/fixtures/numpy.json: arrays as NumPy stores them, and their elements. Debian: python3-numpy."""

import base64
import io
import json
import pathlib

import numpy as np

TYPES = ["?", "i1", "<i2", ">i2", "<i4", ">i8", "u1", "<u2", ">u4", "<u8", "<f2", "<f4", ">f4", "<f8", ">f8"]
SHAPES = [(), (0,), (5,), (2, 3), (2, 3, 4)]


def stored(save, *args, **kwargs):
    buffer = io.BytesIO()
    save(buffer, *args, **kwargs)
    return base64.b64encode(buffer.getvalue()).decode()


def described(array):
    return {"shape": array.shape, "elements": array.astype("f8").flatten(order="C").tolist()}


cases = []
for i, type in enumerate(TYPES):
    for order in "CF":
        shape = SHAPES[i % len(SHAPES)] if order == "C" else (2, 3, 4)
        array = np.asarray(np.arange(int(np.prod(shape))).reshape(shape) % 100, dtype=type, order=order)
        cases.append({"type": array.dtype.name, **described(array), "npy": stored(np.save, array)})

a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.zeros((40, 50), dtype="<i8")
archives = [
    {"npz": stored(save, a=a, labels=b), "a": described(a), "labels": {"shape": b.shape}}
    for save in (np.savez, np.savez_compressed)
]
refused = stored(np.save, np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8")]))
target = pathlib.Path(__file__).parent.parent / "src/data/formats/fixtures/numpy.json"
target.write_text(json.dumps({"numpy": np.__version__, "cases": cases, "archives": archives, "refused": refused}) + "\n")
