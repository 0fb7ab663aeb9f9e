"""The Python side of the `ml` bench: pandas, polars and scikit-learn on the same files.

    python3 ml.py FOLDER           answers one case a line, as JSON, until its input ends
    python3 ml.py FOLDER CASE      runs one case in this process and prints its peak memory in bytes
    python3 ml.py --workflow CSV   runs the workflow, and prints its root mean squared error
    python3 ml.py --prefect CSV    the same as a flow of Prefect

Called with another interpreter than that of its own virtual environment, it makes that in the folder
that ORCH_BENCH_PYTHON names, installs what it needs with pip, and starts again in there.
"""

import json
import os
import subprocess
import sys
import time
import venv

PACKAGES = [
    "numpy==2.4.6",
    "pandas==3.1.1",
    "polars==2.1.0",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
]
PREFECT = "prefect==3.9.1"


def enter_environment(packages):
    """Starts this script again where the packages are."""
    folder = os.environ["ORCH_BENCH_PYTHON"]
    python = os.path.join(folder, "bin", "python")
    marker = os.path.join(folder, "-".join(packages).replace("==", "_") + ".installed")
    if not os.path.exists(marker):
        if not os.path.exists(python):
            venv.create(folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(pip, check=True, stdout=sys.stderr)
        open(marker, "w").close()
    if os.path.realpath(sys.prefix) != os.path.realpath(folder):
        os.execv(python, [python, *sys.argv])


def peak_memory():
    # `getrusage` counts what the process was before it became this program.
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


class Cases:
    """What each case does. The files are read once, when they are first needed."""

    def __init__(self, folder):
        self.folder = folder
        self.known = {}

    def once(self, name, make):
        if name not in self.known:
            self.known[name] = make()
        return self.known[name]

    def path(self, name):
        return os.path.join(self.folder, name)

    def matrix(self, name):
        import numpy

        def read():
            with open(self.path(name + ".json")) as file:
                shape = json.load(file)
            values = numpy.fromfile(self.path(name + ".f64"), dtype="<f8")
            values = values.reshape(shape["n_rows"], -1)
            return numpy.ascontiguousarray(values[:, :-1]), values[:, -1].copy()

        return self.once(name, read)

    def frame(self):
        import pandas

        return self.once("frame", lambda: pandas.read_csv(self.path("table.csv")))

    def polars_frame(self):
        import polars

        return self.once("polars", lambda: polars.read_csv(self.path("table.csv")))

    def read_csv_pandas(self):
        import pandas

        took, frame = timed(lambda: pandas.read_csv(self.path("table.csv")))
        return took, len(frame)

    def read_csv_polars(self):
        import polars

        took, frame = timed(lambda: polars.read_csv(self.path("table.csv")))
        return took, len(frame)

    def drop_missing_pandas(self):
        frame = self.frame()
        took, complete = timed(frame.dropna)
        return took, len(complete)

    def drop_missing_polars(self):
        frame = self.polars_frame()
        took, complete = timed(frame.drop_nulls)
        return took, len(complete)

    def describe_pandas(self):
        frame = self.frame()
        took, summary = timed(frame.describe)
        return took, float(summary.loc["50%"].iloc[0])

    def describe_polars(self):
        frame = self.polars_frame()
        took, summary = timed(frame.describe)
        return took, float(summary.filter(summary["statistic"] == "50%")[:, 1].item())

    def one_hot(self):
        import pandas
        from sklearn.preprocessing import OneHotEncoder

        words = self.once("words", lambda: pandas.read_csv(self.path("words.csv")))
        encoder = OneHotEncoder(sparse_output=False)
        took, encoded = timed(lambda: encoder.fit_transform(words[["word"]]))
        return took, float(encoded[:, 0].sum())

    def split(self):
        from sklearn.model_selection import train_test_split

        x, y = self.matrix("regression")
        took, parts = timed(lambda: train_test_split(x, y, test_size=0.2, random_state=42))
        return took, len(parts[1])

    def least_squares(self):
        from sklearn.linear_model import LinearRegression

        x, y = self.matrix("regression")
        took, model = timed(lambda: LinearRegression().fit(x, y))
        return took, float(model.coef_[0])

    def logistic(self):
        from sklearn.linear_model import LogisticRegression

        x, y = self.matrix("classes20")
        took, model = timed(lambda: LogisticRegression().fit(x, y.astype(int)))
        return took, float(model.score(x, y))

    def tree(self, name):
        from sklearn.tree import DecisionTreeClassifier

        x, y = self.matrix(name)
        took, model = timed(lambda: DecisionTreeClassifier(random_state=42).fit(x, y.astype(int)))
        held_out = self.matrix(name + "_test")
        return took, float(model.score(*held_out))

    def tree_20k(self):
        return self.tree("classes10")

    def tree_100k(self):
        return self.tree("classes20")

    def forest(self, name):
        from sklearn.ensemble import RandomForestClassifier

        x, y = self.matrix(name)
        model = RandomForestClassifier(n_estimators=100, random_state=42, n_jobs=2)
        took, model = timed(lambda: model.fit(x, y.astype(int)))
        self.known[name + " forest"] = model
        held_out = self.matrix(name + "_test")
        return took, float(model.score(*held_out))

    def forest_fit_20k(self):
        return self.forest("classes10")

    def forest_fit_100k(self):
        return self.forest("classes20")

    def predict(self, name):
        if name + " forest" not in self.known:
            self.forest(name)
        model = self.known[name + " forest"]
        x, y = self.matrix(name + "_test")
        took, predicted = timed(lambda: model.predict(x))
        return took, float((predicted == y).mean())

    def forest_predict_20k(self):
        return self.predict("classes10")

    def forest_predict_100k(self):
        return self.predict("classes20")

    def kmeans(self):
        from sklearn.cluster import KMeans

        x, _ = self.matrix("clusters")
        starts, _ = self.matrix("starts")
        model = KMeans(n_clusters=8, n_init=1, init=starts)
        took, model = timed(lambda: model.fit(x))
        return took, float(model.inertia_)

    def pca(self):
        from sklearn.decomposition import PCA

        x, _ = self.matrix("classes20")
        took, model = timed(lambda: PCA(n_components=5).fit(x))
        return took, float(model.explained_variance_[0])

    def dbscan(self):
        from sklearn.cluster import DBSCAN

        x, _ = self.matrix("points")
        took, model = timed(lambda: DBSCAN(eps=0.3, min_samples=5).fit(x))
        return took, float((model.labels_ < 0).sum())

    def search(self):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import ParameterGrid, StratifiedKFold, cross_val_score

        x, y = self.matrix("cancer")
        grid = ParameterGrid(
            {
                "max_depth": [2, 4, 6, 8, 12],
                "min_samples_leaf": [1, 2, 4, 8],
                "max_features": [2, 4, 6, 8, 12, 16, 20, 24, 28, 30],
            }
        )
        folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=0)

        def search():
            best = 0.0
            for options in grid:
                model = RandomForestClassifier(n_estimators=20, random_state=42, n_jobs=2, **options)
                best = max(best, cross_val_score(model, x, y.astype(int), cv=folds).mean())
            return best

        took, best = timed(search)
        return took, float(best)


