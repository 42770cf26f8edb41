"""A model by what a person types: a folder, a GGUF file, or a name on the hub whose files are on this machine."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from emsteer.errors import ModelError
from emsteer.models import sources
from emsteer.models.load import LanguageModel, load, load_model
from emsteer.models.pinned import PIN, read_pinned
from emsteer.recipes import Chat, Source

OF_HUB = re.compile(r"[\w.-]+/[\w.-]+(@[0-9a-f]{40})?")


@dataclass(frozen=True)
class Speaker(LanguageModel):
    """A language model that chats in turns."""

    def chat_ids(self, messages: list[dict[str, str]]) -> list[int]:
        """Token ids of a chat, behind the model's system line, up to where the next answer begins."""
        line = [] if self.chat.system is None else [{"role": "system", "content": self.chat.system}]
        text = self._rendered([*line, *messages], add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


@dataclass(frozen=True)
class Named:
    """A model on this machine.

    Attributes:
        name: As it was typed.
        folder: With its files; of a model of a study, its artifact.
        source: What kind of files they are.
    """

    name: str
    folder: Path
    source: Source

    def load(self, dtype: str | None, chat: Chat) -> Speaker:
        """Ready to speak.

        Args:
            dtype: `float32` or `bfloat16`; None: the study's, of a model of one, else float32.
            chat: System line and thinking; what it leaves open is as the study has it, of a model of one.

        Raises:
            ModelError: Another dtype is asked of a study's model, or it cannot be loaded.
        """
        pinned = read_pinned(self.folder)
        if pinned and dtype not in (None, pinned.dtype):
            raise ModelError(
                f"{self.name}: its study has it in {pinned.dtype}, not in {dtype}.\n  Leave the dtype out, or name its files."
            )
        found = load_model(self.folder) if pinned else load(self.folder, getattr(torch, dtype or "float32"), self.source.file)
        said = {name: value for name, value in chat.model_dump().items() if value is not None}
        return Speaker(found.network, found.tokenizer, found.chat.model_copy(update=said))

    def digests(self) -> dict[str, str]:
        """File → sha256."""
        files = sources.files_of(self.source, self.folder) if not read_pinned(self.folder) else {PIN: self.folder / PIN}
        return {file: sources.digest_of(path).sha256 for file, path in files.items()}


def find(name: str) -> Named:
    """A model by what a person types.

    Args:
        name: A folder with *.safetensors, an artifact in `results/models`, a GGUF file, or `owner/name`, with `@COMMIT` or without.

    Raises:
        ModelError: It is not on this machine.
    """
    path = Path(name)
    if path.is_file() and path.suffix == ".gguf":
        return Named(name, path.parent, Source(kind="gguf", file=path.name))
    found = Named(name, path, Source(kind="folder"))
    if not path.is_dir() and OF_HUB.fullmatch(name):
        owner, _, revision = name.partition("@")
        found = replace(found, folder=sources.folder_of(Source(kind="huggingface", id=owner, revision=revision or None), None))
    elif not path.is_dir():
        raise ModelError(f"{name}: no such folder, GGUF file, or name on the hub (`owner/name`).")
    pinned = read_pinned(found.folder)
    if pinned is None:
        sources.files_of(found.source, found.folder)
    elif pinned.pin.kind != "huggingface" and pinned.pin.package is None:
        raise ModelError(
            f"{name}: only params.yaml says where its files lie on this machine.\n  Name their folder, or the GGUF file."
        )
    return found
