"""What pandas makes of the penguins, for tests/table_operations.rs.

pandas 3.1.1, numpy 2.4.6. Run: python tables.py > tables.json
"""

import json
import sys
from pathlib import Path

import pandas as pd

data = Path(__file__).parents[3] / "examples" / "data" / "penguins.csv"
penguins = pd.read_csv(data)


def columns(frame):
    return {
        name: [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in frame.items()
    }


islands = pd.DataFrame(
    {
        "island": ["Dream", "Biscoe", "Dream", "Adelie"],
        "area_km2": [1.2, 12.0, None, 3.0],
        "visits": [3, 4, 5, 6],
    }
)
some = penguins[["species", "island", "body_mass_g"]].iloc[::40]
grouped = penguins.groupby(["species", "sex"], as_index=False)
mass = grouped["body_mass_g"]
json.dump(
    {
        "describe": columns(penguins.describe().rename_axis("statistic").reset_index()),
        "describe_texts": columns(
            penguins.describe(include=["str"])
            .rename_axis("statistic")
            .reset_index()
            .astype(str)
        ),
        "sorted": penguins.sort_values(
            ["island", "body_mass_g"], ascending=[True, False], kind="stable"
        ).index.tolist(),
        "grouped": {
            "species": mass.count()["species"].tolist(),
            "sex": mass.count()["sex"].tolist(),
            **{
                f"body_mass_g_{how}": mass.agg(how)["body_mass_g"].tolist()
                for how in ["count", "nunique", "first", "min", "max", "sum", "mean", "median", "std"]
            },
        },
        "inner": columns(some.merge(islands, on="island", how="inner")),
        "left": columns(some.merge(islands, on="island", how="left")),
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
