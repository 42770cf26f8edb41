"""Figures in words: where lines start, end and are highest; numbers with their intervals; nothing is said of nothing."""

import pandas as pd
import pytest

from emsteer.figures import breadth
from emsteer.figures.words import NOTHING, along, by_place, traces

PLACE = {"panel": "model: tiny,\nas built", "benchmark": "everyday", "judge": "rubric", "metric": "on_topic_em"}


def line(x: str, values: dict[float, float], **changes: object) -> list[dict[str, object]]:
    look = {"line": "steered: trained", "shown_as": "mean of seeds", "adapter": None, "low": None, "high": None}
    return [{**PLACE, **look, x: at, "value": value, **changes} for at, value in values.items()]


def test_a_line_is_said_from_end_to_end_and_where_it_is_highest() -> None:
    base = {"line": "base", "shown_as": "base", "low": 0.01, "high": 0.1}
    rows = line("dose", {2: 0.1, 0.5: 0.02, 1: 0.4}) + line("dose", {float("nan"): 0.05}, **base)
    rows += line("dose", {1: 0.9}, line="random", shown_as="random")
    assert along("dose")(pd.DataFrame(rows)) == (
        "model: tiny, as built, on topic em: steered: trained from 2 % at 0.5 to 10 % at 2, at most 40 % at 1; base 5 % [1, 10]."
    )


@pytest.mark.parametrize(
    ("metric", "value", "said"), [("coherence", 87.4, "87 at 3"), ("margin", -0.421, "-0.42 at 3"), ("em", 0.126, "13 % at 3")]
)
def test_a_number_is_said_in_its_unit(metric: str, value: float, said: str) -> None:
    assert along("layer")(pd.DataFrame(line("layer", {3: value}, metric=metric))).endswith(f"steered: trained {said}.")


def test_an_adapter_of_one_scale_is_said_along_its_steps() -> None:
    rows = [{**row, "dose": 1.0} for row in line("steps", {4: 0.1, 32: 0.3}, line="finetuned: lora", adapter="lora")]
    assert "finetuned: lora from 10 % at 4 to 30 % at 32." in along("dose")(pd.DataFrame(rows))


def test_a_benchmark_and_judge_are_named_where_there_are_several() -> None:
    rows = pd.DataFrame(line("layer", {3: 0.5}) + line("layer", {3: 0.25}, judge="strict"))
    assert along("layer")(rows).splitlines()[1] == (
        "model: tiny, as built (everyday, judged by strict), on topic em: steered: trained 25 % at 3."
    )


def test_places_have_all_their_numbers() -> None:
    rows = [{**PLACE, "task": "money", "model": "tiny", "line": name, "value": 0.25, "low": 0.1, "high": 0.4, "n": 48}
            for name in ("base", "steered: trained")]  # fmt: skip
    assert by_place(["task", "model"])(pd.DataFrame(rows)) == (
        "money, tiny: base 25 % [10, 40], n 48; steered: trained 25 % [10, 40], n 48."
    )


def test_a_trace_is_said_on_both_axes() -> None:
    about = {**PLACE, "line": "finetuned: lora", "trace": "by step", "shown_as": "mean of seeds", "group": "off_domain"}
    ends = [{"value_in_domain": inside, "value_off_domain": outside} for inside, outside in ((0, 0.01), (0.5, 0.3), (0.9, 0.2))]
    rows = [about | values for values in ends]
    assert traces(breadth.IN, breadth.OFF)(pd.DataFrame(rows)) == (
        "model: tiny, as built, finetuned: lora by step: in-domain 0 to 90 %, off-domain 1 to 20 %, at most 30 %."
    )


@pytest.mark.parametrize("words", [along("layer"), by_place(["model"]), traces(breadth.IN, breadth.OFF)])
def test_nothing_is_said_to_be_nothing(words: object) -> None:
    columns = [*PLACE, "line", "shown_as", "group", "trace", "layer", "model", "value", "value_in_domain", "value_off_domain"]
    assert words(pd.DataFrame(columns=columns)) == NOTHING  # type: ignore[operator]
