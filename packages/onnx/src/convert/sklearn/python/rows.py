"""Rows on which the graph is compared with scikit-learn, and the predictions of scikit-learn for them."""
import csv

import numpy

from refusal import Refusal
from transformers import is_missing

MOST_VALUES = 20_000_000
MOST_ROWS, FEWEST_ROWS = 1000, 20
# Rows are left out where two classes are as likely as each other, so that rounding decides between them.
UNDECIDED = 1e-6
OUTPUTS = ("label", "probabilities", "scores", "prediction", "transformed")


class Samples:
    def __init__(self, model, header, inputs):
        self.model, self.header, self.inputs = model, header, inputs
        self.random = numpy.random.default_rng(1)

    def drawn(self):
        """Values around the thresholds, categories and ranges that the model holds, and missing ones where it takes them."""
        count = max(FEWEST_ROWS, min(MOST_ROWS, MOST_VALUES // max(1, len(self.inputs))))
        columns = [self.draw(each, count) for each in self.inputs]
        try:
            predicted = self.predict(columns)
        except ValueError:
            columns = [each if is_text_column(each) else numpy.abs(each) for each in columns]
            predicted = self.predict(columns)
        missing = [at for at in range(len(columns)) if self.takes_missing(columns, at)]
        if missing:
            for at in missing:
                chosen = self.random.random(count) < 0.1
                columns[at] = columns[at].copy()
                columns[at][chosen] = self.inputs[at].missing
            predicted = self.predict(columns)
        return self.described(columns, predicted)

    def draw(self, column, count):
        random = self.random
        if not column.is_used:
            return numpy.zeros(count)
        if column.categories or column.is_text:
            known = [each for each in column.categories if not is_missing(each)] or ["a", "b", "c"]
            other = "\x01unknown" if column.is_text else max(known) + 1.5
            choices = known + ([other] if column.takes_unknown else [])
            picked = random.integers(0, len(choices), count)
            return numpy.array([choices[at] for at in picked], dtype=object if column.is_text else float)
        if not column.hints:
            return narrow(random.normal(size=count) * 2)
        hints = numpy.sort(numpy.asarray(column.hints))
        at = random.integers(0, len(hints), count)
        value, other = hints[at], hints[numpy.minimum(at + 1, len(hints) - 1)]
        infinity = numpy.float32(numpy.inf)
        spread = max(1.0, float(hints[-1] - hints[0]) / 4)
        near = narrow(value)
        ways = [
            *(near, numpy.nextafter(near.astype("f4"), -infinity), numpy.nextafter(near.astype("f4"), infinity)),
            *(near - spread, near + spread * 1.5, value + (other - value) * random.random(count)),
        ]
        return narrow(numpy.choose(random.integers(0, len(ways), count), ways))

    def takes_missing(self, columns, at):
        """The first rows, with a missing value in this column."""
        if len(columns) > 200 and at >= 20:
            return False
        if not self.inputs[at].is_used:
            return False
        few = [each[:2].copy() for each in columns]
        few[at][0] = self.inputs[at].missing
        try:
            self.predict(few)
            return True
        except (ValueError, TypeError):
            return False

    def frame(self, columns):
        names = self.header["names"]
        if names:
            try:
                import pandas

                return pandas.DataFrame(dict(zip(names, columns)))
            except ImportError:
                pass
        rows = numpy.empty((len(columns[0]), len(columns)), dtype=object if self.header["texts"] else float)
        for at, each in enumerate(columns):
            rows[:, at] = each
        return rows

    def predict(self, columns):
        try:
            return self.predicted(columns)
        except ValueError as error:
            if "only supported for dataframes" not in str(error):
                raise
            raise Refusal("it selects columns by their names, which needs the Python module pandas. `apt-get install python3-pandas` or `python3 -m pip install pandas` installs it.")

    def predicted(self, columns):
        rows, form = self.frame(columns), self.header["estimator"].get("form")
        model = self.model
        if form == "transformed":
            found = model.transform(rows)
            return {"transformed": numpy.asarray(found.toarray() if hasattr(found, "toarray") else found, float)}
        if form == "prediction" or (form is None and not hasattr(model, "predict_proba")):
            return {"prediction": numpy.asarray(model.predict(rows), float)}
        scores = model.decision_function(rows) if form == "scores" else model.predict_proba(rows)
        return {"label": numpy.asarray(model.predict(rows)), "scores" if form == "scores" else "probabilities": scores}

    def described(self, columns, predicted):
        kept = decided(predicted)
        if not kept.any():
            raise Refusal("it cannot be compared: every class of it is as likely as the others on each drawn row. Give rows with --rows FILE.")
        outputs = {}
        for name, each in predicted.items():
            own = each[kept]
            is_text = own.dtype.kind in "OU" and name == "label" and any(isinstance(value, str) for value in own)
            outputs[name] = [str(value) for value in own] if is_text else numpy.asarray(own, float).ravel()
        return {
            "count": int(kept.sum()),
            "columns": [["" if is_missing(value) else str(value) for value in each[kept]] if self.inputs[at].is_text else numpy.asarray(each[kept], float) for at, each in enumerate(columns)],
            "outputs": outputs,
        }

    def given(self, path):
        """Rows of a CSV file: features by name where the model has names, else in order, and predictions by output."""
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [each for each in csv.reader(file) if each]
        header, lines = (lines[0], lines[1:]) if lines else ([], [])
        if not lines or any(len(each) != len(header) for each in lines):
            raise Refusal("the rows must be a CSV file with a header, and as many fields in each of its lines.")
        cells = {name: [each[at] for each in lines] for at, name in enumerate(header)}
        names = self.header["names"] or [name for name in header if name.split(".")[0] not in OUTPUTS]
        if len(names) != len(self.inputs):
            raise Refusal(f"the rows have {len(names)} columns of features; the model has {len(self.inputs)}.")
        columns = []
        for column, name in zip(self.inputs, names):
            if not column.is_used:
                columns.append(numpy.zeros(len(lines)))
            elif name not in cells:
                raise Refusal(f'the rows have no column "{name}".')
            elif column.is_text:
                columns.append(numpy.array([column.missing if each == "" else each for each in cells[name]], dtype=object))
            else:
                numbers = numbers_of(name, cells[name])
                columns.append(numbers if column.categories else narrow(numbers))
        try:
            predicted = self.predict(columns)
        except ValueError as error:
            raise Refusal(f"scikit-learn refuses the rows: {error}.")
        described = self.described(columns, predicted)
        return {**described, "given": predictions_in(cells, predicted, set(names), decided(predicted))}


WORDS = {"": numpy.nan, "True": 1.0, "False": 0.0, "true": 1.0, "false": 0.0}


def numbers_of(name, cells):
    try:
        return numpy.array([WORDS[each] if each in WORDS else float(each) for each in cells])
    except ValueError:
        raise Refusal(f'the column "{name}" of the rows holds texts; the model takes numbers there.')


def predictions_in(cells, predicted, features, kept):
    """Predictions that the file holds: `label`, or `probabilities.0`, `probabilities.1` where an output has several values."""
    found = {}
    for name, each in predicted.items():
        width = 1 if each.ndim == 1 else each.shape[1]
        columns = [name] if width == 1 else [f"{name}.{at}" for at in range(width)]
        if not any(column in cells and column not in features for column in columns):
            continue
        for column in columns:
            if column not in cells:
                raise Refusal(f'the rows have no column "{column}".')
        if name == "label":
            found[name] = [value for value, is_kept in zip(cells[name], kept) if is_kept]
        else:
            found[name] = numpy.stack([numbers_of(column, cells[column]) for column in columns], axis=1)[kept].ravel()
    return found


def is_text_column(column):
    return column.dtype.kind == "O"


def narrow(values):
    """The graph takes 32-bit numbers, so that scikit-learn gets the same."""
    return numpy.asarray(values, numpy.float32).astype(float)


def decided(predicted):
    count = len(next(iter(predicted.values())))
    for name in ("probabilities", "scores"):
        found = predicted.get(name)
        if found is None:
            continue
        if found.ndim == 1:
            return numpy.abs(found) > UNDECIDED
        if found.shape[1] > 1:
            best = numpy.sort(found, axis=1)
            return best[:, -1] - best[:, -2] > UNDECIDED
    return numpy.ones(count, bool)
