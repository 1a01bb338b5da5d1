#!/usr/bin/python3
"""Draws what `srdiff sweep` measured: a panel a figure, a line a row of the table.

    plot_sweep.py SWEEP.json OUT.png

`srdiff sweep` calls it where python3 has matplotlib. Beside the measured panels stands the paper's
own figure, where the sweep's configuration states it: another feature space, so another axis.
"""

import json
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

PANEL = (4.2, 3.4)  # inches


def panels(sweep: dict) -> list:
    """(title, lines) with lines as [(values, spreads or None)]."""
    found = []
    for figure in sweep["figures"]:
        lines = []
        for row in sweep["rows"]:
            measured = [cell["figures"].get(figure["key"]) for cell in row["cells"]]
            spreads = [m.get("spread") for m in measured] if figure["key"] == "kid" else None
            lines.append(([m["value"] for m in measured], spreads))
        arrow = {"lower": " (lower is better)", "higher": " (higher is better)"}.get(figure["better"], "")
        found.append((figure["name"] + arrow, lines))
    if sweep.get("paper"):
        values, width = sweep["paper"]["values"], len(sweep["columns"])
        rows = [values[start:start + width] for start in range(0, len(values), width)]
        found.append((sweep["paper"]["label"], [(row, None) for row in rows]))
    return found


def draw(sweep: dict, path: str) -> None:
    drawn = panels(sweep)
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    page, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained",
                              figsize=(PANEL[0] * columns, PANEL[1] * rows))
    labels = sweep["columns"]
    places = range(len(labels))
    for axis, (title, lines) in zip(axes.flat, drawn):
        for row, (values, spreads) in zip(sweep["rows"], lines):
            points = [float("nan") if value is None else value for value in values]
            errors = [spread or 0.0 for spread in spreads] if spreads else None
            axis.errorbar(places, points, yerr=errors, marker="o", capsize=3, label=row["label"])
        axis.set_title(title, fontsize=9)
        axis.set_xticks(list(places), labels)
        axis.set_xlabel(sweep["column_title"])
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(drawn):]:
        axis.set_visible(False)
    axes.flat[0].legend(fontsize=8)
    page.suptitle(f"{sweep['title']}\n{sweep['images']} images, {sweep['model']['name']} {sweep['model']['version']}",
                  fontsize=10)
    temporary = path + ".part"
    page.savefig(temporary, format="png", dpi=120)
    os.replace(temporary, path)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        draw(json.load(file), sys.argv[2])


if __name__ == "__main__":
    main()
