#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
plots.py FOLDER: draws what bench_cache has written to FOLDER/cache.jsonl, as PNG and SVG, with gnuplot.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

MIXES = ["100/0", "95/5", "90/10", "70/30", "30/70", "field change", "field read"]
USUAL = {"sessions": 100000, "bytes": 1024, "popularity": "zipf 0.99", "kind": "processes", "per_second": 0}

HEAD = """
set terminal {terminal} noenhanced
set linetype 9 linecolor rgb "#808080"
set output "{output}"
set title "{title}"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set boxwidth 0.9
set grid ytics
set logscale y
set ylabel "{ylabel}"
set key outside top center horizontal
set xtics rotate by -25
set datafile missing "-"
"""
TERMINALS = {"png": "pngcairo size 1100,600 font 'sans,10'", "svg": "svg size 1100,600 font 'sans,12' background 'white'"}


def matching(rows, **wanted):
    return [row for row in rows if not row.get("missing") and all(row[name] == value for name, value in wanted.items())]


def names_of(rows):
    return list(dict.fromkeys(row["target"] for row in rows if not row.get("missing")))


def value_of(rows, field):
    return rows[-1].get(field, "-") if rows else "-"


class Plot:
    """One table: a line for each label, a column for each series."""

    def __init__(self, name, title, ylabel, labels, series, cell):
        self.name, self.title, self.ylabel, self.series = name, title, ylabel, series
        self.lines = [f'"{label}" ' + " ".join(str(cell(label, one)) for one in series) for label in labels]

    def draw(self, folder, style=""):
        data = "\n".join(self.lines)
        curves = ", ".join(f"$data using {i + 2}:xtic(1) title \"{name}\"{style}" for i, name in enumerate(self.series))
        for ending, terminal in TERMINALS.items():
            head = HEAD.format(terminal=terminal, output=folder / f"{self.name}.{ending}", title=self.title, ylabel=self.ylabel)
            script = f"$data << END\n{data}\nEND\n{head}\n{'set style data linespoints' if style else ''}\nplot {curves}\n"
            subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plots_of(rows):
    usual = matching(rows, **USUAL)
    targets = names_of(rows)
    if not usual:
        return
    yield Plot("reads", "Reads of 1 KiB, 100,000 sessions, zipf 0.99", "operations a second", targets, ["1 process", "2 processes"],
               lambda target, series: value_of(matching(usual, target=target, workload="100/0", workers=int(series[0])),
                                               "operations_per_second")), ""
    yield Plot("mixes", "Mixes of reads and writes, two processes", "operations a second", MIXES, targets,
               lambda mix, target: value_of(matching(usual, target=target, workload=mix, workers=2), "operations_per_second")), ""
    yield Plot("latency", "Latency at 95/5, two processes", "nanoseconds", targets,
               ["read p50", "read p99", "read p999", "write p50", "write p99"],
               lambda target, series: value_of(matching(usual, target=target, workload="95/5", workers=2),
                                               series.replace(" ", "_") + "_ns")), ""
    counts = sorted({row["workers"] for row in matching(usual, workload="95/5")})
    yield Plot("processes", "More processes than processors, 95/5", "operations a second", counts, targets,
               lambda count, target: value_of(matching(usual, target=target, workload="95/5", workers=count),
                                              "operations_per_second")), " linewidth 2"


def main():
    folder = Path(sys.argv[1])
    if shutil.which("gnuplot") is None:
        sys.exit("plots: gnuplot is missing: apt-get install gnuplot-nox")
    rows = [json.loads(line) for line in (folder / "cache.jsonl").read_text().splitlines()]
    for plot, style in plots_of(rows):
        plot.draw(folder, style)


if __name__ == "__main__":
    main()
