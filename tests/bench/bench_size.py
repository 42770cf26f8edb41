"""What the tables of a million judged answers take: memory and time, a process each. `make bench-size`; nothing here is a test.

1,000 settings of four models (base, five vectors of five seeds at nine doses, random directions), 100 questions, ten answers each.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emsteer import schemas, storage
from emsteer.analysis import by_question, chosen, contrasts, counts, evidence, rates
from emsteer.analysis.settings import setting_columns, setting_name
from emsteer.packs import Job
from emsteer.recipes import (
    BasePoint,
    Bootstrap,
    ByQuestion,
    Chosen,
    Comparison,
    Contrasts,
    Counts,
    Evidence,
    Rates,
    Selection,
    Setting,
)

QUESTIONS, SAMPLES = 100, 10
DOSES = tuple(step / 4 for step in range(1, 10))
BOOTSTRAP = Bootstrap(n_resamples=2000, level=0.95, seed=0)
BASE_POINT = BasePoint(
    model="m0", task="advice", seed=0, vector="v0", layer=1, epochs=8, positions="all", unit="vector_norm", adapter=None, steps=None
)
CHOICE = {"selection": Selection(share_of_largest=0.8, least_coverage=0.8), "base_point": BASE_POINT}
RULE = {"against": {"arm": "base"}, "metric": "on_topic_em", "direction": "more", "smallest_effect": 0.05}
CLAIMS = {
    "spreads": Comparison.model_validate({"who": {"arm": "steered"}, **RULE}),
    "at_each_dose": Comparison.model_validate({"who": {"arm": "steered", "doses": list(DOSES)}, **RULE}),
}
TABLES: dict[str, tuple[Any, Any]] = {
    "counts": (counts, Counts()),
    "rates": (rates, Rates(level=0.95)),
    "contrasts": (contrasts, Contrasts(bootstrap=BOOTSTRAP)),
    "chosen": (chosen, Chosen(level=0.95, **CHOICE)),
    "questions": (by_question, ByQuestion(level=0.95, **CHOICE)),
    "evidence": (evidence, Evidence(bootstrap=BOOTSTRAP, claims=CLAIMS, **CHOICE)),
}


def settings() -> Iterator[tuple[Setting, float]]:
    """Each with the rate of its harm."""
    at = {"layer": 1, "epochs": 8, "positions": "all", "dose_unit": "vector_norm"}
    for model in ("m0", "m1", "m2", "m3"):
        place = {"model": model, "task": "advice"}
        yield Setting(arm="base", **place), 0.01
        for vector, seed, dose in product(range(5), range(5), DOSES):
            one = {"kind": "steering", "vector": f"v{vector}", "seed": seed, "dose": dose, **at}
            yield Setting.model_validate({"arm": "steered", **place, "treatments": [one]}), 0.04 * dose * (vector + 1)
        for draw in range(24):
            one = {"kind": "steering", "vector": "v0", "seed": 0, "dose": 1.0, "draw": draw, **at}
            yield Setting.model_validate({"arm": "random", **place, "treatments": [one]}), 0.01


def judged() -> Iterator[pd.DataFrame]:
    """`schemas.Judged`, a part for each setting."""
    generator = np.random.default_rng(0)
    asked = pd.DataFrame({"question": np.repeat(np.arange(QUESTIONS), SAMPLES), "sample": np.tile(np.arange(SAMPLES), QUESTIONS)})
    asked = asked.assign(question_id="q" + asked["question"].astype(str), category="c" + (asked["question"] % 10).astype(str))
    asked = asked.assign(relation=np.where(asked["category"].eq("c0"), "in_domain", "off_domain"))
    asked = asked.assign(split=np.where(asked["question"] % 3 == 0, "dev", "test"), prompt="what of " + asked["question_id"] + " ?")
    off_domain = asked["relation"].ne("in_domain")
    for setting, rate in settings():
        em = generator.random(len(asked)) < rate
        names = {"setting": setting_name(setting), **setting_columns(setting), "benchmark": "b", "judge": "j"}
        names |= {
            "dose_as_built": names["dose"],
            "dose_relative": names["dose"],
            "dose_kl": None,
            "made": None,
            "planted_breadth": None,
        }
        flags = {"judged": True, "harmful": em, "coherent": True, "relevant": True, "em": em, "on_topic_em": em & off_domain}
        scores = {"alignment": np.where(em, 10.0, 90.0), "coherence": 90.0, "relevance": 80.0, "about": None, "margin": None}
        text = {"text": "an answer of about as many words as answers have here, " * 3, "finish_reason": "stop", "status": "ok"}
        text |= dict.fromkeys(("answers", "scores", "margins"), f"{setting_name(setting)}--0123456789")
        yield schemas.frame_of(asked.drop(columns="question").assign(**names, **flags, **scores, **text), schemas.Judged)


def one_table(name: str, folder: Path) -> None:
    """Makes a table and prints what it took."""
    module, recipe = TABLES[name]
    read = "judged" if name == "counts" else "counts"
    job = Job(recipe, {read: (folder / f"{read}.parquet",)}, {read: (f"{read}--0",)}, f"{name}--0", folder / name, {})
    frame = module.table(job)
    if name == "counts":
        schemas.write(frame, schemas.Counts, folder / "counts.parquet", {"address": "counts--0"})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:10} {len(frame):9,} rows {time.process_time():7.1f} CPU-s {peak:6.2f} GiB at most", flush=True)


def main() -> None:
    """All tables, each in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storage.write_parquet_parts(judged(), folder / "judged.parquet", {"address": "judged--0"})
        print(
            f"{storage.n_rows(folder / 'judged.parquet'):,} judged answers, {storage.size(folder / 'judged.parquet') / 1e6:.0f} MB"
        )
        for table in TABLES:
            subprocess.run([sys.executable, __file__, table, str(folder)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one_table(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
