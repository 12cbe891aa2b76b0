"""Trains a matrix of XGBoost models, with their rows and predictions, into the folder of the first argument.

Each model is a folder with `model.json` or `model.ubj`, `rows.f32`, and `outputs.json`: the outputs that the
graph must have, by name. `cases.json` lists them.
"""
import json
import os
import sys
import warnings

import numpy
import xgboost

warnings.filterwarnings("ignore")
xgboost.set_config(verbosity=0)
FOLDER = sys.argv[1]
ROWS, FEATURES = 240, 6
random = numpy.random.default_rng(7)
X = random.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
X[random.random(X.shape) < 0.15] = numpy.nan
filled = numpy.nan_to_num(X)
SIGNAL = filled[:, 0] * 2 + numpy.abs(filled[:, 1]) - filled[:, 2] * filled[:, 3]
NUMBERS = SIGNAL + random.normal(size=ROWS) * 0.3
BINARY = (NUMBERS > NUMBERS.mean()).astype(int)
CLASSES = numpy.digitize(NUMBERS, numpy.quantile(NUMBERS, [0.25, 0.5, 0.75]))
COUNTS = numpy.floor(numpy.exp(numpy.clip(NUMBERS, -3, 3))).astype(int)
POSITIVE = numpy.exp(numpy.clip(NUMBERS, -3, 3)) + 0.1
SHARES = 1 / (1 + numpy.exp(-NUMBERS))
GROUPS = numpy.repeat(numpy.arange(ROWS // 12), 12)
MANY = numpy.stack([NUMBERS, -NUMBERS + filled[:, 4], filled[:, 5]], axis=1)
LABELS = (MANY > 0).astype(int)
CATEGORIES = X.copy()
CATEGORIES[:, 0] = random.integers(0, 5, ROWS)
CATEGORIES[:, 1] = random.integers(0, 90, ROWS)
CATEGORIES[random.random(ROWS) < 0.1, 1] = numpy.nan
BY_CATEGORY = NUMBERS + numpy.sin(numpy.nan_to_num(CATEGORIES[:, 1]) * 7)
CATEGORICAL = ["c", "c"] + ["q"] * (FEATURES - 2)

cases = []


def save(name, booster, rows, outputs, extension="ubj"):
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder)
    booster.save_model(os.path.join(folder, f"model.{extension}"))
    rows.astype("<f4").tofile(os.path.join(folder, "rows.f32"))
    with open(os.path.join(folder, "outputs.json"), "w") as file:
        json.dump({key: numpy.asarray(value, dtype=float).ravel().tolist() for key, value in outputs.items()}, file)
    cases.append({"name": name, "file": f"model.{extension}"})


def outputs_of(objective, predicted):
    """The outputs that a prediction of XGBoost stands for."""
    if objective == "binary:logistic":
        label = predicted > 0.5
        if predicted.ndim == 2:
            return {"label": label, "probabilities": predicted}
        return {"label": label, "probabilities": numpy.stack([1 - predicted, predicted], axis=1)}
    if objective == "binary:hinge":
        return {"label": predicted}
    if objective == "multi:softmax":
        return {"label": predicted}
    if objective == "multi:softprob":
        return {"label": predicted.argmax(axis=1), "probabilities": predicted}
    return {"score" if objective.startswith("rank:") or objective == "binary:logitraw" else "prediction": predicted}


def train(name, objective, y, rounds=12, rows=X, extension="ubj", data={}, **parameters):
    matrix = xgboost.DMatrix(rows, y, **data)
    settings = {"objective": objective, "max_depth": 4, "eta": 0.3, "seed": 1, "nthread": 1, **parameters}
    booster = xgboost.train(settings, matrix, rounds)
    save(name, booster, rows, outputs_of(objective, booster.predict(matrix)), extension)


REGRESSIONS = {
    "reg:squarederror": NUMBERS,
    "reg:squaredlogerror": POSITIVE,
    "reg:pseudohubererror": NUMBERS,
    "reg:absoluteerror": NUMBERS,
    "reg:logistic": SHARES,
    "reg:gamma": POSITIVE,
    "reg:tweedie": POSITIVE,
    "count:poisson": COUNTS,
    "survival:cox": POSITIVE,
    "binary:logistic": BINARY,
    "binary:logitraw": BINARY,
    "binary:hinge": BINARY,
}
for objective, y in REGRESSIONS.items():
    short = objective.replace(":", "-")
    train(f"{short}", objective, y)
    train(f"{short}-json", objective, y, extension="json", base_score=0.4)
    if objective not in ("reg:absoluteerror", "survival:cox"):
        train(f"{short}-linear", objective, y, booster="gblinear", eta=0.1)
    train(f"{short}-dart", objective, y, booster="dart", rate_drop=0.4, skip_drop=0.2)
for objective in ("multi:softprob", "multi:softmax"):
    short = objective.replace(":", "-")
    train(f"{short}", objective, CLASSES, num_class=4)
    train(f"{short}-json", objective, CLASSES, num_class=4, extension="json")
    train(f"{short}-linear", objective, CLASSES, num_class=4, booster="gblinear")
    train(f"{short}-dart", objective, CLASSES, num_class=4, booster="dart", rate_drop=0.3)
    train(f"{short}-forest", objective, CLASSES, 2, num_class=4, num_parallel_tree=8, subsample=0.6)
for objective in ("rank:pairwise", "rank:ndcg", "rank:map"):
    y = BINARY if objective == "rank:map" else CLASSES
    train(objective.replace(":", "-"), objective, y, data={"qid": GROUPS})
for distribution in ("normal", "logistic", "extreme"):
    matrix = xgboost.DMatrix(X)
    matrix.set_float_info("label_lower_bound", POSITIVE)
    matrix.set_float_info("label_upper_bound", POSITIVE * 1.5)
    settings = {"objective": "survival:aft", "aft_loss_distribution": distribution, "nthread": 1, "eta": 0.1}
    booster = xgboost.train(settings, matrix, 12)
    save(f"survival-aft-{distribution}", booster, X, {"prediction": booster.predict(matrix)})
train("quantiles", "reg:quantileerror", NUMBERS, quantile_alpha=numpy.array([0.1, 0.5, 0.9]))
train("one-quantile", "reg:quantileerror", NUMBERS, quantile_alpha=0.8)
train("tweedie-power", "reg:tweedie", POSITIVE, tweedie_variance_power=1.2)
for method in ("exact", "approx", "hist"):
    train(f"method-{method}", "reg:squarederror", NUMBERS, tree_method=method)
train("lossguide", "reg:squarederror", NUMBERS, grow_policy="lossguide", max_leaves=31, max_depth=0)
train("deep", "reg:squarederror", NUMBERS, 3, max_depth=40, min_child_weight=0, reg_lambda=0)
train("stumps", "binary:logistic", BINARY, max_depth=1)
train("roots", "reg:squarederror", NUMBERS, min_child_weight=1e6)
train("no-rounds", "reg:squarederror", NUMBERS, 0)
train("one-round", "multi:softprob", CLASSES, 1, num_class=4)
train("monotone", "reg:squarederror", NUMBERS, monotone_constraints="(1,0,-1,0,0,0)")
train("pruned", "reg:squarederror", NUMBERS, gamma=2.0, max_depth=8, tree_method="exact")
train("random-forest", "binary:logistic", BINARY, 1, num_parallel_tree=40, subsample=0.7, colsample_bynode=0.6)
train("many-outputs", "reg:squarederror", MANY)
train("many-outputs-vector", "reg:squarederror", MANY, multi_strategy="multi_output_tree", tree_method="hist")
train("many-labels", "binary:logistic", LABELS)
train("many-labels-vector", "binary:logistic", LABELS, multi_strategy="multi_output_tree", tree_method="hist")
train("classes-vector", "multi:softprob", CLASSES, num_class=4, multi_strategy="multi_output_tree", tree_method="hist")
train("names", "reg:squarederror", NUMBERS, data={"feature_names": [f"a column {i}, \"é\"\\" for i in range(FEATURES)]}, extension="json")
train("large-numbers", "reg:squarederror", NUMBERS * 1e4 + 1e5)
train("tiny-numbers", "reg:squarederror", NUMBERS, rows=X * 1e-30)
train("dense", "reg:squarederror", NUMBERS, rows=filled.astype(numpy.float32))
train("equal-thresholds", "reg:squarederror", NUMBERS, rows=numpy.round(X * 2) / 2)
train("updated", "reg:squarederror", NUMBERS, 40, eta=0.05, subsample=0.8)
categorical = {"feature_types": CATEGORICAL, "enable_categorical": True}
for one_hot in (1, 4, 1000):
    for extension in ("ubj", "json"):
        train(
            f"categories-{one_hot}-{extension}",
            "reg:squarederror",
            BY_CATEGORY,
            rows=CATEGORIES,
            extension=extension,
            data=categorical,
            max_cat_to_onehot=one_hot,
            max_cat_threshold=64,
        )
train("categories-classes", "multi:softprob", CLASSES, rows=CATEGORIES, data=categorical, num_class=4)
train("categories-binary", "binary:logistic", BINARY, rows=CATEGORIES, data=categorical, booster="dart")
wide = CATEGORIES.copy()
wide[:, 1] = random.integers(0, 3000, ROWS)
train("categories-wide", "reg:squarederror", NUMBERS, rows=wide, data=categorical, max_cat_threshold=3000)
# Categories that no training row had, negative ones, and parts of one.
matrix = xgboost.DMatrix(CATEGORIES, BY_CATEGORY, **categorical)
booster = xgboost.train({"max_cat_to_onehot": 1, "nthread": 1, "max_depth": 5}, matrix, 12)
foreign = CATEGORIES.copy()
foreign[:, 1] = random.integers(-3, 400, ROWS)
foreign[:80, 1] = random.uniform(-2, 95, 80)
save("categories-foreign", booster, foreign, {"prediction": booster.inplace_predict(foreign)})
# The classes of scikit-learn, which stop early and predict up to the best round.
for name, model, y in (
    ("classifier", xgboost.XGBClassifier, BINARY),
    ("classifier-many", xgboost.XGBClassifier, CLASSES),
    ("regressor", xgboost.XGBRegressor, NUMBERS),
):
    fitted = model(n_estimators=60, early_stopping_rounds=3, learning_rate=0.5, n_jobs=1)
    fitted.fit(X[:160], y[:160], eval_set=[(X[160:], y[160:])], verbose=False)
    assert fitted.best_iteration + 1 < fitted.get_booster().num_boosted_rounds()
    if name == "regressor":
        save(f"early-{name}", fitted, X, {"prediction": fitted.predict(X)})
    else:
        save(f"early-{name}", fitted, X, {"label": fitted.predict(X), "probabilities": fitted.predict_proba(X)})
for name, model, y in (("rf-classifier", xgboost.XGBRFClassifier, BINARY), ("rf-regressor", xgboost.XGBRFRegressor, NUMBERS)):
    fitted = model(n_estimators=30, n_jobs=1)
    fitted.fit(X, y)
    if name == "rf-regressor":
        save(name, fitted, X, {"prediction": fitted.predict(X)})
    else:
        save(name, fitted, X, {"label": fitted.predict(X), "probabilities": fitted.predict_proba(X)})
fitted = xgboost.XGBRanker(n_estimators=10, n_jobs=1)
fitted.fit(X, CLASSES, qid=GROUPS)
save("ranker", fitted, X, {"score": fitted.predict(X)})
with open(os.path.join(FOLDER, "cases.json"), "w") as file:
    json.dump(cases, file)
