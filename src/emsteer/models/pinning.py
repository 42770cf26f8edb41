"""`emsteer model pin`: reads a model that exists already, and says what planning needs to know of it."""

from importlib.metadata import metadata, version
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig

from emsteer.errors import ModelError
from emsteer.models import sources
from emsteer.models.load import LanguageModel, template_digest
from emsteer.recipes import ModelShape, Pin, PinnedModel, Source


def pin_of(source: Source, place: Path | None, *, speaks: bool = True) -> Pin:
    """Reads every byte of the model's files. `speaks`: it is a model that answers chats; else it is one that embeds sentences.

    Raises:
        ModelError: It is not on this machine, transformers cannot load it, or it has no chat template.
    """
    folder = sources.folder_of(source, place)
    files = {name: sources.digest_of(path) for name, path in sources.files_of(source, folder).items()}
    try:
        config = AutoConfig.from_pretrained(folder, **_how_to_read(source))
        template = template_digest(AutoTokenizer.from_pretrained(folder, **_how_to_read(source)))
        shape = shape_of(config, AutoModelForCausalLM if speaks else AutoModel)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{folder}: cannot be read as a {'causal language' if speaks else 'sentence'} model.\n  {error}"
        ) from error
    if speaks and template is None:
        raise ModelError(f"{folder}: its tokenizer has no chat template; expected a model that answers chats (an instruct model).")
    return Pin(
        **source.model_dump(include=set(Source.model_fields)),
        version=version(source.package) if source.package else None,
        files=files,
        chat_template=template if speaks else None,
        licence=_licence(source, folder),
        shape=shape,
    )


def without_weights(pinned: PinnedModel, place: Path | None) -> LanguageModel:
    """The tokenizer and chat settings of a pinned model: its `network` is None, so it reads prompts and can do nothing else."""
    folder = sources.folder_of(pinned.pin, place)
    network: Any = None
    return LanguageModel(network, AutoTokenizer.from_pretrained(folder, **_how_to_read(pinned.pin)), pinned.chat)


def _how_to_read(source: Source) -> dict[str, Any]:
    return {"local_files_only": True, **({"gguf_file": source.file} if source.file else {})}


def shape_of(config: PreTrainedConfig, auto: Any = AutoModelForCausalLM) -> ModelShape:
    """The sizes of the model of a class that a configuration describes; its weights are not read."""
    text = config.get_text_config(decoder=True)
    with torch.device("meta"):
        n_parameters = sum(parameter.numel() for parameter in auto.from_config(config).parameters())
    n_heads = text.num_attention_heads
    return ModelShape(
        n_layers=text.num_hidden_layers,
        d_model=text.hidden_size,
        n_heads=n_heads,
        n_kv_heads=getattr(text, "num_key_value_heads", None) or n_heads,
        d_head=getattr(text, "head_dim", None) or text.hidden_size // n_heads,
        d_mlp=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        n_vocabulary=text.vocab_size,
        n_positions=getattr(text, "max_position_embeddings", None),
        n_parameters=n_parameters,
    )


def _licence(source: Source, folder: Path) -> str | None:
    """As the GGUF file, the model card or the package calls it."""
    if source.kind != "gguf":
        return _of_model_card(folder / "README.md")
    from gguf import GGUFReader

    field = GGUFReader(folder / str(source.file)).get_field("general.license")
    if field:
        return str(field.contents())
    about: Any = metadata(source.package) if source.package else {}
    return about["License"] if "License" in about else None  # noqa: SIM401 (it has no `get`)


def _of_model_card(card: Path) -> str | None:
    """`license` in the front matter."""
    if not card.is_file():
        return None
    parts = card.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return None
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return None
    found = front.get("license") if isinstance(front, dict) else None
    return found if isinstance(found, str) else None