def run_workflow(csv, task=lambda function: function, flow=lambda function: function):
    import pandas
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import root_mean_squared_error
    from sklearn.model_selection import train_test_split

    features = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]

    @task
    def load(csv):
        return pandas.read_csv(csv)

    @task
    def preprocess(table):
        complete = table.dropna()
        return train_test_split(
            complete[features], complete["body_mass_g"], test_size=0.2, random_state=42
        )

    @task
    def train_model(x, y):
        return LinearRegression().fit(x, y)

    @task
    def evaluate(model, x, y):
        return root_mean_squared_error(y, model.predict(x))

    @flow
    def ml_workflow(csv):
        x, x_test, y, y_test = preprocess(load(csv))
        return evaluate(train_model(x, y), x_test, y_test)

    return ml_workflow(csv)


def main():
    if sys.argv[1] == "--prefect":
        enter_environment([*PACKAGES, PREFECT])
        from prefect import flow, task

        print(run_workflow(sys.argv[2], task, flow))
        return
    enter_environment(PACKAGES)
    if sys.argv[1] == "--workflow":
        print(run_workflow(sys.argv[2]))
        return
    if sys.argv[1] == "--installed":
        return
    cases = Cases(sys.argv[1])
    if len(sys.argv) > 2:
        getattr(cases, sys.argv[2])()
        print(peak_memory())
        return
    for line in sys.stdin:
        seconds, check = getattr(cases, line.strip())()
        print(json.dumps({"seconds": seconds, "check": check}), flush=True)


if __name__ == "__main__":
    main()
