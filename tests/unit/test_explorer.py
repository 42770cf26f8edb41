"""The answers in the page: what a browser unpacks is what the table of judged answers says, row for row."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_tables import ASKED, MODELS, shelf, study

from emsteer import schemas
from emsteer.packs import Job
from emsteer.report import assets, explorer
from emsteer.report.page import render

N_SAMPLES = 4
N = len(MODELS) * 5 * len(ASKED) * N_SAMPLES


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shelf(tmp_path_factory.mktemp("answers")) / "judged.parquet"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, judged: Path) -> Job:
    return study(tmp_path_factory.mktemp("study"), judged.parent)


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def rows_of(found: explorer.Shelf) -> pd.DataFrame:
    """The table again, from nothing but what stands in the page."""
    header: dict[str, Any] = json.loads(unpacked(found.header))
    texts = [text for chunk in found.texts for text in json.loads(unpacked(chunk))]
    content, n = unpacked(found.columns), header["n"]
    of = {name: np.frombuffer(content, f"<{kind}", n, at) for name, kind, at in (one.values() for one in header["columns"])}
    frame = pd.DataFrame([header["settings"][place] for place in of["setting"]])
    questions = pd.DataFrame([header["questions"][place] for place in of["question"]]).drop(columns="benchmark")
    flags = {name: (of["flags"] >> bit & 1).astype(bool) for bit, name in enumerate(explorer.FLAGS)}
    named = {name: [header[name][place] for place in of[name]] for name in ("status", "relation")}
    addresses = {name: [header["addresses"][place] for place in of[name]] for name in ("answers", "scores")}
    scores = {name: of[name].astype(float) for name in explorer.SCORES}
    said = {"text": [texts[place] for place in of["text"]], "sample": of["sample"].astype(int)}
    return frame.join(questions).assign(**flags, **named, **addresses, **scores, **said)


def test_the_page_holds_every_answer_as_it_was_judged(judged: Path) -> None:
    found = rows_of(explorer.shelf(judged, N, ["tiny.base"]))
    table = schemas.read(judged, schemas.Judged)
    table = table.assign(treatment=table["vector"].fillna(table["adapter"]).fillna("none"))
    columns = [name for name in found if name != "shown"]
    pd.testing.assert_frame_equal(found[columns], table[columns], check_dtype=False, check_column_type=False)
    assert len(found) == N and set(found.loc[found["shown"], "setting"]) == {"tiny.base"}


def test_a_name_without_a_seed_stands_for_the_settings_of_all_its_seeds(judged: Path) -> None:
    found = rows_of(explorer.shelf(judged, N, ["small.gardening.lora.t4.x1"]))
    assert set(found.loc[found["shown"], "setting"]) == {"small.gardening.lora.s0.t4.x1", "small.gardening.lora.s1.t4.x1"}


@pytest.mark.parametrize(("limit", "n_samples"), [(N, 4), (N - 1, 3), (N // 2, 2), (N // 4, 1), (N // 4 - 1, 0), (0, 0)])
def test_no_more_answers_than_the_limit_and_of_every_question_equally_many(judged: Path, limit: int, n_samples: int) -> None:
    found = explorer.shelf(judged, limit, [])
    assert (found.n, found.n_samples, found.n_all) == (N * n_samples // N_SAMPLES, n_samples, N)
    assert not n_samples or set(rows_of(found)["sample"]) == set(range(n_samples))


def test_texts_are_stored_once_and_in_chunks(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "TEXTS_PER_CHUNK", 100)
    found = explorer.shelf(judged, N, [])
    sizes = [len(json.loads(unpacked(chunk))) for chunk in found.texts]
    assert sum(sizes) == schemas.read(judged, schemas.Judged)["text"].nunique() and set(sizes[:-1]) == {100}


def test_no_room_for_one_sample_of_every_question_is_said(job: Job) -> None:
    html = render(replace(job, recipe=job.recipe.model_copy(update={"answers": 0})))
    assert f"None of the {N} answers stand here" in html and 'id="explorer"' not in html


def test_packed_is_the_same_each_time_and_knows_no_clock() -> None:
    packed = explorer.packed(b"harm" * 1000)
    assert packed == explorer.packed(b"harm" * 1000) and unpacked(packed) == b"harm" * 1000
    assert base64.b64decode(packed)[4:8] == bytes(4), "time of modification"


def test_no_script_but_the_pages_own_is_allowed_and_no_host_is_asked(job: Job) -> None:
    html = render(job)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    running = re.findall(r"<script>(.*?)</script>", html, re.S)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in running]
    assert len(running) == len(assets.SCRIPTS) and policy.startswith("default-src 'none'; script-src 'sha256-")
    assert re.findall(r"'sha256-([^']*)'", policy) == digests and "script-src 'unsafe" not in policy


def test_what_is_not_ours_is_what_its_table_says() -> None:
    table = (assets.TEMPLATES / "THIRD_PARTY.md").read_text(encoding="utf-8")
    listed = {
        cells[1].strip(" `"): cells[4].strip(" `")
        for line in table.splitlines()
        if "`" in (cells := [*line.split("|"), *[""] * 5])[4]
    }
    assert listed == {name: hashlib.sha256((assets.TEMPLATES / name).read_bytes()).hexdigest() for name in listed}
    assert {path.name for path in assets.TEMPLATES.glob("tabulator*")} == set(listed)
