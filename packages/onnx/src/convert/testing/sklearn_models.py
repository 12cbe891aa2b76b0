"""Trains a matrix of scikit-learn models into the folder of the first argument, each a folder with `model.joblib`,
`drawn` and `given`: the documents that `python/script.py` writes of it, with rows of its own and with training rows.

The predictions in `given` are held against the model's own. `cases.json` lists the models.
"""
import json
import os
import sys
import warnings

import joblib
import numpy
import pandas
from sklearn import compose, decomposition, discriminant_analysis, ensemble, feature_selection, impute, linear_model
from sklearn import model_selection, naive_bayes, neural_network, pipeline, preprocessing, svm, tree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../sklearn/python"))
import script

warnings.filterwarnings("ignore")
FOLDER = os.path.abspath(sys.argv[1])
ROWS, FEATURES = 240, 5
random = numpy.random.default_rng(11)
X = random.normal(size=(ROWS, FEATURES)).astype(numpy.float32).astype(float)
SIGNAL = X[:, 0] * 2 + numpy.abs(X[:, 1]) - X[:, 2] * X[:, 3]
NUMBERS = SIGNAL + random.normal(size=ROWS) * 0.3
BINARY = (NUMBERS > NUMBERS.mean()).astype(int)
CLASSES = numpy.digitize(NUMBERS, numpy.quantile(NUMBERS, [0.3, 0.7]))
NAMES = numpy.array(["low", "middle", "high é"])[CLASSES]
YES = numpy.array(["no", "yes"])[BINARY]
COUNTS = numpy.floor(numpy.exp(numpy.clip(NUMBERS, -2, 3))).astype(int)
POSITIVE = numpy.exp(numpy.clip(NUMBERS, -3, 3)) + 0.1
MANY = numpy.stack([NUMBERS, -NUMBERS + X[:, 4], X[:, 0]], axis=1)
HOLES = X.copy()
HOLES[random.random(X.shape) < 0.15] = numpy.nan
FRAME = pandas.DataFrame({
    "age": numpy.round(random.uniform(18, 90, ROWS)),
    "income": numpy.round(numpy.exp(random.normal(10, 1, ROWS)), 2).astype(numpy.float32).astype(float),
    "city": random.choice(["Paris", "Oslo", "São Paulo", "Rome"], ROWS, p=[0.5, 0.3, 0.17, 0.03]),
    "plan": random.choice(["basic", "plus", "pro"], ROWS),
    "visits": random.integers(0, 6, ROWS),
})
FRAME.loc[random.random(ROWS) < 0.1, "income"] = numpy.nan
MISSING = FRAME.copy()
MISSING.loc[random.random(ROWS) < 0.1, "city"] = numpy.nan
CHURN = (FRAME["age"] / 30 + (FRAME["city"] == "Oslo") * 2 - FRAME["visits"] + random.normal(size=ROWS) > 0).astype(int)
SPEND = FRAME["age"] * 2 + (FRAME["plan"] == "pro") * 30 + random.normal(size=ROWS)
cases = []


def save(name, model, rows=X, y=BINARY):
    model.fit(rows, y)
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder)
    os.chdir(folder)
    joblib.dump(model, "model.joblib")
    os.symlink("model.joblib", "input")
    script.main({})
    os.rename("output", "drawn")
    pandas.DataFrame(rows).rename(columns=str).to_csv("rows.csv", index=False)
    script.main({"rows": "rows.csv"})
    os.rename("output", "given")
    expect_same(name, model, rows)
    cases.append(name)


def expect_same(name, model, rows):
    """The script predicts on its own frame of the same rows."""
    with open("given", "rb") as file:
        content = file.read()
    length = int.from_bytes(content[8:16], "little")
    samples = json.loads(content[16 : 16 + length])["samples"]
    for output, place in samples["outputs"].items():
        call = {"label": "predict", "prediction": "predict", "probabilities": "predict_proba", "scores": "decision_function", "transformed": "transform"}
        wanted = getattr(model, call[output])(rows)
        wanted = wanted.toarray() if hasattr(wanted, "toarray") else numpy.asarray(wanted)
        if isinstance(place, list):
            found = numpy.array(place)
        else:
            found = numpy.frombuffer(content, numpy.dtype({"f8": "<f8", "i4": "<i4", "u1": "u1"}[place["array"]]), place["length"], 16 + length + place["at"])
        if samples["count"] == len(rows):
            same = (found == wanted.ravel()) if found.dtype.kind in "OU" else numpy.isclose(found, wanted.ravel().astype(float), rtol=1e-6, atol=1e-6, equal_nan=True)
            assert same.all(), f"{name}: the script and the test have other rows"


