"""Estimators of scikit-learn as the last part of a graph: sums, a link function, and the classes."""
import numpy

from refusal import not_converted
from transformers import is_one_of


def describe_estimator(value, columns, path):
    module = type(value).__module__
    if module.startswith("xgboost."):
        return xgboost(value, path)
    if module.startswith("sklearn."):
        for kind in type(value).__mro__:
            if kind.__name__ in ESTIMATORS:
                return ESTIMATORS[kind.__name__](value, columns, path)
    raise not_converted(value, path)


def classes_of(value, path):
    classes = value.classes_
    if isinstance(classes, list) or numpy.ndim(classes) != 1:
        raise not_converted(value, path, " for several labels per row")
    if all(isinstance(each, str) for each in classes):
        return {"texts": [str(each) for each in classes]}
    if any(isinstance(each, str) for each in classes):
        raise not_converted(value, path, ": its classes are texts and numbers")
    numbers = numpy.asarray(classes, dtype=float)
    if not (numpy.mod(numbers, 1) == 0).all() or (numpy.abs(numbers) > 2**53).any():
        raise not_converted(value, path, ": its classes are not whole numbers")
    return {"numbers": numbers}


def dense(matrix):
    return numpy.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=float)


def affine(coefficients, intercept):
    weights = numpy.atleast_2d(dense(coefficients)).T
    bias = numpy.broadcast_to(numpy.asarray(intercept, float).ravel(), (weights.shape[1],))
    return {"kind": "linear", "weights": weights, "bias": bias, "outputs": weights.shape[1]}


def linear_regressor(value, columns, path):
    return {**affine(value.coef_, value.intercept_), "link": "identity", "form": "prediction"}


