"""Trains the boosted model of the comparison: 500 trees of depth 6 over 30 features, into the file of the first argument."""
import sys

import numpy
import xgboost

random = numpy.random.default_rng(1)
rows = random.normal(size=(4000, 30)).astype(numpy.float32)
numbers = rows[:, 0] * 2 + rows[:, 1] * rows[:, 2] + numpy.sin(rows[:, 3]) + random.normal(size=4000) * 0.3
settings = {"objective": "reg:squarederror", "max_depth": 6, "eta": 0.05, "nthread": 1}
xgboost.train(settings, xgboost.DMatrix(rows, numbers), 500).save_model(sys.argv[1])
