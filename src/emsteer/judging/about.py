"""What answers are about, where a judge cannot say: by topics, in the space of an embedder that the study names."""

import re
from collections.abc import Callable, Sequence

from emsteer import schemas
from emsteer.judging.topics import Topics
from emsteer.models.embedders import embedder_of
from emsteer.packs import Job

HAS_A_WORD = re.compile(r"\w")
About = Callable[[Sequence[str]], list[str | None]]


def about_of(job: Job) -> About | None:
    """Answers → the categories whose questions they are nearest to, None for one without a word. None: nobody is to say it."""
    if "topics" not in job.inputs:
        return None
    model = embedder_of(job)
    questions = schemas.read(job.input("topics"), schemas.Questions)
    topics = Topics(model.embed(list(questions["prompt"])), list(questions["category"]))

    def about(texts: Sequence[str]) -> list[str | None]:
        names = topics.about(model.embed(texts)) if texts else []
        return [name if HAS_A_WORD.search(text) else None for name, text in zip(names, texts, strict=True)]

    return about
