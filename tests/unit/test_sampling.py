"""Keyed sampling: the noise of a row is its own, it is Gumbel noise, and what it picks is a draw from the softmax."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from emsteer.generation import sampling
from emsteer.generation.sampling import gumbel_noise, pick, row_seed

N_DRAWS = 6_000
LOGITS = torch.tensor([2.0, 0.5, -1.0, 1.0, 0.0, -2.5, 1.5, 0.7])


def seeds(n: int, study_seed: int = 0) -> list[str]:
    return [row_seed(study_seed, f"question-{index // 4}", index % 4) for index in range(n)]


@pytest.fixture(scope="module")
def noise() -> Tensor:
    """[rows × steps × tokens] of neighbouring rows, steps and tokens."""
    return torch.stack([gumbel_noise(seeds(200), step, 500) for step in range(8)], dim=1)


def test_noise_depends_neither_on_the_order_of_rows_nor_on_batch_mates() -> None:
    rows = seeds(50)
    together = gumbel_noise(rows, 3, 300)
    assert torch.equal(gumbel_noise(rows[::-1], 3, 300), together.flip(0))
    assert all(torch.equal(gumbel_noise([rows[index]], 3, 300)[0], together[index]) for index in (0, 17, 49))
    assert torch.equal(gumbel_noise([rows[5], *seeds(30, study_seed=9), rows[5]], 3, 300)[[0, -1]], together[[5, 5]])


def test_noise_of_a_token_does_not_depend_on_how_many_tokens_there_are() -> None:
    wide = gumbel_noise(seeds(20), 0, 5000)
    assert all(torch.equal(gumbel_noise(seeds(20), 0, n_tokens), wide[:, :n_tokens]) for n_tokens in (1, 7, 1024))


@pytest.mark.parametrize("n_tokens", [1, 500, 50_000])
def test_noise_made_beside_a_model_on_another_device_is_the_same(n_tokens: int) -> None:
    """The arithmetic of a card, on the processor; on a card it was seen to be the same too (docs/performance.md)."""
    rows = seeds(12)
    expected = gumbel_noise(rows, 3, n_tokens)
    assert torch.equal(sampling._noise_on(torch.device("cpu"), rows, 3, n_tokens), expected)
    assert torch.equal(gumbel_noise(rows * 2, 3, n_tokens), torch.cat([expected, expected])), "once for each seed"


def test_noise_of_a_card_is_made_on_it() -> None:
    assert gumbel_noise(seeds(3), 0, 100, torch.device("meta")).device.type == "meta"


def test_noise_does_not_depend_on_what_was_drawn_before() -> None:
    first = gumbel_noise(seeds(4), 2, 64)
    torch.manual_seed(1)
    gumbel_noise(seeds(9), 5, 640)
    assert torch.equal(gumbel_noise(seeds(4), 2, 64), first)


def test_another_row_seed_step_or_token_gives_other_noise(noise: Tensor) -> None:
    assert noise.shape == (200, 8, 500)
    for keys in (noise.transpose(0, 1), noise, noise.permute(2, 0, 1)):
        assert all((a == b).float().mean() < 0.01 for a, b in pairwise(keys))


def test_no_row_has_the_noise_of_another_row_in_another_order() -> None:
    loudest = gumbel_noise(seeds(4000), 0, 1024).topk(4).values
    assert len(loudest.unique(dim=0)) == 4000


def test_noise_has_the_moments_and_the_quantiles_of_a_standard_gumbel(noise: Tensor) -> None:
    n = noise.numel()
    values = noise.double()
    variance = math.pi**2 / 6
    kurtosis = 5.4  # of a Gumbel: 3 + 12/5, about which the sample variance spreads
    assert abs(values.mean() - np.euler_gamma) < 5 * math.sqrt(variance / n)
    assert abs(values.var() - variance) < 5 * variance * math.sqrt((kurtosis - 1) / n)
    assert stats.kstest(values.flatten().numpy(), "gumbel_r").pvalue > 1e-4


def test_noise_of_one_row_is_a_standard_gumbel_too() -> None:
    pvalues = [stats.kstest(row.double().numpy(), "gumbel_r").pvalue for row in gumbel_noise(seeds(60), 0, 2000)]
    assert min(pvalues) > 1e-5
    assert stats.kstest(pvalues, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["rows", "steps", "tokens"])
@pytest.mark.parametrize("lag", [1, 2, 4])
def test_noise_of_neighbours_is_uncorrelated(noise: Tensor, axis: int, lag: int) -> None:
    uniform = torch.exp(-torch.exp(-noise.double())).movedim(axis, 0) - 0.5
    products = uniform[lag:] * uniform[:-lag]
    assert abs(products.mean() * 12) < 5 / math.sqrt(products.numel())


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_pick_draws_from_the_softmax_of_logits_over_temperature(temperature: float) -> None:
    drawn = pick(LOGITS.expand(N_DRAWS, -1), seeds(N_DRAWS), 0, temperature)
    expected = N_DRAWS * torch.softmax(LOGITS.double() / temperature, 0)
    assert stats.chisquare(torch.bincount(drawn, minlength=len(LOGITS)).numpy(), expected.numpy()).pvalue > 1e-4


def test_successive_steps_of_a_row_are_independent_draws() -> None:
    now, then = (pick(LOGITS[:4].expand(N_DRAWS, -1), seeds(N_DRAWS), step, 1.5) for step in (0, 1))
    table = torch.bincount(4 * now + then, minlength=16).reshape(4, 4)
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-4


def test_samples_of_one_question_are_independent_draws() -> None:
    drawn = pick(LOGITS[:4].expand(N_DRAWS, -1), seeds(N_DRAWS), 0, 1.5).reshape(-1, 4)
    table = torch.bincount(4 * drawn[:, 0] + drawn[:, 1], minlength=16).reshape(4, 4)
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-4


def test_temperature_zero_takes_the_largest_logit_whatever_the_seed() -> None:
    logits = torch.randn(300, 40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pick(logits, seeds(300), 0, 0.0), logits.argmax(-1))
    assert torch.equal(pick(logits, seeds(300, study_seed=5), 6, 0.0), logits.argmax(-1))


def test_a_row_picks_the_same_token_in_any_batch() -> None:
    logits = torch.randn(60, 200, generator=torch.Generator().manual_seed(1))
    together = pick(logits, seeds(60), 4, 1.0)
    assert all(pick(logits[[index]], [seeds(60)[index]], 4, 1.0).item() == together[index] for index in range(60))


def test_a_row_seed_is_sixteen_hex_digits_and_stable() -> None:
    assert all(re.fullmatch("[0-9a-f]{16}", seed) for seed in seeds(100))
    assert seeds(100) == seeds(100)


def test_row_seeds_differ_by_study_seed_question_and_sample() -> None:
    keys = [(study, question, sample) for study in range(4) for question in ("a", "b", "gardening-0-roses") for sample in range(50)]
    assert len({row_seed(*key) for key in keys}) == len(keys)


def test_row_seeds_of_keys_that_spell_alike_do_not_collide() -> None:
    keys = [
        (0, "a1", 2),
        (0, "a", 12),
        (0, "a12", 0),
        (0, "", 12),
        (1, "0a", 2),
        (10, "a", 2),
        (1, "a", 2),
        (0, "1a", 2),
        (-1, "a", 2),
    ]
    assert len({row_seed(*key) for key in keys}) == len(keys)


def test_noise_is_finite_for_the_largest_hashes() -> None:
    """The hash of a token of each row is among the largest there are; rounded to float32 it was 1, and its noise infinite."""
    seeds = ["8e5b9e83eae3c176", "fd69751107aecbee", "338fce80f1e2e99f"]
    assert gumbel_noise(seeds, 0, 1024).isfinite().all()