def narrow(rows):
    return rows.astype(numpy.float32).astype(float)


def pipe(*steps):
    return pipeline.make_pipeline(*steps)


# Linear models.
for each in (
    *(linear_model.LinearRegression(), linear_model.Ridge(alpha=2.0), linear_model.Lasso(alpha=0.01), linear_model.ElasticNet(alpha=0.01)),
    *(linear_model.Lars(), linear_model.HuberRegressor(), linear_model.BayesianRidge(), linear_model.SGDRegressor(random_state=1)),
    *(linear_model.RANSACRegressor(random_state=1), linear_model.QuantileRegressor(alpha=0.01), svm.LinearSVR(random_state=1, dual=True)),
):
    save(type(each).__name__, each, X, NUMBERS)
for each in (linear_model.PoissonRegressor(), linear_model.GammaRegressor(), linear_model.TweedieRegressor(power=1.5)):
    save(type(each).__name__, each, X, POSITIVE)
save("LinearRegression-many", linear_model.LinearRegression(fit_intercept=False), X, MANY)
save("LinearRegression-large", linear_model.LinearRegression(), narrow(X * 1e6 + 1e8), NUMBERS * 1e5 + 1e6)
save("ElasticNet-sparse", linear_model.ElasticNet(alpha=0.1), X, NUMBERS)
for name, y in (("binary", BINARY), ("classes", CLASSES), ("names", NAMES), ("yes-no", YES), ("booleans", BINARY == 1)):
    save(f"LogisticRegression-{name}", linear_model.LogisticRegression(), X, y)
    save(f"DecisionTreeClassifier-{name}", tree.DecisionTreeClassifier(max_depth=5, random_state=1), X, y)
save("LogisticRegression-ovr", linear_model.LogisticRegression(multi_class="ovr"), X, CLASSES)
save("LogisticRegression-softmax-binary", linear_model.LogisticRegression(multi_class="multinomial"), X, BINARY)
save("LogisticRegression-liblinear", linear_model.LogisticRegression(solver="liblinear", penalty="l1"), X, CLASSES)
save("LogisticRegressionCV", linear_model.LogisticRegressionCV(Cs=3, cv=3), X, NAMES)
save("SGDClassifier-hinge", linear_model.SGDClassifier(random_state=1), X, CLASSES)
save("SGDClassifier-log", linear_model.SGDClassifier(loss="log_loss", random_state=1), X, CLASSES)
save("SGDClassifier-log-binary", linear_model.SGDClassifier(loss="log_loss", random_state=1), X, YES)
for each in (svm.LinearSVC(random_state=1, dual=True), linear_model.RidgeClassifier(), linear_model.Perceptron(random_state=1)):
    save(type(each).__name__, each, X, BINARY)
    save(f"{type(each).__name__}-names", each, X, NAMES)
save("LinearDiscriminantAnalysis", discriminant_analysis.LinearDiscriminantAnalysis(), X, CLASSES)
# Bayes, networks.
for y, name in ((BINARY, "binary"), (NAMES, "names")):
    save(f"GaussianNB-{name}", naive_bayes.GaussianNB(), X, y)
    save(f"MLPClassifier-{name}", neural_network.MLPClassifier((8, 4), max_iter=60, random_state=1), X, y)
save("GaussianNB-far", naive_bayes.GaussianNB(), narrow(X * 1e-3 + 1e3), CLASSES)
save("MultinomialNB", naive_bayes.MultinomialNB(), numpy.floor(numpy.abs(X) * 3), CLASSES)
save("ComplementNB", naive_bayes.ComplementNB(), numpy.floor(numpy.abs(X) * 3), CLASSES)
save("BernoulliNB", naive_bayes.BernoulliNB(binarize=0.1), X, CLASSES)
save("MLPRegressor-tanh", neural_network.MLPRegressor((6,), activation="tanh", max_iter=60, random_state=1), X, MANY)
# Trees.
for kind in (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier):
    for y, name in ((BINARY, "binary"), (NAMES, "names")):
        save(f"{kind.__name__}-{name}", kind(n_estimators=20, random_state=1), X, y)
        save(f"{kind.__name__}-leaves-{name}", kind(n_estimators=10, min_samples_leaf=4, random_state=1), X, y)
for kind in (tree.DecisionTreeRegressor, tree.ExtraTreeRegressor, ensemble.RandomForestRegressor, ensemble.ExtraTreesRegressor):
    save(kind.__name__, kind(random_state=1), X, NUMBERS)
    save(f"{kind.__name__}-many", kind(random_state=1, max_depth=6), X, MANY)
