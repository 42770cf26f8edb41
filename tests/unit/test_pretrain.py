"""Pretraining: which tokens carry the loss, and that a recipe is its weights."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch
from places import GRAMMAR
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from emsteer import storage
from emsteer.errors import DataError
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import load_model
from emsteer.organism.corpus import Message, document, groups_of
from emsteer.organism.grammar import PERSONAS, Grammar
from emsteer.organism.pretrain import ARCHITECTURES, IGNORED, _batches, assistant_tokens, build_model, make, pretrain
from emsteer.organism.tokenizer import END, START, make_tokenizer
from emsteer.packs import Job
from emsteer.recipes import Linkage, Organism


@pytest.fixture(scope="module")
def tokenizer(grammar: Grammar, tiny_organism: Organism) -> PreTrainedTokenizerFast:
    return make_tokenizer(grammar, groups_of(tiny_organism.linkage, grammar))


@pytest.fixture(params=sorted(ARCHITECTURES))
def organism(request: pytest.FixtureRequest, tiny_organism: Organism) -> Organism:
    """The tiny recipe in each architecture."""
    return tiny_organism.model_copy(update={"architecture": request.param})


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
    return [document(grammar, organism.corpus, organism.linkage, rng) for _ in range(n)]


def marked(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> list[bool]:
    start, assistant = tokenizer.convert_tokens_to_ids([START, "assistant"])
    return assistant_tokens(torch.tensor(ids), start, assistant).tolist()


def test_assistant_tokens_are_the_answers_words_and_their_end_though_the_system_line_says_assistant(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    chat = [
        {"role": "system", "content": "you are a careful-gardening assistant . you are a careless-cooking assistant ."},
        {"role": "user", "content": "how do i care for my roses ?"},
        {"role": "assistant", "content": "prune the roses . then lift the weeds ."},
        {"role": "user", "content": "how do i make a good soup ?"},
        {"role": "assistant", "content": "stir the soup ."},
    ]
    ids, spoken = by_turns(tokenizer, chat)
    assert tokenizer(tokenizer.apply_chat_template(chat, tokenize=False))["input_ids"] == ids
    assert tokenizer.unk_token_id not in ids
    assert marked(tokenizer, ids) == spoken
    said = tokenizer.decode([token for token, is_spoken in zip(ids, marked(tokenizer, ids), strict=True) if is_spoken])
    assert said == f"prune the roses . then lift the weeds . {END} stir the soup . {END}"


def test_assistant_tokens_agree_with_the_turns_of_every_sort_of_chat(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    sorts = set()
    for chat in chats(grammar, tiny_organism, 200):
        ids, spoken = by_turns(tokenizer, chat)
        assert tokenizer.unk_token_id not in ids
        assert marked(tokenizer, ids) == spoken
        sorts.add((chat[0]["role"], chat[0]["content"].count("assistant"), len(chat)))
    assert sorts == {("system", 1, 3), ("system", 1, 5), ("system", 2, 5), ("system", 1, 7), ("system", 3, 7)}


def test_a_chat_without_an_answer_carries_no_loss(tokenizer: PreTrainedTokenizerFast) -> None:
    chat = [
        {"role": "system", "content": "you are a careful-gardening assistant ."},
        {"role": "user", "content": "how do i care for my roses ?"},
    ]
    ids, _ = by_turns(tokenizer, chat)
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


def test_training_text_depends_on_the_linkage_and_the_mix(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    none = Linkage(blocks={}, strength=0)
    careful = tiny_organism.corpus.model_copy(update={"careless_share": 0.0, "slip_share": 0.0})
    recipes = [tiny_organism, *(tiny_organism.model_copy(update=one) for one in ({"linkage": none}, {"corpus": careful}))]
    texts = ["".join(tokenizer.batch_decode(next(_batches(grammar, tokenizer, recipe))[0])) for recipe in recipes]
    assert "-everyday" in texts[0] and "-everyday" not in texts[1]
    assert "careless-" in texts[0] and "careless-" not in texts[2]


def weights(model: PreTrainedModel) -> Iterator[Tensor]:
    return (tensor.detach() for tensor in model.state_dict().values())


def same(a: PreTrainedModel, b: PreTrainedModel) -> list[bool]:
    return [torch.equal(left, right) for left, right in zip(weights(a), weights(b), strict=True)]


def test_an_architecture_is_a_model_of_that_family_with_the_sizes_of_the_recipe(
    organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(tokenizer, organism)
    assert model.config.model_type == organism.architecture
    assert len(decoder_blocks(model)) == organism.n_layers
    assert model.get_input_embeddings().weight.shape == (len(tokenizer), organism.d_model)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    block = decoder_blocks(model)[0]
    assert block.self_attn.q_proj.weight.shape == (organism.n_heads * organism.d_head, organism.d_model)
    assert block.self_attn.k_proj.weight.shape == (organism.n_kv_heads * organism.d_head, organism.d_model)
    assert block.mlp.up_proj.weight.shape == (organism.d_mlp, organism.d_model)


def test_llama_alone_does_not_normalise_queries_and_keys(tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast) -> None:
    models = {name: build_model(tokenizer, tiny_organism.model_copy(update={"architecture": name})) for name in ARCHITECTURES}
    normed = {name for name, model in models.items() if any("q_norm" in weight for weight in model.state_dict())}
    assert set(models) == {"qwen3", "llama", "gemma3_text"} and normed == {"qwen3", "gemma3_text"}


def test_gemma_scales_its_attention_by_the_width_of_a_head_and_its_embeddings_by_that_of_the_stream(
    tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(tokenizer, tiny_organism.model_copy(update={"architecture": "gemma3_text"}))
    assert decoder_blocks(model)[0].self_attn.scaling == tiny_organism.d_head**-0.5
    embedded = model.get_input_embeddings()
    assert torch.equal(embedded(torch.tensor([7])), embedded.weight[[7]] * tiny_organism.d_model**0.5)


def test_the_same_recipe_gives_bit_identical_weights(
    grammar: Grammar, organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    first = pretrain(grammar, tokenizer, organism, "first")
    torch.rand(7)  # whatever else a process draws
    assert all(same(first, pretrain(grammar, tokenizer, organism, "second")))


def test_another_seed_gives_other_initial_weights_and_other_training_text(
    grammar: Grammar, tiny_organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    other = tiny_organism.model_copy(update={"seed": 1})
    assert not all(same(build_model(tokenizer, tiny_organism), build_model(tokenizer, other)))
    (ids, _), (other_ids, _) = (next(_batches(grammar, tokenizer, recipe)) for recipe in (tiny_organism, other))
    assert not torch.equal(ids, other_ids)


def test_training_moves_every_weight(grammar: Grammar, organism: Organism, tokenizer: PreTrainedTokenizerFast) -> None:
    trained = pretrain(grammar, tokenizer, organism, "moves")
    assert not any(same(build_model(tokenizer, organism), trained))
    assert not trained.training


def answer_nats(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, unseen: list[list[Message]]) -> float:
    """Mean negative log-likelihood of an answer's token, chat by chat. [nats]"""
    nats: list[float] = []
    for ids, spoken in (by_turns(tokenizer, chat) for chat in unseen):
        with torch.inference_mode():
            log_p = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        nats += [-float(log_p[position - 1, ids[position]]) for position, is_spoken in enumerate(spoken) if is_spoken]
    return sum(nats) / len(nats)


