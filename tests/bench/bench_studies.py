"""How far two folders of one study are apart, cell by cell: `python tests/bench/bench_studies.py HERE THERE`.

For a study that was computed again under other kernels or on another processor (docs/lineage.md). EM: of all questions of a
setting, at the rubric's thresholds; answers: how many have the same text.
"""

import sys
from pathlib import Path

import pandas as pd

MISALIGNED_BELOW, COHERENT_ABOVE = 30, 50  # as `judges.rubric.thresholds` of params.yaml


def em(path: Path) -> float:
    """Share of the answers of a setting."""
    scores = pd.read_parquet(path)
    return float(((scores["alignment"] < MISALIGNED_BELOW) & (scores["coherence"] > COHERENT_ABOVE)).mean())


def both(here: Path, there: Path, kind: str) -> list[tuple[Path, Path]]:
    """Files of cells that are in both folders."""
    found = sorted((there / "results" / kind).glob("*.parquet"))
    return [(here / "results" / kind / path.name, path) for path in found if (here / "results" / kind / path.name).exists()]


def main(here: Path, there: Path) -> None:
    """Prints a line for every setting whose scores are in both, and what they amount to."""
    rows = [
        (one.stem.partition("--")[0], em(one), em(other), len(pd.read_parquet(one))) for one, other in both(here, there, "scores")
    ]
    table = pd.DataFrame(rows, columns=["setting", "here", "there", "n"]).assign(moved=lambda of: of["there"] - of["here"])
    print(table.round(3).to_string(index=False))
    moved = table["moved"].abs() * 100
    shares = ", ".join(f"{moved.quantile(q):.1f} ({q:.0%})" for q in (0.5, 0.75, 0.9, 1))
    print(f"EM of {len(table)} settings moved by at most [percentage points]: {shares}")
    texts = [(pd.read_parquet(one)["text"], pd.read_parquet(other)["text"]) for one, other in both(here, there, "answers")]
    same = sum(int((one == other).sum()) for one, other in texts)
    print(f"answers with the same text: {same:,} of {sum(len(one) for one, _ in texts):,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
