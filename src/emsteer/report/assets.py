"""What makes the page work without anything beside it: its scripts and styles, and a policy that lets nothing else run or load.

Tabulator (MIT, © Oli Folkerd) is `tabulator-tables` of npm as published; where its files come from: `templates/THIRD_PARTY.md`.
"""

import base64
import hashlib
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("tabulator.min.js", "explorer.js")
STYLES = ("tabulator_simple.min.css", "page.css")


def scripts() -> list[str]:
    """What runs, in its order."""
    return [(TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS]


def styles() -> list[str]:
    """How it looks; ours last."""
    return [(TEMPLATES / name).read_text(encoding="utf-8") for name in STYLES]


def licence() -> str:
    """Of what is not ours in the page."""
    return (TEMPLATES / "tabulator.LICENSE").read_text(encoding="utf-8")


def policy(running: list[str]) -> str:
    """A Content-Security-Policy: these scripts run and no other, and nothing is asked of any host."""
    digests = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in running)
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
