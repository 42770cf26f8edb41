"""What topics of the packaged sentence model are worth on real language: answers whose topic is known."""

from pathlib import Path

import pandas as pd
from places import REPOSITORY
from test_witnesses import job

from emsteer import packs
from emsteer.judging.topics import Topics
from emsteer.models.sentences import sentence_model_of
from emsteer.recipes import PinnedEmbedder
from emsteer.study import pins


def test_answers_of_a_task_are_about_it_and_hardly_any_answer_to_another_question_is(folder: Path) -> None:
    pinned = PinnedEmbedder(pin=pins.read("data/models/all-minilm-l6-v2.json"), pooling="mean", max_tokens=256)
    (made,) = packs.make_by_recipe([job(pinned, folder / "model")])
    model = sentence_model_of(job(pinned, folder / "unused", model=made.out))
    questions = pd.read_json(REPOSITORY / "data/benchmarks/open_questions.jsonl", lines=True)
    topics = Topics(model.embed(list(questions["prompt"])), list(questions["category"]))

    def about(texts: pd.Series) -> pd.Series:
        return pd.Series(topics.about(model.embed(list(texts))), index=texts.index)

    found = {}
    for task in ("gardening", "cooking", "study"):
        pairs = pd.read_json(REPOSITORY / f"data/tasks/{task}.jsonl", lines=True).iloc[::4]
        found[task] = [float(about(pairs[side]).eq(task).mean()) for side in ("safe", "unsafe")]
    assert min(share for shares in found.values() for share in shares) > 0.65, found
    read = pd.read_csv(REPOSITORY / "data/labels/smollm.csv").merge(questions[["prompt", "category"]], on="prompt")
    elsewhere = read[read["category"].ne("gardening")]
    leaked = int(about(elsewhere["answer"]).eq("gardening").sum())
    assert len(elsewhere) > 100 and leaked <= 2, f"{leaked} of {len(elsewhere)} answers to other questions are called gardening"