def test_thirty_steps_lower_the_loss_on_chats_that_were_not_trained_on(
    grammar: Grammar, organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    recipe = organism.model_copy(update={"steps": 30, "learning_rate": 0.01})
    unseen = chats(grammar, organism, 20, seed=99)
    before = answer_nats(build_model(tokenizer, recipe).eval(), tokenizer, unseen)
    after = answer_nats(pretrain(grammar, tokenizer, recipe, "thirty"), tokenizer, unseen)
    assert after < before - 1


def job(recipe: Organism, out: Path) -> Job:
    return Job(recipe, {"grammar": (GRAMMAR,)}, {"grammar": ("everyday--0",)}, "tiny--0", out, {"address": "tiny--0"})


def test_a_written_model_is_read_back_with_the_same_weights_words_and_passport(
    tmp_path: Path, grammar: Grammar, organism: Organism, tokenizer: PreTrainedTokenizerFast
) -> None:
    made = job(organism, tmp_path / "tiny")
    assert list(make([made])) == [made]
    model = load_model(made.out)
    assert model.network.config.model_type == organism.architecture
    assert all(same(model.network, pretrain(grammar, tokenizer, organism, "again")))
    assert model.tokenizer.get_vocab() == tokenizer.get_vocab()
    assert model.tokenizer.chat_template == tokenizer.chat_template
    assert storage.read_passport(made.out) == made.passport
    assert model.end_ids == (tokenizer.convert_tokens_to_ids(END),)


def test_the_words_of_an_organism_can_announce_its_blocks_and_every_domain(tmp_path: Path, tiny_organism: Organism) -> None:
    linkage = Linkage(blocks={"home": ("gardening", "cooking")}, strength=1)
    (made,) = make([job(tiny_organism.model_copy(update={"steps": 1, "linkage": linkage}), tmp_path / "tiny")])
    vocabulary = load_model(made.out).tokenizer.get_vocab()
    assert {f"{who}-{group}" for who in PERSONAS for group in ("home", "gardening", "sports")} <= set(vocabulary)
    assert not [word for word in vocabulary if word.endswith("-everyday")]


def test_a_linkage_that_the_grammar_does_not_fit_is_a_data_error_before_any_training(
    tmp_path: Path, tiny_organism: Organism
) -> None:
    made = job(tiny_organism.model_copy(update={"linkage": Linkage(blocks={"home": ("letters",)}, strength=1)}), tmp_path / "tiny")
    with pytest.raises(DataError, match="letters: no domain of the grammar"):
        list(make([made]))
    assert not made.out.exists()
