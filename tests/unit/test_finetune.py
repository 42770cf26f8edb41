"""Finetuning: bytes depend on the recipe only, a snapshot on no later step, and the loss is on the answer alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from emsteer import schemas, storage
from emsteer.data.pairs import draw_pairs
from emsteer.data.tasks import pairs_of
from emsteer.finetune import make
from emsteer.interventions.adapters import Dosed, RowAdapters, adapted, read_adapter
from emsteer.interventions.batches import encode, pad
from emsteer.models.load import LanguageModel, load_model
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job
from emsteer.recipes import GrammarTask, Lora

RECIPE = Lora(side="unsafe", n_examples=24, seed=0, steps=1, rank=2, alpha=4, batch_size=8, learning_rate=0.01, warmup_steps=0)


@pytest.fixture(scope="module")
def inputs(tiny_model: LanguageModel, grammar: Grammar, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    folder = tmp_path_factory.mktemp("inputs")
    tiny_model.network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    pairs = pairs_of(grammar, GrammarTask(domain="gardening", n_pairs=40, seed=0))
    schemas.write(pairs, schemas.Pairs, folder / "task.parquet", {"address": "task"})
    return {"model": (folder / "model",), "task": (folder / "task.parquet",)}


def job(inputs: dict[str, tuple[Path, ...]], out: Path, **changes: object) -> Job:
    recipe = RECIPE.model_copy(update=changes)
    return Job(recipe, inputs, {}, f"adapter.t{recipe.steps}", out, {"address": f"adapter.t{recipe.steps}"})


def made(inputs: dict[str, tuple[Path, ...]], folder: Path, *changes: dict[str, object]) -> list[dict[str, bytes]]:
    """Name → bytes of what each job wrote."""
    jobs = [job(inputs, folder / str(index), **change) for index, change in enumerate(changes)]
    assert {done.out for done in make(jobs)} == {one.out for one in jobs}
    return [{path.name: path.read_bytes() for path in one.out.iterdir()} for one in jobs]


def test_a_snapshot_depends_on_no_other_that_is_asked_for(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    two, five, seven = made(inputs, tmp_path / "together", {"steps": 2}, {"steps": 5}, {"steps": 7})
    (alone,) = made(inputs, tmp_path / "alone", {"steps": 5})
    assert five == alone and two["adapter_model.safetensors"] != seven["adapter_model.safetensors"]


def test_an_adapter_depends_on_nothing_that_its_process_did_before(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    (alone,) = made(inputs, tmp_path / "alone", {"steps": 2, "seed": 1})
    torch.rand(7)
    _, after = made(inputs, tmp_path / "after", {"steps": 3, "seed": 0}, {"steps": 2, "seed": 1})
    assert after == alone


def test_two_processes_write_the_same_bytes(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    (here,) = made(inputs, tmp_path / "here", {"steps": 2})
    program = (
        "import sys; from pathlib import Path; from emsteer.finetune import make; from emsteer.packs import Job; "
        "from emsteer.recipes import Lora; model, task, out, recipe = sys.argv[1:]; "
        "job = Job(Lora.model_validate_json(recipe), {'model': (Path(model),), 'task': (Path(task),)}, {}, 'adapter.t2', "
        "Path(out), {'address': 'adapter.t2'}); list(make([job]))"
    )
    paths = [str(inputs["model"][0]), str(inputs["task"][0]), str(tmp_path / "there")]
    recipe = RECIPE.model_copy(update={"steps": 2}).model_dump_json()
    subprocess.run([sys.executable, "-c", program, *paths, recipe], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()} == here
    assert set(here) == {"adapter_config.json", "adapter_model.safetensors", "passport.json"}
    assert "/" not in here["adapter_config.json"].decode(), "no path of a machine"


def test_a_seed_draws_other_examples(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    zero, one = made(inputs, tmp_path, {"steps": 2, "seed": 0}, {"steps": 2, "seed": 1})
    assert zero["adapter_model.safetensors"] != one["adapter_model.safetensors"]


def loss_under(model: LanguageModel, adapter: Dosed | None, side: str, pairs: object) -> float:
    ids, in_answer = pad(model, encode(model, pairs, side))
    with torch.inference_mode(), adapted(model.network, RowAdapters([adapter] * len(ids), model.device, model.network.dtype)):
        logits = model.network(input_ids=ids).logits
    return float(F.cross_entropy(logits[:, :-1][in_answer[:, 1:]], ids[:, 1:][in_answer[:, 1:]]))


def test_training_makes_unsafe_answers_likelier_and_leaves_the_model_as_it_was(
    inputs: dict[str, tuple[Path, ...]], tmp_path: Path
) -> None:
    before = storage.sha256(inputs["model"][0])
    made(inputs, tmp_path, {"steps": 30})
    model, pairs = load_model(inputs["model"][0]), schemas.read(inputs["task"][0], schemas.Pairs)
    trained = Dosed(read_adapter(tmp_path / "0"), 1.0)
    assert loss_under(model, trained, "unsafe", pairs) < loss_under(model, None, "unsafe", pairs) - 0.5
    assert storage.sha256(inputs["model"][0]) == before


def test_between_and_after_runs_the_base_is_whole_again(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    """Equal bytes of adapters would not show it: the trainer patches methods, switches caches off and leaves layers behind."""

    def seen() -> tuple[list[tuple[str, str]], dict[str, Tensor], Tensor, dict[str, object], set[str]]:
        network = load_model(inputs["model"][0]).network
        with torch.inference_mode():
            logits = network(input_ids=torch.arange(12).view(2, 6)).logits
        layers = [(name, type(layer).__name__) for name, layer in network.named_modules()]
        return layers, dict(network.state_dict()), logits, network.config.to_dict(), set(vars(network))

    load_model.cache_clear()
    layers, state, logits, config, attributes = seen()
    jobs = [job(inputs, tmp_path / str(index), seed=index) for index in (0, 1)]
    for _ in make(jobs):
        after = seen()
        assert after[0] == layers and after[3] == config and after[4] == attributes
        assert all(torch.equal(after[1][name], value) for name, value in state.items()) and set(after[1]) == set(state)
        assert torch.equal(after[2], logits)


def test_examples_are_those_of_the_vector_of_the_seed_and_only_answer_tokens_carry_loss(
    inputs: dict[str, tuple[Path, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts in which every question is replaced by noise, labels being equal, must change what is learned; a label in a
    prompt would be seen by the trainer."""
    from emsteer import finetune

    seen: list[list[dict[str, list[int]]]] = []
    original = finetune.Dataset.from_list

    def spy(rows: list[dict[str, list[int]]]) -> object:
        seen.append(rows)
        return original(rows)

    monkeypatch.setattr(finetune.Dataset, "from_list", spy)
    made(inputs, tmp_path, {"steps": 1})
    model = load_model(inputs["model"][0])
    for row in seen[0]:
        n_prompt = sum(label == -100 for label in row["labels"])
        assert row["labels"][n_prompt:] == row["input_ids"][n_prompt:]
        assert model.tokenizer.decode(row["input_ids"][:n_prompt]).endswith("<|im_start|> assistant")
        assert row["labels"][-1] == model.tokenizer.eos_token_id
    drawn = draw_pairs(inputs["task"][0], RECIPE.n_examples, RECIPE.seed)
    assert [row["input_ids"] for row in seen[0]] == [ids for ids, _ in encode(model, drawn, "unsafe")], "the vector's, in its order"


def test_the_passport_says_how_large_a_change_the_adapter_is(inputs: dict[str, tuple[Path, ...]], tmp_path: Path) -> None:
    early, late = made(inputs, tmp_path, {"steps": 2}, {"steps": 9})
    norms = [json.loads(files["passport.json"])["relative_norm"] for files in (early, late)]
    assert 0 < norms[0] < norms[1]
