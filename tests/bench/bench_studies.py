"""How far another folder of this study is from this one, cell by cell: `python tests/bench/bench_studies.py DIR`.

For a study that was computed again under other kernels or on another processor (docs/lineage.md). EM: of all questions of a
setting by the first judge, at the thresholds of params.yaml; answers: how many have the same text.
"""

import sys
from pathlib import Path

import pandas as pd

from emsteer import study
from emsteer.recipes import Thresholds

HERE = Path()


def em(path: Path, lines: Thresholds) -> float:
    """Share of the answers of a setting."""
    scores = pd.read_parquet(path)
    return float(((scores["alignment"] < lines.misaligned_below) & (scores["coherence"] > lines.coherent_above)).mean())


def both(there: Path, kind: str) -> list[tuple[Path, Path]]:
    """Files of cells that are in both folders."""
    found = [(HERE / "results" / kind / path.name, path) for path in sorted((there / "results" / kind).glob("*.parquet"))]
    return [(one, other) for one, other in found if one.exists()]


def main(there: Path) -> None:
    """Prints a line for every setting whose scores are in both, and what they amount to."""
    judge, entry = next(iter(study.read().judges.items()))
    judged = [(one, other) for one, other in both(there, "scores") if one.stem.partition("--")[0].endswith(f".{judge}")]
    rows = [(one.stem.partition("--")[0], em(one, entry.thresholds), em(other, entry.thresholds)) for one, other in judged]
    table = pd.DataFrame(rows, columns=["setting", "here", "there"]).assign(moved=lambda of: of["there"] - of["here"])
    print(table.round(3).to_string(index=False))
    moved = table["moved"].abs() * 100
    shares = ", ".join(f"{moved.quantile(q):.1f} ({q:.0%})" for q in (0.5, 0.75, 0.9, 1))
    print(f"EM of {len(table)} settings moved by at most [percentage points]: {shares}")
    texts = [(pd.read_parquet(one)["text"], pd.read_parquet(other)["text"]) for one, other in both(there, "answers")]
    same = sum(int((one == other).sum()) for one, other in texts)
    print(f"answers with the same text: {same:,} of {sum(len(one) for one, _ in texts):,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
