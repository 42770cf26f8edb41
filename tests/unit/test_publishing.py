"""Stable names: what is published is the plan's, byte for byte, and it is said what machine computed it."""

import json
import logging
from pathlib import Path

import pytest
from study_folders import computed, planned

from emsteer import plan, publishing, records, storage


def test_publishing_is_needed_until_done_and_again_after_any_change(folder: Path) -> None:
    study_plan = planned(0, 1)
    assert not publishing.is_published(study_plan), "cells are missing"
    computed(study_plan, *publishing.PUBLISHED)
    assert not publishing.is_published(study_plan)
    assert publishing.publish(publishing.published_cells(study_plan))
    assert publishing.is_published(study_plan)
    assert publishing.publish(publishing.published_cells(study_plan)) == []
    Path("reports/tables/rates.csv").write_text("edited by hand")
    assert not publishing.is_published(study_plan)
    publishing.publish(publishing.published_cells(study_plan))
    Path("reports/index.html").unlink()
    assert not publishing.is_published(study_plan)


def test_adding_a_dose_and_taking_it_out_again_publishes_the_old_bytes(folder: Path) -> None:
    first, second = planned(0, 1), planned(0, 1, 2)
    for study_plan in (first, second):
        computed(study_plan, *publishing.PUBLISHED)
    publishing.publish(publishing.published_cells(first))
    before = storage.sha256(Path("reports"))
    publishing.publish(publishing.published_cells(second))
    assert storage.sha256(Path("reports")) != before
    assert not publishing.is_published(first)
    publishing.publish(publishing.published_cells(first))
    assert storage.sha256(Path("reports")) == before


def test_a_figure_that_the_plan_no_longer_has_leaves_reports(folder: Path) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *publishing.PUBLISHED)
    publishing.publish(publishing.published_cells(study_plan))
    Path("reports/figures/old.svg").write_text("old")
    publishing.publish(publishing.published_cells(study_plan))
    assert not Path("reports/figures/old.svg").exists()


def test_an_index_that_a_merge_left_unreadable_is_published_anew(folder: Path) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *publishing.PUBLISHED)
    publishing.publish(publishing.published_cells(study_plan))
    for text in ("<<<<<<< HEAD\n{}", "[]", '{"a": 1}'):
        publishing.INDEX.write_text(text)
        assert not publishing.is_published(study_plan)
        publishing.publish(publishing.published_cells(study_plan))
        assert publishing.is_published(study_plan)


def record(cpu: str) -> str:
    runtime = {"machine": "x86_64", "device": "cpu", "dtype": "float32", "threads": 1, "cpu": cpu, "kernels": {}}
    return json.dumps({"runtime": {**runtime, "versions": {"torch": "2.13.0"}}})


def test_the_classes_of_machines_that_computed_are_noted_and_another_class_is_said(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="emsteer")
    study_plan = planned(0, 1)
    computed(study_plan, *plan.KINDS, record=record("AVX2"))
    cells = publishing.published_cells(study_plan)
    publishing.publish(cells)
    (noted,) = storage.read_json(publishing.MADE_ON)
    assert noted["class"]["cpu"] == "AVX2" and noted["class"]["torch"] == "2.13.0" and noted["cells"] == len(study_plan.all())
    assert publishing.publish(cells) == [] and not caplog.records
    records.record_of(Path(study_plan.paths("models")[0])).write_text(record("AVX512"))
    assert publishing.publish(cells) == [publishing.MADE_ON]
    assert [entry["class"]["cpu"] for entry in storage.read_json(publishing.MADE_ON)] == ["AVX2", "AVX512"]
    assert [message.getMessage().count("another class of machine") for message in caplog.records] == [1]


def test_a_clone_without_the_cells_upstream_leaves_what_was_noted(folder: Path) -> None:
    study_plan = planned(0, 1)
    computed(study_plan, *publishing.PUBLISHED)
    cells = publishing.published_cells(study_plan)
    publishing.publish(cells)
    assert storage.read_json(publishing.MADE_ON) == [] and publishing.is_published(study_plan)
    publishing.MADE_ON.write_text('[{"class": {}, "cells": 3}]')
    assert publishing.publish(cells) == []