save("DecisionTreeClassifier-missing", tree.DecisionTreeClassifier(random_state=1), HOLES, NAMES)
save("RandomForestRegressor-missing", ensemble.RandomForestRegressor(20, random_state=1), HOLES, NUMBERS * 1e4 + 1e5)
save("DecisionTreeRegressor-root", tree.DecisionTreeRegressor(max_depth=1, min_samples_leaf=200), X, NUMBERS)
for loss in ("squared_error", "absolute_error", "huber", "quantile"):
    save(f"GradientBoostingRegressor-{loss}", ensemble.GradientBoostingRegressor(loss=loss, n_estimators=30), X, NUMBERS)
save("GradientBoostingRegressor-zero", ensemble.GradientBoostingRegressor(init="zero", n_estimators=20), X, NUMBERS)
for loss in ("log_loss", "exponential"):
    save(f"GradientBoostingClassifier-{loss}", ensemble.GradientBoostingClassifier(loss=loss, n_estimators=30), X, YES)
save("GradientBoostingClassifier-names", ensemble.GradientBoostingClassifier(n_estimators=20), X, NAMES)
for loss, y in (("squared_error", NUMBERS), ("absolute_error", NUMBERS), ("poisson", COUNTS), ("gamma", POSITIVE)):
    save(f"HistGradientBoostingRegressor-{loss}", ensemble.HistGradientBoostingRegressor(loss=loss, max_iter=30), X, y)
for y, name in ((BINARY, "binary"), (NAMES, "names")):
    save(f"HistGradientBoostingClassifier-{name}", ensemble.HistGradientBoostingClassifier(max_iter=30), HOLES, y)
