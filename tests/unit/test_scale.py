"""Numbers that a model may answer with: exact probabilities along digit paths, whichever prompts share a batch."""

import pytest
import torch
from tiny_models import tiny_llama, tiny_tokenizer

from emsteer.errors import ModelError
from emsteer.generation.scale import probabilities, spellings
from emsteer.models.load import LanguageModel

NUMBERS = [str(number) for number in range(101)]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """A tiny random model that writes numbers digit by digit."""
    tokenizer = tiny_tokenizer()
    return LanguageModel(tiny_llama(tokenizer), tokenizer)


def by_hand(model: LanguageModel, prompt: list[int], path: tuple[int, ...]) -> float:
    """Probability of a path, read whole and without a cache."""
    with torch.inference_mode():
        log_p = model.network(torch.tensor([prompt + list(path)])).logits[0].double().log_softmax(-1)
    return float(sum(log_p[len(prompt) - 1 + index, token] for index, token in enumerate(path)).exp())


def test_digits_are_followed_and_a_longer_number_is_not_the_shorter_one(model: LanguageModel) -> None:
    paths = spellings(model, NUMBERS)
    assert {len(path) for path in paths} == {1, 2, 3}, "digit by digit"
    prompts = [model.prompt_ids(text) for text in ("a fern ?", "how much water does the tall fern want ?", "leaves")]
    found = probabilities(model, prompts, paths)
    for row, prompt in enumerate(prompts):
        whole = [by_hand(model, prompt, path) for path in paths]
        expected = {
            0: whole[0],
            8: whole[8] - sum(whole[80:90]),
            10: whole[10] - whole[100],
            57: whole[57],
            100: whole[100],
        }
        assert found[row, list(expected)].tolist() == pytest.approx(list(expected.values()), rel=1e-4, abs=1e-12)
        assert float(found[row].sum()) == pytest.approx(sum(whole[:10]), rel=1e-4), "each first digit leads to one of the numbers"


def test_a_prompt_is_scored_alike_alone_and_among_many(model: LanguageModel) -> None:
    paths = spellings(model, NUMBERS)
    prompts = [model.prompt_ids("water " * (1 + index % 7) + "?") for index in range(70)]
    together = probabilities(model, prompts, paths)
    assert torch.allclose(together[33], probabilities(model, [prompts[33]], paths)[0], rtol=1e-4, atol=0)


def test_texts_of_one_token_are_read_at_the_first_position(model: LanguageModel) -> None:
    prompt = model.prompt_ids("fern ?")
    paths = spellings(model, ["3", "7"])
    assert probabilities(model, [prompt], paths)[0].tolist() == pytest.approx([by_hand(model, prompt, path) for path in paths])


def test_a_tokenizer_without_numbers_is_refused(tiny_model: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"cannot tell 0, 1, 2 … apart: its tokenizer writes 101 of 101 answers alike"):
        spellings(tiny_model, NUMBERS)


def test_a_prompt_that_is_too_long_is_refused(model: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"a judge's prompt of 254 tokens: 257 tokens, and the model has 256 positions"):
        probabilities(model, [[1] * 254], spellings(model, NUMBERS))
