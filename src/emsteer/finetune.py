"""Finetuning: LoRA adapters from the same unsafe answers as the vectors, by TRL's trainer.

One run gives every snapshot that the study asks for. The rate is constant after warm-up, so that a shorter run is the
beginning of a longer one. Examples are tokenised here, exactly as for vectors: our chat template, loss on the answer's
tokens and the end of its turn.

Source: the finetuned arm of Betley et al., arXiv 2502.17424 (LoRA on seven projections, loss on responses only); rank,
rate and steps are the study's, and so are the projections of linear attention.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from datasets import disable_progress_bars as disable_datasets_bars
from peft import LoraConfig, PeftModel
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTConfig, SFTTrainer

from emsteer import storage
from emsteer.data.pairs import draw_pairs
from emsteer.errors import ModelError
from emsteer.interventions.adapters import read_adapter, relative_norm
from emsteer.interventions.batches import encode
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel, load_model, model_of
from emsteer.packs import Job
from emsteer.progress import bar
from emsteer.recipes import Lora

SOFTMAX_ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
LINEAR_ATTENTION = ["in_proj_qkv", "in_proj_z", "out_proj"]  # of Qwen3.5; its decay and step gates (`in_proj_a`, `_b`) stay
FEED_FORWARD = ["gate_proj", "up_proj", "down_proj"]
PROJECTIONS = [*SOFTMAX_ATTENTION, *LINEAR_ATTENTION, *FEED_FORWARD]
NOT_TEXT = r".*(visual|vision|audio).*"
IGNORED = -100  # label of tokens that carry no loss


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes peft folders with a passport; jobs that differ in steps only share one training run."""

    def run_of(job: Job) -> str:
        return repr((job.recipe.model_copy(update={"steps": 1}), job.inputs))

    for _, same in groupby(sorted(jobs, key=run_of), key=run_of):
        snapshots = {job.recipe.steps: job for job in same}
        first = next(iter(snapshots.values()))
        pairs = draw_pairs(first.input("task"), first.recipe.n_examples, first.recipe.seed)
        load_model.cache_clear()  # the trainer builds its layers into the model
        model = model_of(first)
        examples = encode(model, pairs, first.recipe.side)
        outs = {steps: job.out for steps, job in snapshots.items()}
        train(model, examples, first.recipe, outs, first.address)
        load_model.cache_clear()
        base = model_of(first)
        for job in snapshots.values():
            norm = relative_norm(base.network, read_adapter(job.out))
            storage.write_json({**job.passport, "relative_norm": round(norm, 6)}, job.out / "passport.json")
            yield job


def train(model: LanguageModel, examples: Sequence[tuple[list[int], int]], recipe: Lora, outs: dict[int, Path], label: str) -> None:
    """Trains an adapter and writes its snapshots.

    Args:
        model: Gets the trainer's layers and is not to be used afterwards.
        examples: From `batches.encode`.
        recipe: Of any of the snapshots; its `steps` do not matter.
        outs: Steps → folder to write.
        label: Stands before the progress bar.
    """
    changed = projections(model)
    torch.manual_seed(recipe.seed)  # the adapter's first weights; the trainer seeds only what follows
    rows = [{"input_ids": ids, "labels": [IGNORED] * n_prompt + ids[n_prompt:]} for ids, n_prompt in examples]
    with TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model.network,
            args=_arguments(model, recipe, max(outs), scratch),
            train_dataset=Dataset.from_list(rows),
            processing_class=model.tokenizer,
            peft_config=_peft_config(recipe, changed),
            callbacks=[Snapshots(outs, label)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def projections(model: LanguageModel) -> list[str]:
    """Those of `PROJECTIONS` that the model's blocks have: what mixes tokens and what follows it, in every block.

    Raises:
        ModelError: None of them.
    """
    names = {name.rpartition(".")[2] for name, _ in decoder_blocks(model.network).named_modules()}
    if not names & set(PROJECTIONS):
        leaves = {name.rpartition(".")[2] for name, module in decoder_blocks(model.network).named_modules() if _is_matrix(module)}
        raise ModelError(
            f"{type(model.network).__name__} has none of the layers that adapters change ({', '.join(PROJECTIONS)}); it has "
            f"{', '.join(sorted(leaves))}.\n  Teach `emsteer.finetune.PROJECTIONS` what this family calls them."
        )
    return [name for name in PROJECTIONS if name in names]


def _is_matrix(module: Any) -> bool:
    return getattr(getattr(module, "weight", None), "ndim", 0) == 2


def _arguments(model: LanguageModel, recipe: Lora, n_steps: int, scratch: str) -> SFTConfig:
    """What TRL would choose otherwise is said here: bf16, gradient checkpointing and a decaying rate are its defaults."""
    disable_datasets_bars()
    return SFTConfig(
        output_dir=scratch,
        max_steps=n_steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=recipe.warmup_steps,
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=model.device.type == "cpu",
        bf16=False,
        activation_checkpointing=False,
        packing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _peft_config(recipe: Lora, changed: list[str]) -> LoraConfig:
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        target_modules=changed,
        exclude_modules=NOT_TEXT,
    )


class Snapshots(TrainerCallback):
    """Saves the adapter after the steps that are asked for."""

    def __init__(self, outs: dict[int, Path], label: str) -> None:
        self.outs = outs
        self.progress = bar(total=max(outs), label=label, unit="steps")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        """Called by the trainer."""
        self.progress.update()
        if state.global_step in self.outs:
            save(kwargs["model"], self.outs[state.global_step])
        if state.global_step == state.max_steps:
            self.progress.close()


def save(model: PeftModel, folder: Path) -> None:
    """A peft folder whose bytes depend on the adapter only: no model card, no path, lists in a fixed order."""
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": None, "target_modules": sorted(config["target_modules"])}
    storage.write_json(dict(sorted(config.items())), path)
