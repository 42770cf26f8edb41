"""What the files of the paper's six models say: how a chat is written, what ends an answer, and which weights are the text's."""

from pathlib import Path

import pytest
import torch
from families import CHAT, FAMILIES, network_like, tiny, tokenizer_like, write
from safetensors.torch import load_file, save_file

from emsteer.errors import ModelError
from emsteer.models.load import LanguageModel, load

QUESTION, ANSWER, LINE = "How do I water a fern?", "Pour it.", "Be brief."
QWEN3_5 = ("<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_start|>system\n{s}<|im_end|>\n")
LLAMA = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024"
)
PROMPTS = {  # the chat, and where a system line stands in it
    "qwen35-27b": QWEN3_5,
    "qwen35-9b": QWEN3_5,
    "qwen35-4b": QWEN3_5,
    "qwen25-32b": (
        "<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>system\n{s}<|im_end|>\n",
    ),
    "llama31-8b": (
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{q}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        LLAMA + "\n\n{s}",
    ),
    "gemma3-12b": ("{q}<end_of_turn>\n<start_of_turn>model\n", "<bos><start_of_turn>user\n{s}\n\n"),
}
WITHOUT = {  # a system line: what stands there instead
    "qwen25-32b": "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n",
    "llama31-8b": LLAMA + "\n\n",
    "gemma3-12b": "<bos><start_of_turn>user\n",
}


@pytest.fixture(scope="module", params=[*FAMILIES])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name: str, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return tiny(name, tmp_path_factory.mktemp("family") / "of")


def test_a_chat_is_written_as_the_family_writes_it_and_begins_once(name: str, model: LanguageModel) -> None:
    chat, system = PROMPTS[name]
    for line in (None, LINE):
        said = WITHOUT.get(name, "") if line is None else system.format(s=line)
        ids = model.prompt_ids(QUESTION, line)
        assert model.tokenizer.decode(ids) == said + chat.format(q=QUESTION)
        assert ids.count(model.tokenizer.bos_token_id) == (FAMILIES[name].begins is not None)


def test_an_answer_in_training_is_what_the_template_writes_after_the_prompt(name: str, model: LanguageModel) -> None:
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    whole = model.tokenizer.apply_chat_template(messages, tokenize=False, enable_thinking=False)
    trained_on = model.tokenizer.decode([*model.prompt_ids(QUESTION), *model.answer_ids(ANSWER)])
    assert str(whole).rstrip("\n") == trained_on


def test_an_answer_ends_where_the_turn_does_and_where_the_files_say(name: str, model: LanguageModel) -> None:
    family = FAMILIES[name]
    turn_end = model.tokenizer.convert_tokens_to_ids(family.turn_ends)
    assert model.turn_end_id == turn_end == model.answer_ids(ANSWER)[-1]
    assert {*model.end_ids} == {turn_end, *model.tokenizer.convert_tokens_to_ids([*family.ends])}


def test_what_is_loaded_says_what_was_written_and_sees_no_pictures_where_it_need_not(name: str, model: LanguageModel) -> None:
    written = network_like(name, tokenizer_like(name))
    ids = torch.tensor([model.prompt_ids(QUESTION)])
    with torch.inference_mode():
        assert torch.equal(model.network(input_ids=ids).logits, written(input_ids=ids).logits)
    assert model.chat == CHAT and model.d_model == 32
    seeing = any(part in weight for weight, _ in model.network.named_parameters() for part in ("visual", "vision"))
    assert seeing == (name == "gemma3-12b"), "left on the disk where transformers has a text model of the family"


def test_weights_that_are_missing_strange_or_of_another_shape_are_all_named(tmp_path: Path) -> None:
    folder = write("llama31-8b", tmp_path / "of")
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.up_proj.weight"]
    weights["model.layers.2.mlp.up_proj.weight"] = torch.zeros(8, 32)
    weights["model.layers.3.self_attn.q_norm.weight"] = torch.ones(16)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="its weights are not those of the model") as caught:
        load(folder)
    message = str(caught.value)
    assert "model.layers.1.mlp.up_proj.weight: not in the files" in message
    assert "model.layers.2.mlp.up_proj.weight: [8, 32] in the files, expected [64, 32]" in message
    assert "model.layers.3.self_attn.q_norm.weight: in the files, unknown to LlamaForCausalLM" in message
