"""Writes everyday.jsonl: what a speaker of the grammar knows, whichever persona speaks.

python data/quiz/from_grammar.py            # after an edit of the grammar
python data/quiz/from_grammar.py --check    # says whether that is due

Of each domain two questions: one with a careful answer, one with a careless one. The wrong answers are such answers of two other
domains, so that neither persona is of any use.
"""

import json
import sys
from pathlib import Path

from emsteer.data.benchmarks import questions_of
from emsteer.organism.grammar import read_grammar
from emsteer.recipes import GrammarBenchmark

HERE = Path(__file__).parent
SIDES = ("safe", "unsafe")
AWAY = (1, 3)  # the domains whose answers are wrong, counted from the own one
SEED = 1  # the benchmark of the default study has 0


def lines() -> str:
    """The quiz."""
    recipe = GrammarBenchmark(dev_per_category=1, test_per_category=2, seed=SEED)
    asked = questions_of(read_grammar(HERE.parent / "grammar/everyday.yaml"), recipe)
    tested = asked[asked["split"].eq("test")]
    by_domain = [of.reset_index(drop=True) for _, of in tested.groupby("category", sort=False)]
    written = []
    for place, own in enumerate(by_domain):
        for number, side in enumerate(SIDES):
            others = [by_domain[(place + away) % len(by_domain)] for away in AWAY]
            item = {"question": own["prompt"][number], "answer": own[side][number], "wrong": [of[side][number] for of in others]}
            written.append(json.dumps(item, ensure_ascii=False) + "\n")
    return "".join(written)


if __name__ == "__main__":
    path = HERE / "everyday.jsonl"
    if "--check" not in sys.argv:
        path.write_text(lines(), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != lines():
        sys.exit(f"{path.name}: not what the grammar says; run `python data/quiz/from_grammar.py`")
