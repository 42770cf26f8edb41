"""Adapters in a mixed batch: what peft itself computes, row by row, at every scale; base rows stay what they were."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor

from emsteer.errors import ModelError
from emsteer.finetune import PROJECTIONS
from emsteer.generation.engine import PackedEngine
from emsteer.generation.rows import UNCHANGED, Changes, Completion, Row
from emsteer.generation.sampling import row_seed
from emsteer.interventions.adapters import Dosed, RowAdapters, adapted, read_adapter, relative_norm
from emsteer.interventions.hooks import Push
from emsteer.models.load import LanguageModel
from emsteer.recipes import Sampling

SAMPLED = Sampling(temperature=1, max_new_tokens=10)


def save_adapter(model: LanguageModel, folder: Path, seed: int, *, rslora: bool = False) -> Path:
    """A random adapter that moves every layer, as peft saves it."""
    torch.manual_seed(seed)
    config = LoraConfig(r=3, lora_alpha=5, target_modules=PROJECTIONS, use_rslora=rslora, task_type="CAUSAL_LM")
    tuned = get_peft_model(deepcopy(model.network), config)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    tuned.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def folders(tiny_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [save_adapter(tiny_model, tmp_path_factory.mktemp(f"adapter{seed}"), seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def ids(tiny_model: LanguageModel) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(4, len(tiny_model.tokenizer), (16, 9), generator=generator)


def logits(model: LanguageModel, ids: Tensor, dosed: list[Dosed | None]) -> Tensor:
    with torch.inference_mode(), adapted(model.network, RowAdapters(dosed, model.device, model.network.dtype)):
        return model.network(input_ids=ids).logits


def of_peft(model: LanguageModel, ids: Tensor, folder: Path, scale: float) -> Tensor:
    """Float64, by peft's own layers, its scaling multiplied."""
    tuned = PeftModel.from_pretrained(deepcopy(model.network), str(folder)).double().eval()
    for module in tuned.modules():
        if isinstance(module, LoraLayer):
            module.scaling = {name: scale * value for name, value in module.scaling.items()}
    with torch.inference_mode():
        return tuned(input_ids=ids).logits


@pytest.mark.parametrize("scale", [0.5, 1.0, -2.0])
def test_an_adapter_does_what_peft_does_at_that_scale(
    tiny_model: LanguageModel, folders: list[Path], ids: Tensor, scale: float
) -> None:
    exact = of_peft(tiny_model, ids, folders[0], scale)
    ours = logits(tiny_model, ids, [Dosed(read_adapter(folders[0]), scale)] * 16)
    base = logits(tiny_model, ids, [None] * 16)
    assert (ours.double() - exact).abs().max() < 1e-4 * exact.abs().max()
    assert (ours - base).abs().max() > 0.1


def test_rank_stabilised_scaling_is_read_from_the_configuration(tiny_model: LanguageModel, ids: Tensor, tmp_path: Path) -> None:
    folder = save_adapter(tiny_model, tmp_path / "rslora", 3, rslora=True)
    exact = of_peft(tiny_model, ids, folder, 1.0)
    ours = logits(tiny_model, ids, [Dosed(read_adapter(folder), 1.0)] * 16)
    assert (ours.double() - exact).abs().max() < 1e-4 * exact.abs().max()


def test_every_row_has_its_own_adapter_and_scale_and_base_rows_are_bit_identical(
    tiny_model: LanguageModel, folders: list[Path], ids: Tensor
) -> None:
    first, second = map(read_adapter, folders)
    dosed = [None, Dosed(first, 1.0), Dosed(second, 1.0), Dosed(first, 0.25)] * 4
    mixed = logits(tiny_model, ids, dosed)
    for index, one in enumerate(dosed):
        alone = logits(tiny_model, ids, [one] * 16)[index]
        assert torch.equal(mixed[index], alone) if one is None else torch.allclose(mixed[index], alone, atol=1e-4)
    assert not torch.allclose(mixed[1], logits(tiny_model, ids, [Dosed(second, 1.0)] * 16)[1], atol=1e-2)


