"""Transformers of scikit-learn as steps of a graph, and the columns that they make.

Each function returns the steps and the new columns. A step is described by what it computes, in the order in which
scikit-learn computes it, so that the graph rounds as scikit-learn does.
"""
import numpy

from refusal import not_converted



class Column:
    """A column between two steps. `at` is the input that it comes from, as `inner * a + b`, if it is a function of one."""

    def __init__(self, at, a=1.0, b=0.0, source=None):
        self.at, self.a, self.b = at, a, b
        self.source = self if source is None else source
        if source is None:
            self.is_text = self.is_used = False
            self.hints, self.categories = [], []
            self.takes_unknown, self.missing = True, numpy.nan

    def scaled(self, a, b):
        """The column `inner`, where this one is `inner * a + b`."""
        return Column(self.at, self.a * a, self.a * b + self.b, self.source)

    @staticmethod
    def use(columns):
        for each in columns:
            each.source.is_used = True

    def hint(self, values):
        if self.at is not None and len(self.source.hints) < 4096:
            self.source.hints += [float(each) * self.a + self.b for each in values[:256]]


def fresh(count):
    return [Column(None) for _ in range(count)]


def is_pipeline(value):
    return type(value).__name__ == "Pipeline" and type(value).__module__.startswith(("sklearn.", "imblearn."))


def steps_of(pipeline):
    return [(name, each) for name, each in pipeline.steps if each is not None and not isinstance(each, str)]


def is_one_of(value, *names):
    return any(each.__module__.startswith("sklearn.") and each.__name__ in names for each in type(value).__mro__)


def describe_transformer(value, columns, path, notes):
    if isinstance(value, str) or value is None:
        return [], columns
    if is_pipeline(value):
        steps = []
        for name, each in steps_of(value):
            described, columns = describe_transformer(each, columns, f'{path}, step "{name}"', notes)
            steps += described
        return steps, columns
    if not is_one_of(value, "ColumnTransformer", "FeatureUnion"):
        Column.use(columns)
    for kind in type(value).__mro__:
        if kind.__module__.startswith("sklearn.") and kind.__name__ in TRANSFORMERS:
            return TRANSFORMERS[kind.__name__](value, columns, path, notes)
    if hasattr(value, "get_support") and type(value).__module__.startswith("sklearn.feature_selection"):
        kept = numpy.flatnonzero(value.get_support())
        return [{"op": "select", "columns": kept}], [columns[at] for at in kept]
    raise not_converted(value, path)


def elementwise(columns, *operations):
    return [{"op": "elementwise", "do": [[name, numpy.asarray(each, float)] for name, each in operations]}], columns


def standard(value, columns, path, notes):
    count = len(columns)
    shift = value.mean_ if value.with_mean else numpy.zeros(count)
    scale = value.scale_ if value.with_std else numpy.ones(count)
    for at, each in enumerate(columns):
        each.hint([shift[at] + scale[at] * by for by in (-2, -1, -0.5, 0, 0.5, 1, 2)])
    return elementwise([each.scaled(scale[at], shift[at]) for at, each in enumerate(columns)], ("subtract", shift), ("divide", scale))


def robust(value, columns, path, notes):
    count = len(columns)
    shift = value.center_ if value.with_centering else numpy.zeros(count)
    scale = value.scale_ if value.with_scaling else numpy.ones(count)
    for at, each in enumerate(columns):
        each.hint([shift[at] + scale[at] * by for by in (-1, -0.5, 0, 0.5, 1)])
    return elementwise([each.scaled(scale[at], shift[at]) for at, each in enumerate(columns)], ("subtract", shift), ("divide", scale))


def min_max(value, columns, path, notes):
    for at, each in enumerate(columns):
        each.hint(numpy.linspace(value.data_min_[at], value.data_max_[at], 7))
    scaled = [each.scaled(1 / value.scale_[at], -value.min_[at] / value.scale_[at]) for at, each in enumerate(columns)]
    operations = [("multiply", value.scale_), ("add", value.min_)]
    if value.clip:
        operations += [("most", numpy.full(len(columns), value.feature_range[0])), ("least", numpy.full(len(columns), value.feature_range[1]))]
    return elementwise(scaled, *operations)


def max_abs(value, columns, path, notes):
    for at, each in enumerate(columns):
        each.hint(numpy.linspace(-value.max_abs_[at], value.max_abs_[at], 7))
    return elementwise([each.scaled(value.scale_[at], 0) for at, each in enumerate(columns)], ("divide", value.scale_))


