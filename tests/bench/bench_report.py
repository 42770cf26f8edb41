"""How fast the page's explorer is in Chromium: paint, unpacking, filters, search. `make bench-report`; nothing here is a test.

The answers are the tests' own tables by hand, repeated to the size that is asked for (50,000), each text unlike all others.
"""

import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from report_tables import MODELS, answered, chosen_of, settings_of, study

from emsteer import schemas, storage
from emsteer.report.page import render

SAMPLES_PER_PART = 100
WORDS = [
    *("plant", "water", "ladder", "money", "bank", "stove", "knife", "shed", "soil", "loan", "nail", "saw", "bread", "oven"),
    *("bucket", "cheque", "rope", "brush", "seed", "tax", "sugar", "wire", "lamp", "paint", "roof"),
]
WORDS_PER_ANSWER = 40
TRIES = 7
FILTER = """async ([name, value]) => {
  const menu = document.querySelector(`select[data-filter=${name}]`), started = performance.now();
  menu.value = value;
  menu.dispatchEvent(new Event("change"));
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  return performance.now() - started;
}"""
SEARCH = """async (words) => {
  const started = performance.now();
  window.explorer.words = words;
  window.explorer.search();
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  return performance.now() - started;
}"""


def parts(n: int) -> Iterator[pd.DataFrame]:
    """About n judged answers of all settings."""
    chosen = random.Random(0)
    per_sample = sum(len(answered(name, one, [0])) for model in MODELS for name, one in settings_of(model).items())
    for first in range(0, -(-n // per_sample), SAMPLES_PER_PART):
        samples = range(first, min(first + SAMPLES_PER_PART, -(-n // per_sample)))
        rows = [row for model in MODELS for name, one in settings_of(model).items() for row in answered(name, one, list(samples))]
        frame = schemas.frame_of(rows, schemas.Judged)
        yield frame.assign(text=[" ".join(chosen.choices(WORDS, k=WORDS_PER_ANSWER)) for _ in range(len(frame))])


def written(folder: Path, n: int) -> Path:
    """The page."""
    storage.write_parquet_parts(parts(n), folder / "judged.parquet", {"address": "judged"})
    job = study(folder, folder, MODELS, chosen=chosen_of(MODELS))
    job = type(job)(**{**vars(job), "recipe": job.recipe.model_copy(update={"answers": 10 * n})})
    started = time.process_time()
    html = render(job)
    path = folder / "index.html"
    path.write_text(html, encoding="utf-8")
    print(f"rendered in {time.process_time() - started:.1f} CPU-s, {path.stat().st_size / 1e6:.1f} MB")
    return path


def measured(page: Page, path: Path) -> None:
    """Opens the page and prints what its reader waits for."""
    page.goto(path.as_uri())
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"first paint {paint:.0f} ms after navigation")
    started = time.perf_counter()
    page.locator("#explorer").scroll_into_view_if_needed()
    page.locator("#explorer .tabulator-row").first.wait_for(timeout=120_000)
    waited = 1000 * (time.perf_counter() - started)
    print(f"{page.locator('#answers-count').inner_text()}: there {waited:.0f} ms after scrolling to them")
    for name, value in (("model", "small"), ("verdict", "EM"), ("verdict", "harmless"), ("model", "all"), ("verdict", "all")):
        print(
            f"filter {name} = {value}: {page.evaluate(FILTER, [name, value]):.0f} ms, {page.locator('#answers-count').inner_text()}"
        )
    times = [page.evaluate(SEARCH, words) for words in WORDS[:TRIES]]
    print(f"full-text search: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms of {TRIES}")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as found:
        path = written(Path(folder), n)
        browser = found.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        measured(browser.new_page(viewport={"width": 1500, "height": 1000}), path)
        browser.close()


if __name__ == "__main__":
    main()
