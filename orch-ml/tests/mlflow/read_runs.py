"""Reads runs with MLflow itself and prints all that it says of them as JSON.

    MLFLOW_ALLOW_FILE_STORE=true python read_runs.py file:///path/to/mlruns

mlflow 3.17.2
"""

import json
import math
import sys

from mlflow.tracking import MlflowClient


def number(value):
    return value if math.isfinite(value) else str(value)


def artifacts(client, run, folder=None):
    found = {}
    for artifact in client.list_artifacts(run, folder):
        if artifact.is_dir:
            found.update(artifacts(client, run, artifact.path))
        else:
            path = client.download_artifacts(run, artifact.path)
            with open(path, "rb") as file:
                found[artifact.path] = file.read().decode("utf-8")
    return found


def main():
    client = MlflowClient(sys.argv[1])
    runs = []
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            history = {
                name: [
                    [point.step, number(point.value), point.timestamp]
                    for point in client.get_metric_history(run.info.run_id, name)
                ]
                for name in run.data.metrics
            }
            runs.append(
                {
                    "experiment": experiment.name,
                    "id": run.info.run_id,
                    "name": run.info.run_name,
                    "status": run.info.status,
                    "start_time": run.info.start_time,
                    "end_time": run.info.end_time,
                    "params": run.data.params,
                    "tags": run.data.tags,
                    "latest": {name: number(value) for name, value in run.data.metrics.items()},
                    "metrics": history,
                    "artifacts": artifacts(client, run.info.run_id),
                }
            )
    print(json.dumps(runs))


main()