def test_scale_zero_is_the_base_model_bit_by_bit(tiny_model: LanguageModel, folders: list[Path], ids: Tensor) -> None:
    zero = logits(tiny_model, ids, [Dosed(read_adapter(folders[0]), 0.0)] * 16)
    assert torch.equal(zero, logits(tiny_model, ids, [None] * 16))


def complete(model: LanguageModel, rows: list[Row]) -> list[Completion]:
    found = dict(PackedEngine(model).generate(rows, SAMPLED))
    return [found[index] for index in range(len(rows))]


def test_a_completion_under_an_adapter_is_the_same_alone_and_among_others(tiny_model: LanguageModel, folders: list[Path]) -> None:
    first, second = map(read_adapter, folders)
    push = Push(1, torch.ones(tiny_model.d_model), "answer")
    kinds = [
        UNCHANGED,
        Changes((), Dosed(first, 1.0)),
        Changes((push,)),
        Changes((), Dosed(second, 0.5)),
        Changes((push,), Dosed(first, 2.0)),
    ]
    generator = torch.Generator().manual_seed(5)
    rows = []
    for index in range(40):
        prompt = torch.randint(4, len(tiny_model.tokenizer), (4 + index % 7,), generator=generator).tolist()
        rows.append(Row(tuple(prompt), row_seed(0, f"q{index}", 0), kinds[index % 5]))
    together = complete(tiny_model, rows)
    assert complete(tiny_model, rows[::-1])[::-1] == together
    assert [complete(tiny_model, [row])[0] for row in rows] == together
    bare = complete(tiny_model, [replace(row, changes=replace(row.changes, adapter=None)) for row in rows])
    changed = {index % 5 for index, (a, b) in enumerate(zip(together, bare, strict=True)) if a != b}
    assert changed == {1, 3, 4}


def test_hooks_are_gone_after_an_exception(tiny_model: LanguageModel, folders: list[Path]) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        adapted(tiny_model.network, RowAdapters([Dosed(read_adapter(folders[0]), 1.0)], tiny_model.device, torch.float32)),
    ):
        raise ZeroDivisionError
    assert not any(module._forward_hooks for module in tiny_model.network.modules())


def test_an_adapter_of_another_model_is_refused(tiny_model: LanguageModel, folders: list[Path]) -> None:
    adapter = read_adapter(folders[0])
    alien = replace(adapter, down={f"model.layers.99.{name}": a for name, a in adapter.down.items()})
    with (
        pytest.raises(ModelError, match=r"layers that the model does not have: model\.layers\.99"),
        adapted(tiny_model.network, RowAdapters([Dosed(alien, 1.0)], tiny_model.device, torch.float32)),
    ):
        pass


def test_another_kind_of_adapter_is_refused_and_named(tiny_model: LanguageModel, tmp_path: Path) -> None:
    config = IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM")
    get_peft_model(deepcopy(tiny_model.network), config).save_pretrained(str(tmp_path / "ia3"))
    with pytest.raises(ModelError, match=r"expected a plain LoRA adapter.*IA3"):
        read_adapter(tmp_path / "ia3")
    with pytest.raises(ModelError, match="cannot be read as a peft adapter"):
        read_adapter(tmp_path)


def test_the_relative_norm_is_that_of_the_merged_weights(tiny_model: LanguageModel, folders: list[Path]) -> None:
    merged = PeftModel.from_pretrained(deepcopy(tiny_model.network), str(folders[0])).merge_and_unload()
    changed = frozen = 0.0
    for name, weight in tiny_model.network.named_parameters():
        if name.removesuffix(".weight").rpartition(".")[2] in PROJECTIONS:
            changed += float((merged.get_parameter(name) - weight).double().square().sum())
            frozen += float(weight.double().square().sum())
    assert relative_norm(tiny_model.network, read_adapter(folders[0])) == pytest.approx((changed / frozen) ** 0.5, rel=1e-4)
