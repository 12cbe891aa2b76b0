"""Describes a fitted estimator of scikit-learn by its parameters, for the graph that is made of them.

Reads `input`, a pickle or a file of joblib, and writes `output`: a JSON header and the arrays that it refers to. A
pickle is code: this script runs in a sandbox, and its output is read as hostile.
`python3 script.py OPTIONS`, with OPTIONS as JSON: `rows` names a CSV file of rows, which take the place of drawn ones.
"""
import json
import sys
import warnings

import numpy

from estimators import describe_estimator
from refusal import Refusal, label_of
from rows import Samples
from transformers import Column, describe_transformer, is_pipeline, steps_of

WRAPPERS = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
MOST_FEATURES = 1_000_000


def load():
    import joblib

    try:
        return joblib.load("input")
    except ModuleNotFoundError as error:
        raise Refusal(
            f"it needs the Python module {error.name}, which the Python of this machine does not have. Install it, or save a model that needs scikit-learn alone."
        )
    except Exception as error:
        raise Refusal(
            f"it cannot be read as a model of scikit-learn: {type(error).__name__}: {error}. Save it with joblib.dump(model, \"model.joblib\"), with the version of scikit-learn that this machine has."
        )


def unwrapped(model):
    while type(model).__name__ in WRAPPERS:
        if not hasattr(model, "best_estimator_"):
            raise Refusal(f"{label_of(model)} has no best estimator: fit it with refit=True.")
        model = model.best_estimator_
    return model


def describe(model):
    """The header of the output, without its samples; and the columns of the input."""
    features = getattr(model, "n_features_in_", None)
    if features is None:
        raise Refusal(f"{label_of(model)} is not fitted: call fit before you save it.")
    if features > MOST_FEATURES:
        raise Refusal(f"the model has {features} features; at most {MOST_FEATURES} are converted.")
    names = [str(each) for each in getattr(model, "feature_names_in_", [])]
    inputs = [Column(at) for at in range(features)]
    notes = []
    columns, steps, last = inputs, [], model
    path = label_of(model)
    if is_pipeline(model):
        *first, (last_name, last) = steps_of(model)
        for name, transformer in first:
            described, columns = describe_transformer(transformer, columns, f'the step "{name}"', notes)
            steps += described
        last = unwrapped(last)
        path = f'the step "{last_name}"'
    if hasattr(last, "predict"):
        Column.use(columns)
        estimator = describe_estimator(last, columns, path)
    else:
        described, columns = describe_transformer(last, columns, path, notes)
        steps += described
        Column.use(columns)
        estimator = {"kind": "none", "form": "transformed", "outputs": len(columns)}
    import sklearn

    header = {
        "source": f"scikit-learn {sklearn.__version__}",
        "summary": " → ".join(summary(model)),
        "notes": notes,
        "features": features,
        "names": names,
        "texts": [each.at for each in inputs if each.is_text],
        "used": numpy.array([each.at for each in inputs if each.is_used], int),
        "steps": steps,
        "estimator": estimator,
    }
    return header, inputs


def summary(model):
    if is_pipeline(model):
        return [type(unwrapped(each)).__name__ for _, each in steps_of(model)]
    return [type(model).__name__]


class Arrays:
    """Replaces arrays in a document by where they are in the file."""

    def __init__(self):
        self.parts = []
        self.size = 0

    def replaced(self, value):
        if isinstance(value, numpy.ndarray):
            return self.add(value)
        if isinstance(value, dict):
            return {key: self.replaced(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.replaced(each) for each in value]
        return value.item() if isinstance(value, numpy.generic) else value

    def add(self, array):
        kind = {"f": "f8", "u": "u1" if array.dtype.itemsize == 1 else "i4", "i": "i4", "b": "u1"}[array.dtype.kind]
        content = numpy.ascontiguousarray(array.astype("<" + kind)).tobytes()
        place = {"array": kind, "at": self.size, "length": array.size}
        self.parts.append(content + b"\0" * (-len(content) % 8))
        self.size += len(self.parts[-1])
        return place

    def write(self, header, path):
        text = json.dumps(self.replaced(header)).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as file:
            file.write(b"SKLEARN1" + len(text).to_bytes(8, "little") + text)
            for part in self.parts:
                file.write(part)


def main(options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load()
        versions = [each for each in caught if type(each.message).__name__ == "InconsistentVersionWarning"]
    model = unwrapped(loaded)
    if not hasattr(model, "get_params"):
        raise Refusal(f"it holds {label_of(model)}, which is no estimator of scikit-learn.")
    warnings.simplefilter("ignore")
    header, inputs = describe(model)
    if versions:
        header["notes"].append(str(versions[0].message).split(". ")[0].replace("Trying to unpickle", "Read") + ".")
    samples = Samples(model, header, inputs)
    header["samples"] = samples.given(options["rows"]) if "rows" in options else samples.drawn()
    Arrays().write(header, "output")


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Refusal as refusal:
        print(f"REFUSED: {refusal}", file=sys.stderr)
        sys.exit(3)
