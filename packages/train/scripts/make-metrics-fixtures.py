"""Writes src/metrics/fixtures/sklearn.json: scikit-learn's numbers on seeded rows. Debian: python3-sklearn."""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

random = np.random.default_rng(11)
cases = []
for rows, classes in [(40, 2), (120, 3), (200, 7), (15, 4)]:
    labels = random.integers(0, classes, rows)
    predicted = np.where(random.random(rows) < 0.6, labels, random.integers(0, classes, rows))
    cases.append(
        {
            "classes": classes,
            "labels": labels.tolist(),
            "predicted": predicted.tolist(),
            "confusion": metrics.confusion_matrix(labels, predicted, labels=range(classes)).tolist(),
            "accuracy": metrics.accuracy_score(labels, predicted),
            "f1": metrics.f1_score(labels, predicted, average=None, labels=range(classes), zero_division=0).tolist(),
            "macroF1": metrics.f1_score(labels, predicted, average="macro", labels=range(classes), zero_division=0),
        }
    )

scored = []
for rows, decimals in [(30, 1), (100, 2), (300, 6)]:
    labels = random.integers(0, 2, rows)
    scores = np.round(np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 0.999), decimals)
    frequency, confidence = calibration_curve(labels, scores, n_bins=8)
    scored.append(
        {
            "labels": labels.tolist(),
            "scores": scores.tolist(),
            "auc": metrics.roc_auc_score(labels, scores),
            "brier": metrics.brier_score_loss(labels, scores),
            "frequency": frequency.tolist(),
            "confidence": confidence.tolist(),
        }
    )

target = pathlib.Path(__file__).parent.parent / "src/metrics/fixtures/sklearn.json"
target.write_text(json.dumps({"sklearn": sklearn.__version__, "classified": cases, "scored": scored}) + "\n")
