"""Writes data sets that scikit-learn brings along as CSV files beside this script.

scikit-learn 1.9.1. Run: python export.py
"""

import csv
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_wine

for name, data in [("breast_cancer", load_breast_cancer()), ("wine", load_wine())]:
    with open(Path(__file__).parent / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        features = [feature.replace(" ", "_").replace("/", "_") for feature in data.feature_names]
        writer.writerow([*features, "class"])
        for row, target in zip(data.data, data.target):
            writer.writerow([*(repr(float(value)) for value in row), data.target_names[target]])