def normalizer(value, columns, path, notes):
    return [{"op": "normalize", "norm": value.norm}], fresh(len(columns))


def binarizer(value, columns, path, notes):
    for each in columns:
        each.hint([value.threshold])
    return [{"op": "binarize", "threshold": float(value.threshold)}], fresh(len(columns))


def imputer(value, columns, path, notes):
    fills = numpy.asarray(value.statistics_, dtype=object)
    missing = value.missing_values
    is_missing_text = missing is None or isinstance(missing, str)
    is_text = [isinstance(each, str) for each in fills]
    if any(is_text):
        is_nan = missing is None or (isinstance(missing, float) and numpy.isnan(missing)) or missing == ""
        if not all(is_text) or value.add_indicator or not is_nan:
            raise not_converted(value, path, ": it fills texts together with numbers, or with an indicator, or another text than an empty one")
        for each in columns:
            if each.at is not None:
                each.source.is_text, each.source.missing = True, missing
        return [{"op": "impute-texts", "fills": list(fills)}], columns
    if is_missing_text or type(missing).__name__ == "NAType":
        raise not_converted(value, path, f" with missing_values={missing!r}")
    fills = fills.astype(float)
    keep = numpy.arange(len(fills))
    if value.strategy != "constant" and not getattr(value, "keep_empty_features", False):
        keep = numpy.flatnonzero(~numpy.isnan(fills))
    for at in keep:
        columns[at].hint([fills[at]])
        if not numpy.isnan(missing):
            columns[at].hint([missing] * 3)
    marked = value.indicator_.features_ if value.add_indicator else numpy.zeros(0, int)
    step = {"op": "impute", "missing": float(missing), "keep": keep, "fills": fills[keep], "marked": marked}
    return [step], [columns[at] for at in keep] + fresh(len(marked))


def column_transformer(value, columns, path, notes):
    branches, outputs = [], []
    indices = value._transformer_to_input_indices
    for name, transformer, _ in value.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        own = numpy.asarray(indices[name], int)
        if len(own) == 0:
            continue
        is_same = isinstance(transformer, str) or is_identity(transformer)
        described, new = ([], [columns[at] for at in own])
        if not is_same:
            described, new = describe_transformer(transformer, new, f'{path}, transformer "{name}"', notes)
        weight = (value.transformer_weights or {}).get(name)
        if weight is not None:
            described, new = described + elementwise(new, ("multiply", numpy.full(len(new), weight)))[0], fresh(len(new))
        branches.append({"columns": own, "steps": described})
        outputs += new
    return [{"op": "branches", "branches": branches}], outputs


def union(value, columns, path, notes):
    branches, outputs = [], []
    for name, transformer in value.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        weight = (value.transformer_weights or {}).get(name)
        described, new = describe_transformer(None if transformer == "passthrough" else transformer, columns, f'{path}, transformer "{name}"', notes)
        if weight is not None:
            described, new = described + elementwise(new, ("multiply", numpy.full(len(new), weight)))[0], fresh(len(new))
        branches.append({"columns": numpy.arange(len(columns)), "steps": described})
        outputs += new
    return [{"op": "branches", "branches": branches}], outputs


def is_identity(value):
    return is_one_of(value, "FunctionTransformer") and (value.func is None or getattr(getattr(value.func, "func", None), "__name__", "") == "check_array")


FUNCTIONS = ("log", "log1p", "log2", "log10", "sqrt", "exp", "expm1", "absolute", "square", "reciprocal", "negative", "sin", "cos", "tanh")


def function(value, columns, path, notes):
    if is_identity(value):
        return [], columns
    name = getattr(value.func, "__name__", "")
    if isinstance(value.func, numpy.ufunc) and name in FUNCTIONS and not value.kw_args:
        return [{"op": "apply", "function": name}], fresh(len(columns))
    raise not_converted(value, path, f" with func={getattr(value.func, '__name__', value.func)!r}: numpy.{', numpy.'.join(FUNCTIONS)} are")


def polynomial(value, columns, path, notes):
    powers = value.powers_
    degree = max(1, int(powers.sum(axis=1).max()))
    factors = numpy.full((degree, len(powers)), len(columns))
    for at, row in enumerate(powers):
        chosen = numpy.repeat(numpy.arange(len(row)), row)
        factors[: len(chosen), at] = chosen
    return [{"op": "products", "degree": degree, "factors": factors}], fresh(len(powers))


