"""Penguins from raw rows to probabilities by a pipeline of scikit-learn, for tests/packed_models.rs.

scikit-learn 1.9.1, pandas 3.1.1. Run: python packed_models.py > packed_models.json
"""

import json
from pathlib import Path

import pandas
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

penguins = pandas.read_csv(Path(__file__).parents[3] / "examples/data/penguins.csv")
sizes = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
prepare = ColumnTransformer(
    [
        ("sizes", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), sizes),
        ("sex", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["sex"]),
        ("island", OneHotEncoder(), ["island"]),
    ]
)
solver = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=10_000)
model = make_pipeline(prepare, solver).fit(penguins, penguins["species"])
predicted = pandas.Series(model.predict(penguins))
counts = predicted.value_counts()
print(
    json.dumps(
        {
            "classes": model.classes_.tolist(),
            "probabilities": model.predict_proba(penguins)[::17].tolist(),
            "n_predicted": [int(counts[name]) for name in model.classes_],
            "n_right": int((predicted == penguins["species"]).sum()),
        },
        indent=1,
    )
)
