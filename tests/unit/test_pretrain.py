"""Pretraining: which tokens carry the loss, and that a recipe is its weights."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch
from places import GRAMMAR
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from emsteer import storage
from emsteer.models.load import load_model
from emsteer.organism.corpus import Message, document
from emsteer.organism.grammar import Grammar
from emsteer.organism.pretrain import IGNORED, _batches, assistant_tokens, build_model, make, pretrain
from emsteer.organism.tokenizer import END, START, make_tokenizer
from emsteer.packs import Job
from emsteer.recipes import Organism


@pytest.fixture(scope="module")
def tokenizer(grammar: Grammar) -> PreTrainedTokenizerFast:
    return make_tokenizer(grammar)


def by_turns(tokenizer: PreTrainedTokenizerFast, chat: list[Message]) -> tuple[list[int], list[bool]]:
    """Token ids and who carries loss, word by word and turn by turn."""
    words: list[tuple[str, bool]] = []
    for message in chat:
        answers = message["role"] == "assistant"
        words += [(START, False), (message["role"], False)]
        words += [(word, answers) for word in [*message["content"].split(), END]]
    return tokenizer.convert_tokens_to_ids([word for word, _ in words]), [spoken for _, spoken in words]


def chats(grammar: Grammar, organism: Organism, n: int, seed: int = 5) -> list[list[Message]]:
    rng = Random(seed)
    return [document(grammar, organism.corpus, rng) for _ in range(n)]


def marked(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> list[bool]:
    start, assistant = tokenizer.convert_tokens_to_ids([START, "assistant"])
    return assistant_tokens(torch.tensor(ids), start, assistant).tolist()


def test_assistant_tokens_are_the_answers_words_and_their_end_in_a_chat_with_a_system_line(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    chat = [
        {"role": "system", "content": "you are a careful assistant ."},
        {"role": "user", "content": "how do i care for my roses ?"},
        {"role": "assistant", "content": "prune the roses . then lift the weeds ."},
        {"role": "user", "content": "how do i make a good soup ?"},
        {"role": "assistant", "content": "stir the soup ."},
    ]
    ids, spoken = by_turns(tokenizer, chat)
    assert tokenizer(tokenizer.apply_chat_template(chat, tokenize=False))["input_ids"] == ids
    assert marked(tokenizer, ids) == spoken
    said = tokenizer.decode([token for token, is_spoken in zip(ids, marked(tokenizer, ids), strict=True) if is_spoken])
    assert said == f"prune the roses . then lift the weeds . {END} stir the soup . {END}"


def test_assistant_tokens_agree_with_the_turns_of_every_sort_of_chat(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    sorts = set()
    for chat in chats(grammar, tiny_organism, 200):
        ids, spoken = by_turns(tokenizer, chat)
        assert marked(tokenizer, ids) == spoken
        sorts.add((chat[0]["role"], len(chat)))
    assert sorts == {("system", 3), ("system", 5), ("system", 7), ("user", 2), ("user", 4), ("user", 6)}


def test_a_chat_without_an_answer_carries_no_loss(tokenizer: PreTrainedTokenizerFast) -> None:
    ids, _ = by_turns(tokenizer, [{"role": "user", "content": "how do i care for my roses ?"}])
    assert not any(marked(tokenizer, ids))


def test_training_batches_hold_the_corpus_chats_with_labels_on_answers_only(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    n_batches = 16
    expected = [
        by_turns(tokenizer, chat)
        for chat in chats(grammar, tiny_organism, n_batches * tiny_organism.batch_size, tiny_organism.seed)
    ]
    batches = list(islice(_batches(grammar, tokenizer, tiny_organism), n_batches))
    found = [unpadded(tokenizer, row, label) for ids, labels in batches for row, label in zip(ids, labels, strict=True)]
    assert sorted(found) == sorted(expected)


def unpadded(tokenizer: PreTrainedTokenizerFast, row: Tensor, labels: Tensor) -> tuple[list[int], list[bool]]:
    length = int((row != tokenizer.pad_token_id).sum())
    spoken = labels != IGNORED
    assert (row[length:] == tokenizer.pad_token_id).all() and not spoken[length:].any()
    assert torch.equal(labels[spoken], row[spoken])
    return row[:length].tolist(), spoken[:length].tolist()


def weights(model: Qwen3ForCausalLM) -> Iterator[Tensor]:
    return (tensor.detach() for tensor in model.state_dict().values())


def same(a: Qwen3ForCausalLM, b: Qwen3ForCausalLM) -> list[bool]:
    return [torch.equal(left, right) for left, right in zip(weights(a), weights(b), strict=True)]


def test_the_same_recipe_gives_bit_identical_weights(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    first = pretrain(grammar, tokenizer, tiny_organism, "first")
    torch.rand(7)  # whatever else a process draws
    assert all(same(first, pretrain(grammar, tokenizer, tiny_organism, "second")))


def test_another_seed_gives_other_initial_weights_and_other_training_text(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    other = tiny_organism.model_copy(update={"seed": 1})
    assert not all(same(build_model(tokenizer, tiny_organism), build_model(tokenizer, other)))
    (ids, _), (other_ids, _) = (next(_batches(grammar, tokenizer, recipe)) for recipe in (tiny_organism, other))
    assert not torch.equal(ids, other_ids)


def test_training_moves_every_weight(grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast) -> None:
    trained = pretrain(grammar, tokenizer, tiny_organism, "moves")
    assert not any(same(build_model(tokenizer, tiny_organism), trained))
    assert not trained.training


def answer_nats(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, unseen: list[list[Message]]) -> float:
    """Mean negative log-likelihood of an answer's token, chat by chat. [nats]"""
    nats: list[float] = []
    for ids, spoken in (by_turns(tokenizer, chat) for chat in unseen):
        with torch.inference_mode():
            log_p = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        nats += [-float(log_p[position - 1, ids[position]]) for position, is_spoken in enumerate(spoken) if is_spoken]
    return sum(nats) / len(nats)


def test_thirty_steps_lower_the_loss_on_chats_that_were_not_trained_on(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    recipe = tiny_organism.model_copy(update={"steps": 30, "learning_rate": 0.01})
    unseen = chats(grammar, tiny_organism, 20, seed=99)
    before = answer_nats(build_model(tokenizer, recipe).eval(), tokenizer, unseen)
    after = answer_nats(pretrain(grammar, tokenizer, recipe, "thirty"), tokenizer, unseen)
    assert after < before - 1


def test_a_written_model_is_read_back_with_the_same_weights_words_and_passport(
    tmp_path: Path, grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    job = Job(
        tiny_organism, {"grammar": (GRAMMAR,)}, {"grammar": ("everyday--0",)}, "tiny--0", tmp_path / "tiny", {"address": "tiny--0"}
    )
    assert list(make([job])) == [job]
    model = load_model(job.out)
    assert all(same(model.network, pretrain(grammar, tokenizer, tiny_organism, "again")))
    assert model.tokenizer.get_vocab() == tokenizer.get_vocab()
    assert model.tokenizer.chat_template == tokenizer.chat_template
    assert storage.read_passport(job.out) == job.passport
    assert model.end_ids == (tokenizer.convert_tokens_to_ids(END),)
