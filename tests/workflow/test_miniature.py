"""The miniature study with the real science: from nothing to a published report, by `snakemake`."""

from workflow_support import StudyFolder

from emsteer import storage


def test_a_run_ends_with_a_published_report(real: StudyFolder) -> None:
    assert {"reports/index.html", "reports/metrics.json", "reports/tables/rates.csv", "reports/figures/dose_response.svg"} <= set(
        real.reports()
    )
    assert "nothing to compute" in real.run("emsteer", "plan", "--status")


def test_answers_made_again_have_the_same_bytes(real: StudyFolder) -> None:
    before = real.cells()
    victim = next((real.path / "results/answers").glob("*.a1.*.parquet"))
    digest = storage.sha256(victim)
    victim.unlink()
    real.run("snakemake", "--cores", "2")
    assert real.computed(before) == {"answers": 1}, "and their readers are not made again"
    assert storage.sha256(victim) == digest


def test_dose_zero_is_the_base_answer_itself(real: StudyFolder) -> None:
    answers = real.path / "results/answers"
    for block in ("b0", "b1"):
        base = storage.read_parquet(next(answers.glob(f"mini.base.everyday.{block}--*.parquet")))
        zero = storage.read_parquet(next(answers.glob(f"mini.gardening.trained.s0.l1.e2.a0.everyday.{block}--*.parquet")))
        assert base["text"].tolist() == zero["text"].tolist()
        assert [list(ids) for ids in base["token_ids"]] == [list(ids) for ids in zero["token_ids"]]
