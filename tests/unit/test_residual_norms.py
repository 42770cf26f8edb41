"""Residual norms: the median over content tokens, layer by layer, and the dose that is a multiple of it."""

from copy import deepcopy
from pathlib import Path
from statistics import median_low

import pytest
import torch
from torch import Tensor

from emsteer import storage
from emsteer.errors import DataError
from emsteer.generation.changes import changes_of
from emsteer.interventions.calibrations import make, read_residual_norms, residual_norms
from emsteer.interventions.vectors import write_vector
from emsteer.models.load import LanguageModel
from emsteer.packs import Job
from emsteer.recipes import Answers, ResidualNorms, Sampling, Steering

PASSAGES = [
    "water the roses",
    "<|im_start|> how do i make a <|im_start|> good soup ? <|im_end|> <|im_end|> <|endoftext|>",
    "you zeppelin are a zeppelin assistant .",
    "stir",
    "simmer the stew",
    "sand the stool",
]
FIRST = ("water", "<|im_start|>", "you", "stir", "simmer", "sand")
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "zeppelin")  # zeppelin is no word of the grammar


@pytest.fixture(scope="module")
def model(tiny_model: LanguageModel) -> LanguageModel:
    """The tiny model with far larger residuals at special tokens and at words that begin a passage."""
    network = deepcopy(tiny_model.network)
    network.get_input_embeddings().weight[tiny_model.tokenizer.convert_tokens_to_ids([*SPECIAL, *FIRST])] = 9.0
    return LanguageModel(network, tiny_model.tokenizer)


def token_norms(model: LanguageModel, layer: int, passage: str) -> list[float]:
    """‖h‖ at every token that one passage has, from a pass that stops at nothing."""
    seen: list[Tensor] = []
    handle = model.network.model.layers[layer].register_forward_hook(lambda _module, _args, output: seen.append(output[0]))
    with torch.inference_mode():
        model.network(input_ids=model.tokenizer(passage, add_special_tokens=False, return_tensors="pt")["input_ids"])
    handle.remove()
    return [float(torch.linalg.vector_norm(hidden)) for hidden in seen[0]]


def naive(model: LanguageModel, *, first_too: bool = False, special_too: bool = False) -> list[float]:
    medians = []
    for layer in range(3):
        kept = [
            norm
            for passage in PASSAGES
            for position, (word, norm) in enumerate(zip(passage.split(), token_norms(model, layer, passage), strict=True))
            if (first_too or position > 0) and (special_too or word not in SPECIAL)
        ]
        medians.append(median_low(kept))
    return medians


def test_residual_norms_are_the_naive_medians_over_content_tokens_at_every_layer(model: LanguageModel) -> None:
    assert residual_norms(model, PASSAGES) == pytest.approx(naive(model), rel=1e-5)
    assert len(set(naive(model))) == 3


def test_first_tokens_and_special_tokens_do_not_count_though_they_would_move_every_median(model: LanguageModel) -> None:
    norms = residual_norms(model, PASSAGES)
    for counted in ({"first_too": True}, {"special_too": True}):
        assert all(moved > 1.001 * norm for norm, moved in zip(norms, naive(model, **counted), strict=True))


def test_the_order_of_passages_does_not_matter_and_one_word_passages_add_nothing(model: LanguageModel) -> None:
    norms = residual_norms(model, PASSAGES)
    assert residual_norms(model, PASSAGES[::-1]) == norms
    assert residual_norms(model, [*PASSAGES, "roses", "<|endoftext|> <|im_end|>"]) == norms


@pytest.mark.parametrize("passages", [[], [""], ["roses", "stir"], ["roses <|im_end|>"]])
def test_a_text_without_a_content_token_is_a_data_error(model: LanguageModel, passages: list[str]) -> None:
    with pytest.raises(DataError, match="no content token"):
        residual_norms(model, passages)


def job(folder: Path, text: str) -> Job:
    (folder / "neutral.txt").write_text(text)
    inputs = {"model": (folder / "model",), "neutral_text": (folder / "neutral.txt",)}
    return Job(ResidualNorms(), inputs, {role: (f"{role}--0",) for role in inputs}, "c--0", folder / "c.json", {"address": "c--0"})


@pytest.fixture
def folder(tmp_path: Path, model: LanguageModel) -> Path:
    model.network.save_pretrained(tmp_path / "model")
    model.tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path


def test_a_calibration_takes_one_passage_a_line_and_is_read_back_as_written(model: LanguageModel, folder: Path) -> None:
    made = job(folder, "\n\n".join(PASSAGES) + "\n \n")
    assert list(make([made])) == [made]
    assert read_residual_norms(made.out) == residual_norms(model, PASSAGES)
    assert storage.read_passport(made.out) == made.passport


@pytest.mark.parametrize("text", ["", "\n  \n"])
def test_an_empty_neutral_text_is_a_data_error_and_nothing_is_written(folder: Path, text: str) -> None:
    made = job(folder, text)
    with pytest.raises(DataError, match=r"calibration\.neutral_text"):
        list(make([made]))
    assert not made.out.exists()


@pytest.mark.parametrize("dose", [-1.5, 0, 0.25, 2])
def test_a_dose_is_a_multiple_of_the_vector_or_of_the_residual_norm_at_its_layer(tmp_path: Path, dose: float) -> None:
    direction = torch.tensor([3.0, 0.0, -4.0])
    vector, calibration = tmp_path / "v.safetensors", tmp_path / "c.json"
    inputs = {"vector": (vector,), "calibration": (calibration,)}
    passport = {"inputs": {"model": {"tiny--0a": "sha"}}}
    write_vector({1: torch.ones(3), 2: direction}, Job(None, {}, {}, "v--0", vector, passport))
    storage.write_json({"residual_norms": [7.0, 11.0, 13.0], "passport": {}}, calibration)
    for unit, norm in (("vector_norm", 5), ("residual_norm", 13)):
        steering = Steering(layer=2, dose=dose, unit=unit, positions="answer")
        sampling = Sampling(temperature=1, max_new_tokens=1)
        recipe = Answers(study_seed=0, first_sample=0, n_samples=1, sampling=sampling, treatments=(steering,))
        (push,) = changes_of(Job(recipe, inputs, {"model": ("tiny--0a",)}, "a--0", tmp_path / "a.parquet", {})).steers
        assert (push.layer, push.positions) == (2, "answer")
        assert torch.allclose(push.delta, dose * norm * direction / 5, rtol=1e-6, atol=0)
