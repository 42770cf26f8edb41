"""How likely a model is to answer with each of some short texts, such as the numbers of a scale: without sampling, digit by digit.

Where a number is one token, one pass over the prompt says it all. Where it is several, the paths of all numbers form a tree: the
prompt is read once, and every token that begins a longer number is read behind it. The probability of `8` is then that of the token
`8`, less that of going on to `80` … `89`. What follows a number that none of the others begins with is not asked.
"""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from emsteer.errors import ModelError
from emsteer.generation.engine import MIN_ROWS
from emsteer.generation.spoken import need_finite
from emsteer.models.load import LanguageModel

ROWS_PER_BATCH = 64
Path = tuple[int, ...]


def spellings(model: LanguageModel, texts: Sequence[str]) -> list[Path]:
    """The tokens that each text is written with.

    Raises:
        ModelError: Two are written alike: the tokenizer does not know them.
    """
    paths = [tuple(model.answer_ids(text)[:-1]) for text in texts]
    if len(set(paths)) < len(paths) or () in paths:
        alike = [text for text, path in zip(texts, paths, strict=True) if not path or paths.count(path) > 1]
        raise ModelError(
            f"{model.tokenizer.name_or_path}: cannot tell {', '.join(alike[:3])} … apart: its tokenizer writes {len(alike)} of "
            f"{len(texts)} answers alike.\n  Take another model as judge."
        )
    return paths


def probabilities(model: LanguageModel, prompts: Sequence[Sequence[int]], paths: Sequence[Path]) -> Tensor:
    """Probability that the answer to a prompt begins with a path, and does not go on to a longer one of them.

    Returns:
        [prompts × paths], float64. What a row holds depends on its batch in the last bits only: give the prompts of one artifact.

    Raises:
        ModelError: A prompt is empty or too long, or the model's numbers are not finite.
    """
    longest = max(map(len, paths))
    for n_prompt in sorted({len(ids) for ids in prompts}):
        model.check_length(n_prompt and n_prompt + longest, f"a judge's prompt of {n_prompt:,} tokens")
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    found = torch.zeros(len(prompts), len(paths), dtype=torch.float64, device="cpu")
    for start in range(0, len(order), ROWS_PER_BATCH):
        chosen = order[start : start + ROWS_PER_BATCH]
        padding = [chosen[-1]] * max(0, MIN_ROWS - len(chosen))
        of_batch = _of_batch(model, [prompts[index] for index in chosen + padding], paths)
        found[chosen] = of_batch[: len(chosen)]
    return need_finite(found, model, "a judge's probabilities are")


@torch.inference_mode()
def _of_batch(model: LanguageModel, prompts: Sequence[Sequence[int]], paths: Sequence[Path]) -> Tensor:
    found = torch.zeros(len(prompts), len(paths), dtype=torch.float64, device=model.device)
    place = {path: index for index, path in enumerate(paths)}
    tree = _tree(paths)
    for node, log_p in _walk(_Read(model, prompts), (), 0.0, tree):
        for token in tree[node]:
            mass = log_p[:, token].exp()
            if (child := (*node, token)) in place:
                found[:, place[child]] += mass
            if node in place:
                found[:, place[node]] -= mass
    return found.clamp(min=0).cpu()


def _tree(paths: Sequence[Path]) -> dict[Path, list[int]]:
    """What is read behind the prompt → the tokens that may follow."""
    tree: dict[Path, dict[int, None]] = {}
    for path in paths:
        for n in range(len(path)):
            tree.setdefault(path[:n], {})[path[n]] = None
    return {node: list(following) for node, following in tree.items()}


def _walk(read: "_Read", node: Path, reached: Tensor | float, tree: dict[Path, list[int]]) -> Iterator[tuple[Path, Tensor]]:
    """Every node with the log-probability of getting there and on to each token [prompts × vocabulary]; depth first: few caches."""
    log_p = reached + read.log_p
    yield node, log_p
    for token in tree[node]:
        if (child := (*node, token)) in tree:
            yield from _walk(read.behind(token), child, log_p[:, token, None], tree)


class _Read:
    """A batch of prompts, read, with what the model holds likely behind them."""

    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        rows = [torch.tensor(list(ids), device=model.device) for ids in prompts]
        ids = pad_sequence(rows, batch_first=True, padding_value=model.pad_id, padding_side="left")
        ones = [torch.ones_like(row) for row in rows]
        self._model = model
        self._mask = pad_sequence(ones, batch_first=True, padding_side="left")
        self._cache = DynamicCache(config=model.network.config.get_text_config(decoder=True))
        self._go_on(ids, (self._mask.cumsum(-1) - 1).clamp(min=0))

    def behind(self, token: int) -> "_Read":
        """The same, and one token more."""
        longer = copy.copy(self)
        longer._cache = copy.deepcopy(self._cache)
        longer._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], dim=1)
        longer._go_on(torch.full_like(self._mask[:, :1], token), longer._mask.sum(-1, keepdim=True) - 1)
        return longer

    def _go_on(self, ids: Tensor, positions: Tensor) -> None:
        output = self._model.network(
            input_ids=ids, attention_mask=self._mask, position_ids=positions, past_key_values=self._cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        self.log_p = output.logits[:, -1].double().log_softmax(-1)
