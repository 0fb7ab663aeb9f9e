"""Runs ONNX files with onnxruntime, for tests/onnx.rs, which makes the environment with the versions.

Standard input: {"name": {"path": .., "rows": [[..], ..]}, ..}. Standard output: for each name what the
file says of itself, whether it passes the checker, and its outputs.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator


def run(case):
    model = onnx.load(case["path"])
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(case["path"], providers=["CPUExecutionProvider"])
    rows = np.array(case["rows"], dtype=np.float32)
    outputs = session.run(None, {"features": rows})
    # A second opinion, of the implementation that belongs to the format.
    few = rows[:5]
    for other, found in zip(ReferenceEvaluator(model).run(None, {"features": few}), outputs):
        if found.dtype.kind == "f":
            np.testing.assert_allclose(other, found[:5], rtol=1e-5, atol=1e-5)
        else:
            assert list(other) == list(found[:5]), (case["path"], other, found[:5])
    names = [output.name for output in session.get_outputs()]
    return {
        "ir_version": model.ir_version,
        "operators": [node.op_type for node in model.graph.node],
        "properties": {entry.key: entry.value for entry in model.metadata_props},
        "description": model.doc_string,
        "producer": model.producer_name,
        "shapes": {output.name: output.shape for output in session.get_outputs()},
        "outputs": {name: values.tolist() for name, values in zip(names, outputs)},
    }


json.dump({name: run(case) for name, case in json.load(sys.stdin).items()}, sys.stdout)
