"""The peer for boosted trees: FastAPI in front of XGBoost's own `inplace_predict`, its fastest way for few rows.

  MODEL  path of the model, as XGBoost saved it
"""
import os

import numpy
import xgboost
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

booster = xgboost.Booster(model_file=os.environ["MODEL"])
booster.set_param({"nthread": 1})
app = FastAPI()


@app.get("/ready")
async def ready():
    return {"ready": True}


@app.post("/json")
async def infer_json(request: Request):
    tensor = (await request.json())["inputs"][0]
    x = numpy.asarray(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    y = await run_in_threadpool(booster.inplace_predict, x)
    return {
        "model_name": "peer",
        "outputs": [{"name": "prediction", "datatype": "FP32", "shape": list(y.shape), "data": y.tolist()}],
    }