def projection(value, columns, path, notes):
    steps = []
    if is_one_of(value, "PCA", "IncrementalPCA"):
        steps += elementwise(columns, ("subtract", value.mean_))[0]
        for at, each in enumerate(columns):
            each.hint([value.mean_[at] + by for by in (-2, -1, 0, 1, 2)])
    weights = value.components_.T
    steps.append({"op": "project", "weights": weights, "outputs": weights.shape[1]})
    if getattr(value, "whiten", False):
        scale = numpy.sqrt(value.explained_variance_)
        scale[scale < numpy.finfo(scale.dtype).eps] = numpy.finfo(scale.dtype).eps
        steps += elementwise(columns, ("divide", scale))[0]
    return steps, fresh(weights.shape[1])


def is_missing(value):
    return value is None or (isinstance(value, (float, numpy.floating)) and numpy.isnan(value))


def encoder(value, columns, path, notes):
    """The codes of categories are those that the encoder itself gives them, whatever its options are."""
    is_hot = is_one_of(value, "OneHotEncoder")
    if not is_hot and value.categories_ is not None and getattr(value, "target_type_", "") == "multiclass":
        raise not_converted(value, path, " for several classes")
    firsts = [each[0] for each in value.categories_]
    described, count = [], 0
    starts = [0]
    if is_hot:
        starts = numpy.cumsum([0] + list(value._n_features_outs))
    for at, categories in enumerate(value.categories_):
        column = columns[at]
        known = [each for each in categories]
        is_text = any(isinstance(each, str) for each in known)
        if any(not (isinstance(each, str) if is_text else isinstance(each, (int, float, numpy.number, bool, numpy.bool_))) for each in known if not is_missing(each)):
            raise not_converted(value, path, f": the categories in column {at} are texts and numbers")
        if is_text and column.at is not None:
            column.source.is_text = True
        if is_text and "" in known and any(is_missing(each) for each in known):
            raise not_converted(value, path, f": column {at} has an empty text and a missing value as categories")

        def transformed(values):
            rows = numpy.empty((len(values), len(firsts)), dtype=object)
            rows[:] = firsts
            for row, each in enumerate(values):
                rows[row, at] = each
            kinds = {each.dtype.kind for each in value.categories_}
            if "O" not in kinds and "U" not in kinds:
                rows = rows.astype(float)
            found = value.transform(rows)
            found = found.toarray() if hasattr(found, "toarray") else numpy.asarray(found)
            return found[:, starts[at] : starts[at + 1]] if is_hot else found[:, at].astype(float)

        def codes_of(values):
            found = transformed(values)
            if not is_hot:
                return found
            if found.shape[1] == 0:
                return numpy.full(len(found), -1.0)
            return numpy.where(found.max(axis=1) > 0, found.argmax(axis=1), -1).astype(float)

        slices = [known[start : start + 512] for start in range(0, len(known), 512)]
        codes = numpy.concatenate([codes_of(each) for each in slices])
        other = "\x00unknown" if is_text else float(numpy.nanmax(numpy.asarray(known, float))) + 1.5
        try:
            unknown = codes_of([other])[0]
        except ValueError:
            unknown = -1.0 if is_hot else numpy.nan
            column.source.takes_unknown = False
            note = "An unknown category is an error in scikit-learn; here it " + ("has no column." if is_hot else "becomes NaN.")
            if note not in notes:
                notes.append(note)
        column.source.categories += known
        labels = {"texts": [None if is_missing(each) else str(each) for each in known]} if is_text else {"numbers": numpy.asarray(known, float)}
        described.append({**labels, "codes": codes, "unknown": float(unknown), "width": int(starts[at + 1] - starts[at]) if is_hot else 1})
        count += described[-1]["width"]
    return [{"op": "encode", "form": "one-hot" if is_hot else "ordinal", "columns": described}], fresh(count)


TRANSFORMERS = {
    "StandardScaler": standard,
    "RobustScaler": robust,
    "MinMaxScaler": min_max,
    "MaxAbsScaler": max_abs,
    "Normalizer": normalizer,
    "Binarizer": binarizer,
    "SimpleImputer": imputer,
    "ColumnTransformer": column_transformer,
    "FeatureUnion": union,
    "FunctionTransformer": function,
    "PolynomialFeatures": polynomial,
    "PCA": projection,
    "IncrementalPCA": projection,
    "TruncatedSVD": projection,
    "OneHotEncoder": encoder,
    "OrdinalEncoder": encoder,
    "TargetEncoder": encoder,
}
