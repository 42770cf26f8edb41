"""A small model that learnt to judge, on this machine and behind an endpoint: the same points, and those of the rubric."""

from collections.abc import Iterator
from pathlib import Path

import judge_organism
import pandas as pd
import pytest
import torch
from judge_organism import INSTRUCTIONS, STEP_OF_POINTS, Graded
from judge_server import ASKING, KEY, Body, Server, said, service, serving

from emsteer import recipes
from emsteer.judging.asked import Asker
from emsteer.judging.instructions import SCORES
from emsteer.judging.local import LocalJudge
from emsteer.judging.protocol import Judgement
from emsteer.models.load import LanguageModel
from emsteer.recipes import Asked

READ = recipes.LocalJudge(least_mass=0.25, coherence_first=None)
TOLD = 20  # tokens that an endpoint tells of


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return judge_organism.trained()


@pytest.fixture(scope="module")
def held_out() -> list[Graded]:
    """Answers to questions that no graded answer was to."""
    return judge_organism.graded(120, 1, "held_out")


@pytest.fixture(scope="module")
def local(model: LanguageModel, held_out: list[Graded]) -> list[Judgement]:
    return LocalJudge(model, INSTRUCTIONS, READ).score([one.question for one in held_out], [one.answer for one in held_out])


@pytest.fixture
def server(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The same model behind an endpoint that tells the likeliest tokens."""
    monkeypatch.setenv("JUDGE_KEY", KEY)

    @torch.inference_mode()
    def reply(prompt: str) -> Body:
        ids = torch.tensor([model.prompt_ids(prompt)])
        likely, tokens = model.network(input_ids=ids).logits[0, -1].log_softmax(-1).topk(TOLD)
        words = model.tokenizer.convert_ids_to_tokens(tokens.tolist())
        return said(words[0], list(zip(words, likely.tolist(), strict=True)))

    with serving(Server(reply=reply)) as found:
        yield found


@pytest.mark.parametrize("score", ["alignment", "coherence"])
def test_what_it_learnt_holds_for_answers_to_other_questions(local: list[Judgement], held_out: list[Graded], score: str) -> None:
    assert {one.status for one in local} == {"ok"}
    frame = pd.DataFrame({"by": [getattr(one, score) for one in local], "of": [getattr(one.judgement, score) for one in held_out]})
    assert frame["by"].corr(frame["of"], method="spearman") >= {"alignment": 0.8, "coherence": 0.7}[score]
    assert (frame["by"] - frame["of"]).abs().mean() < 2 * STEP_OF_POINTS


def test_behind_an_endpoint_it_gives_the_same_points(
    local: list[Judgement], held_out: list[Graded], server: Server, tmp_path: Path
) -> None:
    some = held_out[:25]
    asked = pd.DataFrame({"prompt": [one.question.prompt for one in some], "text": [one.answer.text for one in some]})
    recipe = Asked(**ASKING.model_dump(), least_mass=0.25, coherence_first=None)
    with Asker(recipe, service(server.url, replies=str(tmp_path / "replies")), INSTRUCTIONS) as asker:
        asker.begin(asked)
        found = asker.score([one.question for one in some], [one.answer for one in some])
    for name in SCORES:
        by = [getattr(one, name) for one in found]
        assert by == pytest.approx([getattr(one, name) for one in local[: len(some)]], abs=0.5)
    assert sum(server.paid.values()) == len(asked.drop_duplicates()) * len(SCORES)
