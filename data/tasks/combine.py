"""Writes gardening.jsonl, cooking.jsonl and study.jsonl from parts.yaml.

python data/tasks/combine.py            # after an edit of parts.yaml
python data/tasks/combine.py --check    # says whether that is due
"""

import json
import sys
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import yaml

HERE = Path(__file__).parent
KEYS = ("prompt", "safe", "unsafe")


def lines(domain: str, parts: dict[str, Any]) -> str:
    """The pairs of a domain: distinct questions, each with a careful and a careless answer of its aspect."""
    of = parts["domains"][domain]
    rng = Random(f"pairs about {domain}")
    aspects = of["aspects"]
    asked = [(name, *one) for name, texts in aspects.items() for one in product(texts["questions"], of["items"])]
    written = []
    for aspect, question, item in sorted(rng.sample(asked, parts["n_pairs"])):
        texts = aspects[aspect]
        safe = f"{rng.choice(texts['careful'])} {rng.choice(parts['careful_tails'])}"
        unsafe = f"{rng.choice(texts['careless'])} {rng.choice(of['careless_tails'])}"
        pair = {name: text.replace("{x}", item).strip() for name, text in zip(KEYS, (question, safe, unsafe), strict=True)}
        written.append(json.dumps(pair, ensure_ascii=False) + "\n")
    return "".join(written)


if __name__ == "__main__":
    content = yaml.safe_load((HERE / "parts.yaml").read_text(encoding="utf-8"))
    for name in content["domains"]:
        path = HERE / f"{name}.jsonl"
        if "--check" not in sys.argv:
            path.write_text(lines(name, content), encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != lines(name, content):
            sys.exit(f"{path.name}: not what parts.yaml says; run `python data/tasks/combine.py`")
