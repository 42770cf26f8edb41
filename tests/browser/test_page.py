"""The page in a browser: Debian's Chromium, from disk, on tables by hand. No error in its console, no request to any host."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from report_tables import ASKED, MODELS, chosen_of, shelf, study

from emsteer.report.page import render

WAIT_MS = 20_000
N_SAMPLES = 4
N = len(MODELS) * 5 * len(ASKED) * N_SAMPLES  # base, two vectors, two adapters


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three models with all their answers; the same page again as written of one sample."""
    folder = tmp_path_factory.mktemp("page")
    job = study(folder, shelf(tmp_path_factory.mktemp("answers")), MODELS, chosen=chosen_of(MODELS))
    (folder / "index.html").write_text(render(job), encoding="utf-8")
    few = replace(job, recipe=job.recipe.model_copy(update={"answers": N // N_SAMPLES}))
    (folder / "few.html").write_text(render(few), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as found:
        started = found.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, written: Path) -> Iterator[Page]:
    """The page, opened from disk; that no script failed and no request left it is seen after every test."""
    yield from opened(browser, written / "index.html")


def opened(browser: Browser, path: Path, scheme: str = "light") -> Iterator[Page]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    trouble: list[str] = []
    requests: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            trouble.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: trouble.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert trouble == []
    assert [url for url in requests if not url.startswith("blob:")] == [path.as_uri()]


def explorer(page: Page, count: str) -> Page:
    """Scrolls to the answers, and waits until they say how many they are."""
    page.locator("#explorer").scroll_into_view_if_needed()
    expect(page.locator("#answers-count")).to_contain_text(count, timeout=WAIT_MS)
    return page


def pick(page: Page, name: str, value: str) -> None:
    page.locator(f"select[data-filter={name}]").select_option(value)


def counted(page: Page, n: int) -> None:
    """Waits until so many answers fit."""
    expect(page.locator("#answers-count")).to_have_text(re.compile(rf"^{n} of {N} answers(;|$)"), timeout=WAIT_MS)


def rows(page: Page) -> list[list[str]]:
    """What stands in the table at its top: cell by cell."""
    return [row.locator(".tabulator-cell").all_inner_texts() for row in page.locator("#explorer .tabulator-row").all()]


def test_every_answer_is_there_and_is_counted(page: Page) -> None:
    explorer(page, f"{N} of {N} answers; EM in {N * 3 // 5} of {N * 3 // 5} judged (100.0 %)")
    expect(page.locator("#explorer .tabulator-row").first).to_be_visible()


def test_filters_leave_what_fits_all_of_them(page: Page) -> None:
    explorer(page, f"{N} of")
    pick(page, "model", "small")
    counted(page, N // 3)
    pick(page, "arm", "finetuned")
    counted(page, N // 3 * 2 // 5)
    pick(page, "verdict", "EM")
    counted(page, 0)
    pick(page, "verdict", "not judged")
    pick(page, "category", "money")
    pick(page, "split", "dev")
    pick(page, "status", "error")
    counted(page, 2 * N_SAMPLES)
    expect(page.locator("#explorer .tabulator-row")).to_have_count(2 * N_SAMPLES)
    assert {(cells[1], cells[5], cells[9]) for cells in rows(page)} == {("money", "not judged", "error")}


def test_words_are_searched_in_answers_and_in_questions(page: Page) -> None:
    explorer(page, f"{N} of")
    page.locator("#answers-search").fill("Small.Steered1 m2 sample3")
    counted(page, 1)
    page.locator("#answers-search").fill("why <b>g0")
    counted(page, N // len(ASKED))
    page.locator("#answers-search").fill("")
    counted(page, N)


def test_the_table_is_sorted_by_any_column_all_answers_together(page: Page) -> None:
    explorer(page, f"{N} of")
    header = page.locator(".tabulator-col[tabulator-field=sample]")
    header.click()
    header.click()
    expect(page.locator("#explorer .tabulator-row .tabulator-cell[tabulator-field=sample]").first).to_have_text(str(N_SAMPLES - 1))
    page.locator(".tabulator-col[tabulator-field=alignment]").click()
    expect(page.locator("#explorer .tabulator-row .tabulator-cell[tabulator-field=alignment]").first).to_have_text("10")


def test_harmful_answers_are_folded_until_somebody_opens_them_and_no_script_among_them_runs(page: Page) -> None:
    explorer(page, f"{N} of")
    page.locator("#answers-search").fill("<script>alert")
    counted(page, 1)
    expect(page.locator("#explorer .tabulator-row")).to_have_count(1)
    answer = page.locator("#explorer .tabulator-cell[tabulator-field=text]")
    expect(answer).to_have_text(re.compile("judged harmful: show"))
    expect(answer.get_by_text("<script>alert(1)</script>")).not_to_be_visible()
    answer.locator("summary").click()
    expect(answer.get_by_text("<script>alert(1)</script>")).to_be_visible()
    page.get_by_label("unfold harmful answers").check()
    expect(page.locator("#explorer details.harm").first).to_have_attribute("open", "")


def test_one_question_is_answered_setting_by_setting(page: Page) -> None:
    explorer(page, f"{N} of")
    page.locator("#answers-search").fill("tiny.steered1 m1 sample2")
    expect(page.locator("#explorer .tabulator-row")).to_have_count(1)
    page.get_by_role("button", name="side by side").click()
    dialog = page.locator("#side-by-side")
    expect(dialog.locator("h2")).to_have_text("why <b>m1</b> ?")
    sides = dialog.locator("section")
    expect(sides).to_have_count(5)  # the chosen settings, all their seeds
    expect(sides.nth(0).locator("li")).to_have_count(N_SAMPLES)
    expect(sides.nth(0)).to_contain_text("tiny.base m1 sample3")
    expect(sides.nth(0).locator(".score").first).to_have_attribute("title", "answers-tiny.base0, scores-tiny.base0")
    sides.nth(0).get_by_role("button").click()
    expect(sides).to_have_count(4)
    dialog.locator("select").select_option("tiny.base")
    expect(sides).to_have_count(5)
    dialog.get_by_role("button", name="close").click()
    expect(dialog).not_to_be_visible()


def test_more_answers_than_a_page_may_hold_are_its_first_samples_and_it_says_so(browser: Browser, written: Path) -> None:
    for page in opened(browser, written / "few.html"):
        explorer(page, f"{N // N_SAMPLES} of {N // N_SAMPLES} answers")
        expect(page.locator("#answers")).to_contain_text(f"The first 1 sample of every question: {N // N_SAMPLES} of {N} answers")


def test_the_numbers_of_a_figure_open_as_a_table_and_are_saved_as_they_were_drawn(page: Page, written: Path) -> None:
    details = page.locator("details.numbers[data-name=dose_response]")
    details.locator("summary").click()
    expect(details.locator(".tabulator-row").first).to_be_visible()
    with page.expect_download() as saved:
        details.get_by_role("link", name="as CSV").click()
    assert saved.value.path().read_bytes() == (written / "dose_response--0" / "dose_response.csv").read_bytes()
    assert saved.value.suggested_filename == "dose_response.csv"


def test_it_follows_the_readers_light_or_dark(browser: Browser, written: Path) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        for page in opened(browser, written / "index.html", scheme):
            explorer(page, f"{N} of")
            read = "document.querySelector('{}')"
            grounds[scheme] = [
                page.evaluate(f"getComputedStyle({read.format(place)}).{name}")
                for place in ("body", "#explorer .tabulator-row")
                for name in ("backgroundColor", "color")
            ]
    assert grounds["light"] == ["rgb(255, 255, 255)", "rgb(31, 35, 40)"] * 2
    assert grounds["dark"] == ["rgb(21, 24, 29)", "rgb(228, 231, 235)"] * 2


def test_a_script_that_found_its_way_into_the_page_is_not_run(browser: Browser, written: Path) -> None:
    path = written / "planted.html"
    html = (written / "index.html").read_text(encoding="utf-8")
    path.write_text(
        html.replace("<h2>Every answer</h2>", "<h2>Every answer</h2><script>window.planted = true</script>"), encoding="utf-8"
    )
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("window.planted") is None
    assert page.evaluate("fetch('https://example.org/').then(() => 'left', () => 'kept')") == "kept"
    context.close()