def generalized(value, columns, path):
    link = type(value._base_loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise not_converted(value, path, f" with the link {link}")
    return {**affine(value.coef_, value.intercept_), "link": "exp" if link == "LogLink" else "identity", "form": "prediction"}


def ransac(value, columns, path):
    return describe_estimator(value.estimator_, columns, path)


def linear_classifier(value, columns, path):
    described = {**affine(value.coef_, value.intercept_), "classes": classes_of(value, path)}
    classes = len(value.classes_)
    is_binary = described["outputs"] == 1
    if classes != (2 if is_binary else described["outputs"]):
        raise not_converted(value, path, " for several labels per row")
    if is_one_of(value, "LogisticRegression"):
        choice = getattr(value, "multi_class", "auto")
        is_ovr = choice in ("ovr", "warn") or (choice != "multinomial" and (is_binary or value.solver in ("liblinear", "newton-cholesky")))
        link = ({"slope": 1.0} if is_ovr else {"slope": 2.0}) if is_binary else "one-vs-rest" if is_ovr else "softmax"
    elif is_one_of(value, "LinearDiscriminantAnalysis"):
        link = {"slope": 1.0} if is_binary else "softmax"
    elif is_one_of(value, "SGDClassifier") and value.loss == "log_loss":
        link = {"slope": 1.0} if is_binary else "one-vs-rest"
    elif hasattr(value, "predict_proba"):
        raise not_converted(value, path, f" with loss={getattr(value, 'loss', None)!r}")
    else:
        return {**described, "link": "identity", "form": "scores"}
    return {**described, "link": link, "form": "classes"}


def trees_of(trees, scale, columns, is_classifier):
    """Trees of scikit-learn, one after the other: children are positions in their own tree."""
    parts = {name: [] for name in ("feature", "threshold", "yes", "no", "missing", "leaves")}
    starts = [0]
    for tree in trees:
        nodes = tree.__getstate__()["nodes"]
        parts["feature"].append(numpy.maximum(tree.feature, 0))
        parts["threshold"].append(tree.threshold)
        parts["yes"].append(tree.children_left)
        parts["no"].append(tree.children_right)
        has_missing = "missing_go_to_left" in nodes.dtype.names
        parts["missing"].append(nodes["missing_go_to_left"] if has_missing else numpy.zeros(len(nodes), "u1"))
        values = tree.value[:, 0, :] if is_classifier else tree.value[:, :, 0]
        if is_classifier:
            values = values / values.sum(axis=1, keepdims=True)
        parts["leaves"].append(values * scale)
        starts.append(starts[-1] + tree.node_count)
    joined = {name: numpy.concatenate(each) if each else numpy.zeros(0) for name, each in parts.items()}
    hint_thresholds(columns, joined["feature"], joined["threshold"], joined["yes"] >= 0)
    return {**joined, "starts": numpy.asarray(starts)}


def hint_thresholds(columns, feature, threshold, is_split):
    order = numpy.argsort(feature[is_split], kind="stable")
    features, thresholds = feature[is_split][order], threshold[is_split][order]
    for at, column in enumerate(columns):
        own = thresholds[numpy.searchsorted(features, at) : numpy.searchsorted(features, at, side="right")]
        own = own[numpy.isfinite(own)]
        column.hint(own if len(own) <= 256 else own[:: len(own) // 256])


def forest(value, columns, path):
    is_classifier = hasattr(value, "classes_")
    classes = {"classes": classes_of(value, path)} if is_classifier else {}
    trees = [each.tree_ for each in value.estimators_] if hasattr(value, "estimators_") else [value.tree_]
    outputs = len(value.classes_) if is_classifier else value.n_outputs_
    return {
        **{"kind": "forest", "is_narrow": True, "width": outputs, "outputs": outputs, "divide": len(trees)},
        **{"base": numpy.zeros(outputs), "targets": numpy.zeros(len(trees), int)},
        **trees_of(trees, 1.0, columns, is_classifier),
        **{"link": "identity", "form": "classes" if is_classifier else "prediction", **classes},
    }


def gradient_boosting(value, columns, path):
    if not isinstance(value.init_, str) and not is_one_of(value.init_, "DummyClassifier", "DummyRegressor"):
        raise not_converted(value, path, f" with init={type(value.init_).__name__}")
    base = numpy.asarray(value._raw_predict_init(numpy.zeros((1, value.n_features_in_), numpy.float32)), float).ravel()
    stages, outputs = value.estimators_.shape
    described = {
        **{"kind": "forest", "is_narrow": True, "width": 1, "outputs": outputs, "divide": 1, "base": base},
        "targets": numpy.tile(numpy.arange(outputs), stages),
        **trees_of([each.tree_ for each in value.estimators_.ravel()], value.learning_rate, columns, False),
    }
    if not hasattr(value, "classes_"):
        return {**described, "link": "identity", "form": "prediction"}
    link = "softmax" if outputs > 1 else {"slope": 2.0 if value.loss == "exponential" else 1.0}
    return {**described, "link": link, "form": "classes", "classes": classes_of(value, path)}


def bits_of(words):
    return [at for at in range(256) if words[at // 32] >> (at % 32) & 1]


def histogram_boosting(value, columns, path):
    preprocessor = getattr(value, "_preprocessor", None)
    steps = []
    if preprocessor is not None:
        from transformers import describe_transformer

        steps, columns = describe_transformer(preprocessor, columns, path, [])
    known, places = value._bin_mapper.make_known_categories_bitsets()
    trees = [each for stage in value._predictors for each in stage]
    outputs = value.n_trees_per_iteration_
    nodes = numpy.concatenate([each.nodes for each in trees]) if trees else numpy.zeros(0, [])
    starts = numpy.cumsum([0] + [len(each.nodes) for each in trees])
    is_leaf = nodes["is_leaf"] == 1
    yes, no = nodes["left"].astype(int), nodes["right"].astype(int)
    missing = nodes["missing_go_to_left"].astype(numpy.uint8)
    owners, sets = [], []
    for tree, start in zip(trees, starts):
        for at in numpy.flatnonzero((tree.nodes["is_categorical"] == 1) & (tree.nodes["is_leaf"] == 0)):
            node = tree.nodes[at]
            chosen = bits_of(tree.raw_left_cat_bitsets[node["bitset_idx"]])
            place = start + at
            if node["missing_go_to_left"]:
                # An unknown category is a missing value, which goes left: the others are in the set.
                chosen = sorted(set(bits_of(known[places[node["feature_idx"]]])) - set(chosen))
                yes[place], no[place] = no[place], yes[place]
                missing[place] = 0
            owners.append(place)
            sets.append(chosen)
    is_number = ~is_leaf & (nodes["is_categorical"] == 0)
    scaled = numpy.array([each.a != 1 or each.b != 0 for each in columns])[nodes["feature_idx"]]
    # The graph compares 32-bit numbers: rows keep their distance from thresholds that are compared after a scaler.
    apart = numpy.where(scaled, nodes["num_threshold"] * 1.0001 + 1e-4, nodes["num_threshold"])
    hint_thresholds(columns, nodes["feature_idx"], apart, is_number)
    yes[is_leaf] = no[is_leaf] = -1
    described = {
        **{"kind": "forest", "is_narrow": False, "before": steps, "width": 1, "outputs": outputs, "divide": 1},
        "base": numpy.asarray(value._baseline_prediction, float).ravel(),
        "targets": numpy.tile(numpy.arange(outputs), len(value._predictors)),
        **{"feature": nodes["feature_idx"].astype(int), "threshold": nodes["num_threshold"], "yes": yes, "no": no},
        **{"missing": missing, "leaves": nodes["value"], "starts": starts},
        **{"owners": numpy.asarray(owners, int), "sets": [numpy.asarray(each, int) for each in sets]},
    }
    if not hasattr(value, "classes_"):
        link = type(value._loss.link).__name__
        if link not in ("IdentityLink", "LogLink"):
            raise not_converted(value, path, f" with the link {link}")
        return {**described, "link": "exp" if link == "LogLink" else "identity", "form": "prediction"}
    link = "softmax" if outputs > 1 else {"slope": 1.0}
    return {**described, "link": link, "form": "classes", "classes": classes_of(value, path)}


def discrete_bayes(value, columns, path):
    bayes = {"classes": classes_of(value, path), "link": "softmax", "form": "classes"}
    logs = value.feature_log_prob_
    if len(value.classes_) == 1:
        raise not_converted(value, path, " with one class")
    if is_one_of(value, "BernoulliNB"):
        other = numpy.log(1 - numpy.exp(logs))
        described = {**affine(logs - other, value.class_log_prior_ + other.sum(axis=1)), **bayes}
        if value.binarize is None:
            return described
        for column in columns:
            column.hint([value.binarize])
        return {**described, "before": [{"op": "binarize", "threshold": float(value.binarize)}]}
    return {**affine(logs, 0.0 if is_one_of(value, "ComplementNB") else value.class_log_prior_), **bayes}


def gaussian_bayes(value, columns, path):
    constant = numpy.log(value.class_prior_) - 0.5 * numpy.log(2 * numpy.pi * value.var_).sum(axis=1)
    for at, column in enumerate(columns):
        column.hint(value.theta_[:, at])
    return {
        **{"kind": "gaussian", "means": value.theta_, "variances": value.var_, "bias": constant},
        **{"outputs": len(value.classes_), "classes": classes_of(value, path), "link": "softmax", "form": "classes"},
    }


def network(value, columns, path):
    is_classifier = hasattr(value, "classes_")
    if is_classifier and "multilabel" in value._label_binarizer.y_type_:
        raise not_converted(value, path, " for several labels per row")
    layers = [{"weights": dense(each), "bias": bias, "outputs": len(bias)} for each, bias in zip(value.coefs_, value.intercepts_)]
    described = {"kind": "layers", "layers": layers, "activation": value.activation, "outputs": layers[-1]["outputs"]}
    if not is_classifier:
        return {**described, "link": "identity", "form": "prediction"}
    link = "softmax" if value.out_activation_ == "softmax" else {"slope": 1.0}
    return {**described, "link": link, "form": "classes", "classes": classes_of(value, path)}


def xgboost(value, path):
    booster = value.get_booster()
    if hasattr(value, "classes_") and numpy.asarray(value.classes_).tolist() != list(range(len(value.classes_))):
        raise not_converted(value, path, ": its classes are not 0, 1, 2 and so on")
    return {"kind": "xgboost", "document": numpy.frombuffer(bytes(booster.save_raw("ubj")), numpy.uint8)}


ESTIMATORS = {
    **dict.fromkeys(("LinearModel", "SGDRegressor", "PassiveAggressiveRegressor", "LinearSVR", "SGDOneClassSVM"), linear_regressor),
    "LinearClassifierMixin": linear_classifier,
    **dict.fromkeys(("_GeneralizedLinearRegressor",), generalized),
    "RANSACRegressor": ransac,
    **dict.fromkeys(("BaseDecisionTree", "ForestClassifier", "ForestRegressor"), forest),
    "BaseGradientBoosting": gradient_boosting,
    "BaseHistGradientBoosting": histogram_boosting,
    **dict.fromkeys(("MultinomialNB", "ComplementNB", "BernoulliNB"), discrete_bayes),
    "GaussianNB": gaussian_bayes,
    "BaseMultilayerPerceptron": network,
}
