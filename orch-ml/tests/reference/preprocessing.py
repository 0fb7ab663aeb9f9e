"""Reference values of tests/cleaning.rs and tests/preprocessing.rs, written to preprocessing.json.

Made with Python 3.11, numpy 2.4.6, pandas 3.1.1, scikit-learn 1.9.1 and scipy 1.17.1:

    python orch-ml/tests/reference/preprocessing.py

A matrix is stored as the names of its columns, for each column its sum and the sum of each value
times the number of its row from 1 on (missing ones left out), and every seventh row.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

HERE = Path(__file__).parent
DATA = HERE / "../../../examples/data"
SIZES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
WORDS = ["species", "island", "sex"]
PETALS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

penguins = pd.read_csv(DATA / "penguins.csv")
penguins[WORDS] = penguins[WORDS].astype(object).where(penguins[WORDS].notna(), np.nan)
iris = pd.read_csv(DATA / "iris.csv")
diabetes = pd.read_csv(DATA / "diabetes.csv")
BODY = list(diabetes.columns[:10])


def plain(values):
    array = np.asarray(values, dtype=float)
    return [plain(row) for row in array] if array.ndim > 1 else [
        None if np.isnan(value) else float(value) for value in array
    ]


def matrix(values, columns):
    values = np.asarray(values, dtype=float)
    numbers = np.arange(1, len(values) + 1)[:, None]
    return {
        "columns": list(columns),
        "sums": plain(np.nansum(values, axis=0)),
        "weighted": plain(np.nansum(values * numbers, axis=0)),
        "rows": plain(values[::7]),
    }


out = {}

# Cleaning.
for strategy in ["mean", "median", "most_frequent"]:
    imputer = SimpleImputer(strategy=strategy, add_indicator=True).fit(penguins[SIZES])
    names = SIZES + [f"{name}_missing" for name in SIZES]
    out[f"impute_{strategy}"] = {
        "fill": plain(imputer.statistics_),
        "matrix": matrix(imputer.transform(penguins[SIZES]), names),
    }
imputer = SimpleImputer(strategy="constant", fill_value=-1.5).fit(penguins[SIZES])
out["impute_constant"] = matrix(imputer.transform(penguins[SIZES]), SIZES)
imputer = SimpleImputer(strategy="most_frequent").fit(penguins[["sex"]])
out["impute_sex"] = {
    "fill": imputer.statistics_[0],
    "n_male": int((imputer.transform(penguins[["sex"]]) == "male").sum()),
}
ties = SimpleImputer(strategy="most_frequent")
out["impute_ties"] = {
    "numbers": float(ties.fit([[3.0], [1.0], [3.0], [1.0], [2.0], [np.nan]]).statistics_[0]),
    "texts": ties.fit(np.array([["b"], ["a"], ["b"], ["a"], ["B"], [np.nan]], dtype=object)).statistics_[0],
}
lower, upper = penguins[SIZES].quantile(0.05), penguins[SIZES].quantile(0.95)
out["clip"] = {
    "lower": plain(lower),
    "upper": plain(upper),
    "matrix": matrix(penguins[SIZES].clip(lower, upper, axis=1), SIZES),
}
repeated = pd.DataFrame(
    {
        "x": [1.0, -0.0, 1.0, np.nan, 0.0, np.nan, 1.0],
        "y": ["a", "b", "a", None, "b", None, "b"],
    }
)
out["duplicates"] = {
    f"{name}_{keep}": frame.drop_duplicates(subset, keep=keep).index.tolist()
    for name, frame, subset in [
        ("penguins", penguins, WORDS),
        ("year_and_sex", penguins, ["sex", "year"]),
        ("mass", penguins, ["body_mass_g", "bill_depth_mm"]),
        ("repeated", repeated, None),
    ]
    for keep in ["first", "last"]
}

# Scalers.
standard = StandardScaler().fit(penguins[SIZES])
out["standard_penguins"] = {
    "mean": plain(standard.mean_),
    "variance": plain(standard.var_),
    "scale": plain(standard.scale_),
    "matrix": matrix(standard.transform(penguins[SIZES]), SIZES),
}
standard = StandardScaler().fit(diabetes[BODY])
out["standard_diabetes"] = {
    "mean": plain(standard.mean_),
    "variance": plain(standard.var_),
    "scale": plain(standard.scale_),
    "matrix": matrix(standard.transform(diabetes[BODY]), BODY),
}
constant = np.array([[0.1, 1e8, 1e8, 5.0]] * 9 + [[0.1, 1e8 + 1e-7, 1e8 + 1, 5.0]])
out["standard_constant"] = {
    "cells": plain(constant),
    "scale": plain(StandardScaler().fit(constant).scale_),
}
min_max = MinMaxScaler((-1.0, 2.0)).fit(penguins[SIZES])
out["min_max"] = {
    "min": plain(min_max.data_min_),
    "max": plain(min_max.data_max_),
    "matrix": matrix(min_max.transform(penguins[SIZES]), SIZES),
}
for name, shares in [("quartiles", (25.0, 75.0)), ("deciles", (10.0, 90.0))]:
    robust = RobustScaler(quantile_range=shares).fit(penguins[SIZES])
    out[f"robust_{name}"] = {
        "median": plain(robust.center_),
        "scale": plain(robust.scale_),
        "matrix": matrix(robust.transform(penguins[SIZES]), SIZES),
    }

# Encoders.
for name, drop in [("none", None), ("first", "first"), ("if_binary", "if_binary")]:
    encoder = OneHotEncoder(drop=drop, sparse_output=False).fit(penguins[WORDS])
    out[f"one_hot_{name}"] = matrix(
        encoder.transform(penguins[WORDS]), encoder.get_feature_names_out()
    )
encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(penguins[:152][WORDS])
out["one_hot_unknown"] = matrix(encoder.transform(penguins[WORDS]), encoder.get_feature_names_out())
known = penguins.dropna()
encoder = OneHotEncoder(drop="if_binary", sparse_output=False).fit(known[["sex", "year"]])
out["one_hot_year"] = matrix(encoder.transform(known[["sex", "year"]]), encoder.get_feature_names_out())
encoder = OneHotEncoder(sparse_output=False).fit(iris[["species"]])
out["one_hot_iris"] = matrix(encoder.transform(iris[["species"]]), encoder.get_feature_names_out())
out["ordinal"] = matrix(OrdinalEncoder().fit_transform(penguins[WORDS]), WORDS)
encoder = OrdinalEncoder(
    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
).fit(penguins[:152][WORDS])
out["ordinal_codes"] = matrix(encoder.transform(penguins[WORDS]), WORDS)

# Polynomials.
for name, options in [
    ("cubes", dict(degree=3)),
    ("products", dict(degree=2, interaction_only=True)),
    ("all_products", dict(degree=4, interaction_only=True)),
]:
    features = PolynomialFeatures(include_bias=False, **options).fit(iris[PETALS])
    out[f"polynomial_{name}"] = matrix(
        features.transform(iris[PETALS]), features.get_feature_names_out()
    )

# Principal components.
for name, data, options in [
    ("iris", iris[PETALS], dict(n_components=2)),
    ("iris_all", iris[PETALS], dict()),
    ("iris_white", iris[PETALS], dict(n_components=3, whiten=True)),
    ("diabetes", diabetes[BODY], dict(n_components=0.9)),
    ("few_rows", diabetes[BODY][:6], dict(n_components=5)),
]:
    pca = PCA(svd_solver="full" if name == "few_rows" else "auto", **options).fit(data)
    out[f"pca_{name}"] = {
        "mean": plain(pca.mean_),
        "components": plain(pca.components_),
        "variance": plain(pca.explained_variance_),
        "ratio": plain(pca.explained_variance_ratio_),
        "matrix": matrix(pca.transform(data), pca.get_feature_names_out()),
    }

products = PolynomialFeatures(degree=2, include_bias=False).fit_transform(diabetes[BODY])
products = StandardScaler().fit_transform(products)
pca = PCA(svd_solver="full").fit(products)
out["pca_products"] = {
    "variance": plain(pca.explained_variance_),
    "components": plain(pca.components_[:3]),
}

# Bins.
flippers = penguins[["flipper_length_mm"]].dropna()
out["bins"] = []
for strategy in ["quantile", "uniform"]:
    for table, data in [("penguins", flippers), ("iris", iris[PETALS])]:
        for n_bins in [2, 3, 5, 7, 9, 10, 11, 19, 25]:
            bins = KBinsDiscretizer(n_bins, encode="ordinal", strategy=strategy).fit(data)
            out["bins"].append(
                {
                    "table": table,
                    "strategy": strategy,
                    "n_bins": n_bins,
                    "columns": list(data.columns),
                    "edges": [plain(edges) for edges in bins.bin_edges_],
                    "sums": plain(bins.transform(data).sum(axis=0)),
                }
            )

# Dates.
texts = [
    "2024-02-29",
    "2023-12-31T23:59:59Z",
    "1999-12-31 06:30",
    "2000-02-29T00:00:00.123456",
    "1970-01-01T12:00:00+05:30",
    "1900-03-01",
    "2100-02-28T18:05",
    "1969-07-20T20:17:40-04:00",
]
stamps = [pd.Timestamp(text) for text in texts]
seconds = [0, -1, 951782400, 1709164799, 1709164800, -2208988800, 4102444799, 253402300799]
moments = [pd.Timestamp(number, unit="s") for number in seconds]
parts = lambda stamp: [stamp.year, stamp.month, stamp.day, stamp.weekday(), stamp.hour]
out["dates"] = {
    "texts": texts,
    "of_texts": [parts(stamp) for stamp in stamps],
    "seconds": seconds,
    "of_seconds": [parts(stamp) for stamp in moments],
}
days = pd.date_range("1600-01-01", "2400-12-31", freq="D", unit="s")
out["days"] = {
    "n": len(days),
    "first_second": int(days[0].timestamp()),
    "sums": [
        int(values.to_numpy().astype("int64").sum())
        for values in [days.year, days.month, days.day, days.weekday]
    ],
    "weighted": [
        int((values.to_numpy().astype("int64") * np.arange(1, len(days) + 1)).sum())
        for values in [days.year, days.month, days.day, days.weekday]
    ],
}

# All together.
together = ColumnTransformer(
    [
        ("sizes", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), SIZES),
        (
            "words",
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(drop="if_binary", sparse_output=False),
            ),
            ["island", "sex"],
        ),
        ("year", MinMaxScaler(), ["year"]),
    ],
    verbose_feature_names_out=False,
)
train, test = penguins.iloc[np.arange(344) % 5 != 0], penguins.iloc[np.arange(344) % 5 == 0]
together.fit(train)
out["together"] = {
    "train": matrix(together.transform(train), together.get_feature_names_out()),
    "test": matrix(together.transform(test), together.get_feature_names_out()),
}

(HERE / "preprocessing.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
