"""Why a model is not converted, and what its user can do."""


class Refusal(Exception):
    pass


def label_of(value):
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def not_converted(value, path, reason=""):
    """@param path: the step of the pipeline, or the name of the estimator again."""
    name = label_of(value)
    where = name if path == name else f"{path} is {name}"
    return Refusal(
        f"{where}, which is not converted{reason}. Convert it with skl2onnx where it was trained: skl2onnx.to_onnx(model, rows), and deploy the .onnx file."
    )