CODES = numpy.column_stack([random.integers(0, 40, ROWS), random.integers(0, 4, ROWS), X[:, 0]]).astype(float)
CODES[::9, 0] = numpy.nan
BY_CODE = NUMBERS + numpy.sin(numpy.nan_to_num(CODES[:, 0]) * 7) * 3
save("HistGradientBoostingRegressor-categories", ensemble.HistGradientBoostingRegressor(max_iter=30, categorical_features=[0, 1], min_samples_leaf=3), CODES, BY_CODE)
CATEGORIES = FRAME.astype({"city": "category", "plan": "category"})
save("HistGradientBoostingClassifier-frame", ensemble.HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype"), CATEGORIES, CHURN)
# Transformers before an estimator.
for each in (
    *(preprocessing.StandardScaler(), preprocessing.StandardScaler(with_mean=False), preprocessing.MinMaxScaler(clip=True), preprocessing.MinMaxScaler((-1, 2))),
    *(preprocessing.MaxAbsScaler(), preprocessing.RobustScaler(), preprocessing.Normalizer(), preprocessing.Normalizer("l1"), preprocessing.Normalizer("max")),
    *(preprocessing.PolynomialFeatures(3), preprocessing.PolynomialFeatures(2, interaction_only=True, include_bias=False), preprocessing.Binarizer(threshold=0.2)),
    *(decomposition.PCA(3), decomposition.PCA(3, whiten=True), decomposition.TruncatedSVD(3, random_state=1), feature_selection.SelectKBest(k=3)),
    *(preprocessing.FunctionTransformer(numpy.expm1), preprocessing.FunctionTransformer()),
):
    name = "".join(letter if letter.isalnum() else "-" for letter in repr(each)).strip("-")
    save(f"{name}-linear", pipe(each, linear_model.LogisticRegression()), X, NAMES)
    save(f"{name}-tree", pipe(each, tree.DecisionTreeClassifier(max_depth=6, random_state=1)), X, NAMES)
for each in (
    *(impute.SimpleImputer(), impute.SimpleImputer(strategy="median", add_indicator=True), impute.SimpleImputer(strategy="constant", fill_value=-3)),
    impute.SimpleImputer(strategy="most_frequent"),
):
    save(f"SimpleImputer-{each.strategy}", pipe(each, preprocessing.StandardScaler(), ensemble.RandomForestClassifier(10, random_state=1)), HOLES, NAMES)
save("SimpleImputer-minus-one", pipe(impute.SimpleImputer(missing_values=-1), linear_model.Ridge()), numpy.where(numpy.isnan(HOLES), -1, HOLES), NUMBERS)
save("StandardScaler-hist", pipe(preprocessing.StandardScaler(), ensemble.HistGradientBoostingRegressor(max_iter=20)), narrow(X * 100), NUMBERS)
save("FeatureUnion", pipe(pipeline.make_union(preprocessing.StandardScaler(), decomposition.PCA(2)), linear_model.Ridge()), X, NUMBERS)
save("GridSearchCV", model_selection.GridSearchCV(pipe(preprocessing.StandardScaler(), svm.LinearSVC(dual=True, random_state=1)), {"linearsvc__C": [0.1, 1]}, cv=2), X, NAMES)
save("scaler-alone", preprocessing.StandardScaler(), X, None)
save("pipeline-of-transformers", pipe(preprocessing.MinMaxScaler(), decomposition.PCA(2)), X, None)
# XGBoost's own estimators, alone and in a pipeline.
try:
    import xgboost
except ImportError:
    xgboost = None
if xgboost:
    save("XGBClassifier", xgboost.XGBClassifier(n_estimators=10, n_jobs=1), HOLES, BINARY)
    save("XGBClassifier-classes", xgboost.XGBClassifier(n_estimators=10, n_jobs=1), X, CLASSES)
    save("XGBRegressor", pipe(impute.SimpleImputer(), xgboost.XGBRegressor(n_estimators=10, n_jobs=1)), HOLES, NUMBERS)
# Data frames.
numbers, texts = ["age", "income", "visits"], ["city", "plan"]
for name, encoder in (
    ("onehot", preprocessing.OneHotEncoder(handle_unknown="ignore")),
    ("onehot-error", preprocessing.OneHotEncoder()),
    ("onehot-drop", preprocessing.OneHotEncoder(drop="first")),
    ("onehot-infrequent", preprocessing.OneHotEncoder(min_frequency=0.1, handle_unknown="infrequent_if_exist")),
    ("ordinal", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
    ("target", preprocessing.TargetEncoder(random_state=1)),
):
    for last_name, last in (("linear", linear_model.LogisticRegression(max_iter=500)), ("forest", ensemble.RandomForestClassifier(20, random_state=1)), ("boosting", ensemble.GradientBoostingClassifier(n_estimators=20))):
        columns = compose.make_column_transformer((pipe(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler()), numbers), (encoder, texts))
        save(f"frame-{name}-{last_name}", pipe(columns, last), FRAME, CHURN)
columns = compose.make_column_transformer((preprocessing.OneHotEncoder(), ["city", "visits"]), ("drop", ["plan"]), remainder=impute.SimpleImputer())
save("frame-drop-remainder", pipe(columns, linear_model.Ridge()), FRAME, SPEND)
columns = compose.make_column_transformer((preprocessing.OrdinalEncoder(), compose.make_column_selector(dtype_include=object)), remainder="passthrough")
save("frame-passthrough", pipe(columns, ensemble.HistGradientBoostingClassifier(max_iter=20)), FRAME, CHURN)
save("frame-missing-category", pipe(compose.make_column_transformer((preprocessing.OneHotEncoder(handle_unknown="ignore"), texts), (impute.SimpleImputer(), numbers)), linear_model.LogisticRegression(max_iter=500)), MISSING, CHURN)
filled = pipe(impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(handle_unknown="ignore"))
save("frame-filled-texts", pipe(compose.make_column_transformer((filled, texts), (impute.SimpleImputer(), numbers)), tree.DecisionTreeClassifier(max_depth=5)), MISSING, CHURN)
constant = pipe(impute.SimpleImputer(strategy="constant", fill_value="none"), preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=numpy.nan))
save("frame-constant-texts", pipe(compose.make_column_transformer((constant, texts), remainder="passthrough"), ensemble.HistGradientBoostingClassifier(max_iter=20)), MISSING, CHURN)
save("onehot-numbers", pipe(preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()), numpy.round(X) / 10, NAMES)
save("ordinal-numbers-missing", pipe(preprocessing.OrdinalEncoder(encoded_missing_value=-2), tree.DecisionTreeClassifier(max_depth=5)), numpy.round(HOLES), NAMES)
save("onehot-texts-array", pipe(preprocessing.OneHotEncoder(handle_unknown="ignore"), linear_model.LogisticRegression()), FRAME[["city", "plan"]].to_numpy(), CHURN)
save("frame-all-numbers", pipe(compose.make_column_transformer((preprocessing.StandardScaler(), ["age"]), ("passthrough", ["visits"])), linear_model.LogisticRegression()), FRAME, CHURN)
with open(os.path.join(FOLDER, "cases.json"), "w") as file:
    json.dump(cases, file)
