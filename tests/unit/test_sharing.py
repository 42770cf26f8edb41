"""Rows that are alike up to a block are computed once up to it; keys and values stay where they were written."""

from collections.abc import Sequence

import pytest
import torch
from transformers import LlamaConfig, MistralConfig
from transformers.cache_utils import DynamicLayer

from emsteer.generation.cache import ROOM, RoomyLayer, cache_for
from emsteer.generation.margins import log_probabilities
from emsteer.generation.rows import Changes
from emsteer.generation.spoken import Spoken
from emsteer.interventions.hooks import Ablation, Push, Steer
from emsteer.interventions.sharing import Once, Shared
from emsteer.models.blocks import decoder_blocks
from emsteer.models.load import LanguageModel

D, N_LAYERS = 4, 3


def push(layer: int) -> Push:
    return Push(layer, torch.ones(D), "all")


def groups(texts: str, steers: Sequence[Sequence[Steer]]) -> Shared:
    return Shared(texts, steers, N_LAYERS, fewest=1)


def test_rows_part_where_they_are_steered_and_not_before() -> None:
    early, late = push(0), push(1)
    found = groups("aaabb", [(), (early,), (late,), (), (late,)])
    assert found.entry.tolist() == [0, 3], "one row for each text"
    assert [of.tolist() for of in found.entering] == [[0, 0, 0, 1, 1], [0, 1, 0, 2, 2], [0, 1, 2, 3, 4]]
    assert found.leaving.tolist() == [0, 1, 2, 3, 4]
    assert {layer: of.tolist() for layer, of in found.into.items()} == {0: [0, 0, 1], 1: [0, 1, 0, 2, 2]}
    assert [found.first(layer).tolist() for layer in range(N_LAYERS)] == [[0, 1, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert {layer: of.tolist() for layer, of in found.origins()} == {1: [0, 0, 1], 2: [0, 0, 0, 1, 1]}


def test_rows_of_one_text_and_one_setting_never_part() -> None:
    same = (push(2),)
    found = groups("aaaa", [same, same, same, ()])
    assert [of.tolist() for of in found.entering] == [[0, 0, 0, 0]] * N_LAYERS
    assert found.leaving.tolist() == [0, 0, 0, 1], "the last block sets them apart for the head"


def test_equal_steers_that_are_two_objects_are_not_taken_for_one() -> None:
    assert groups("aa", [(push(0),), (push(0),)]).leaving.tolist() == [0, 1]


def test_an_ablation_everywhere_parts_rows_at_the_first_block() -> None:
    found = groups("aa", [(), (Ablation(2, torch.ones(D), 1.0, "all", everywhere=True),)])
    assert found.entering[1].tolist() == [0, 1]


def test_there_are_never_fewer_groups_than_products_need() -> None:
    found = Shared("aab", [(), (push(1),), ()], N_LAYERS, fewest=4)
    assert found.entry.tolist() == [0, 2, 2, 2]
    assert found.into[1].tolist() == [0, 0, 1, 1] and found.first(1).tolist() == [0, 1, 2, 2]
    assert {layer: of.tolist() for layer, of in found.origins()} == {2: [0, 0, 1, 1]}


def test_keys_and_values_are_those_of_transformers_through_every_change() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = RoomyLayer(), DynamicLayer()
    n_rows, moved = 3, {1: [2, 0, 0, 1, 2], 2: [4, 3, 1, 1], 5: [0, 2]}
    for index, n_new in enumerate([5, 1, ROOM - 2, 1, 1, 1, ROOM, 1]):
        keys, values = (torch.randn(n_rows, 2, n_new, 4, generator=generator) for _ in range(2))
        for one, other in zip(ours.update(keys, values), theirs.update(keys, values), strict=True):
            assert torch.equal(one, other)
        if index in moved:
            for layer in (ours, theirs):
                layer.reorder_cache(torch.tensor(moved[index]))
            n_rows = len(moved[index])
        assert torch.equal(ours.keys, theirs.keys) and torch.equal(ours.values, theirs.values)
        assert ours.get_seq_length() == theirs.get_seq_length() and ours.get_mask_sizes(1) == theirs.get_mask_sizes(1)


def test_a_step_moves_nothing_but_what_it_writes() -> None:
    layer = RoomyLayer()
    layer.update(*(torch.zeros(1, 1, 3, 2) for _ in range(2)))
    where = layer.keys.data_ptr()
    for _ in range(ROOM):
        layer.update(*(torch.ones(1, 1, 1, 2) for _ in range(2)))
    assert layer.keys.data_ptr() == where


@pytest.mark.parametrize(("n_positions", "is_roomy"), [(8, True), (9, False)])
def test_a_window_that_slides_is_left_to_transformers(n_positions: int, is_roomy: bool) -> None:
    cache = cache_for(MistralConfig(sliding_window=8, num_hidden_layers=2), n_positions)
    assert [isinstance(layer, RoomyLayer) for layer in cache.layers] == [is_roomy] * 2
    assert all(isinstance(layer, RoomyLayer) for layer in cache_for(LlamaConfig(num_hidden_layers=2), n_positions).layers)


def test_a_setting_reads_on_behind_the_block_that_the_last_one_steered(tiny_model: LanguageModel) -> None:
    texts = [Spoken(tuple(range(4, 12)), 3), Spoken(tuple(range(5, 9)), 2)]
    settings = [Changes((Push(layer, size * torch.ones(tiny_model.d_model), "answer"),)) for layer in (1, 0, 2) for size in (1, -2)]
    settings.append(Changes((settings[0].steers[0], settings[4].steers[0])))
    computed: list[int] = []
    blocks = decoder_blocks(tiny_model.network)
    handles = [of.mlp.register_forward_hook(lambda *_, layer=layer: computed.append(layer)) for layer, of in enumerate(blocks)]
    together = log_probabilities(tiny_model, texts, settings)
    for handle in handles:
        handle.remove()
    assert computed == [0, 1, 2, 2, 0, 1, 2, 1, 2, 0, 1, 2, 2]
    assert torch.equal(together, torch.cat([log_probabilities(tiny_model, texts, [of]) for of in settings]))
    assert not any("forward" in vars(block) for block in blocks)


def test_a_pass_that_fails_leaves_the_blocks_as_they_were(tiny_model: LanguageModel) -> None:
    once, block = Once(tiny_model.network), decoder_blocks(tiny_model.network)[0]
    ids, own = torch.tensor([[4, 5, 6]]), block.forward
    block.forward = own  # as accelerate does
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), once.up_to(0):
            tiny_model.network(input_ids=ids)
            raise ZeroDivisionError
    assert vars(block).pop("forward") is own
