"""The peer: what a careful engineer writes with FastAPI and ONNX Runtime.

Two routes with the same answer: JSON as in the Open Inference Protocol, and raw float32 bytes.
Runs are handed to the thread pool, because ONNX Runtime releases the interpreter lock.

  MODEL   path of the ONNX file
  THREADS intra-op threads of the session
  POOL    1: run in the thread pool (default), 0: run on the event loop
"""
import os

import numpy
import onnxruntime
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("THREADS", "1"))
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
output = session.get_outputs()[0].name
pooled = os.environ.get("POOL", "1") == "1"
app = FastAPI()


async def run(x):
    if pooled:
        return (await run_in_threadpool(session.run, None, {name: x}))[0]
    return session.run(None, {name: x})[0]


@app.get("/ready")
async def ready():
    return {"ready": True}


@app.post("/json")
async def infer_json(request: Request):
    tensor = (await request.json())["inputs"][0]
    x = numpy.asarray(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    y = await run(x)
    return {
        "model_name": "peer",
        "outputs": [{"name": output, "datatype": "FP32", "shape": list(y.shape), "data": y.ravel().tolist()}],
    }


@app.post("/bytes")
async def infer_bytes(request: Request):
    shape = [int(size) for size in request.headers["x-shape"].split(",")]
    x = numpy.frombuffer(await request.body(), dtype=numpy.float32).reshape(shape)
    y = await run(x)
    return Response(content=y.tobytes(), media_type="application/octet-stream", headers={"x-shape": ",".join(map(str, y.shape))})
