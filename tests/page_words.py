"""A page of the report as its reader sees it."""

import re
from html import unescape

from emsteer.report.assets import scripts


class Words:
    """What a reader sees of a page: all its text, the cells of every table row; and the tags that a browser obeys."""

    def __init__(self, html: str) -> None:
        body = re.sub(r'<script type="application/gzip"[^>]*>[A-Za-z0-9+/=]*</script>', "", html[html.index("<body>") :])
        for script in scripts():
            body = body.replace(f"<script>{script}</script>", "")
        self.tags = set(re.findall(r"<(\w+)", body))
        self.text = re.sub(r"\s+", " ", shown(body))
        (limits,) = re.findall(r'<section class="limits".*?</section>', body, re.S)
        self.limits = re.sub(r"\s+", " ", shown(limits))
        self.headings = [shown(found) for found in re.findall(r"<h2>.*?</h2>", body)]
        rows = re.findall(r"<tr>.*?</tr>", body, re.S)
        self.rows = [[re.sub(r"\s+", " ", shown(cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.S)] for row in rows]

    def chosen(self) -> dict[str, list[str]]:
        """Treatment and point → the cells of the table of chosen settings."""
        return {f"{cells[2]} {cells[3]}": cells for cells in self.rows if len(cells) == 15 and cells[0] != "model"}

    def examples(self) -> dict[str, list[str]]:
        """Category and question → what each arm said, of the last model."""
        said = {cells[0]: cells[1:] for cells in self.rows if "why" in cells[0]}
        return {question: [re.sub(r"^[a-z ]+: show", "", cell) for cell in cells] for question, cells in said.items()}


def shown(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()
