"""`emsteer model fetch`, from a stand-in for the hub, by the hub's own client."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import TOKEN, Hub, serving
from tiny_models import write_folder

ID, REVISION = "someone/tiny", "0123456789abcdef0123456789abcdef01234567"
MIB = 2**20


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    """Serves the tiny model; the study in this folder names it, and its pin does not exist yet."""
    raw = yaml.safe_load(Path("params.yaml").read_text())
    entry = {"dtype": "float32", "chat": {"system": None, "thinking": None}, "pin": "data/models/tiny.json"}
    raw["models"]["tiny"] = {"kind": "huggingface", "id": ID, "revision": REVISION, **entry}
    raw["models"]["mine"] = {"kind": "folder", "path": "there", **entry}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    with serving(Hub(ID, REVISION, write_folder(folder / "of_the_hub"))) as found:
        yield found


def fetch(
    hub: Hub, name: str = "tiny", largest_file: int = resource.RLIM_INFINITY, **environment: str
) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(Path("hf").absolute()), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and key != "HTTPS_PROXY"}
    command = [Path(sys.executable).with_name("emsteer"), "model", "fetch", name]
    return subprocess.run(
        command,
        env=kept | own | environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file)),
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The message, which is all that is said."""
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr, done.stderr
    return done.stderr[done.stderr.index("ModelError") :]


def cached() -> Path:
    return Path("hf/hub") / f"models--{ID.replace('/', '--')}"


def rename(old: str, new: str) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace(old, new))


def test_a_model_is_fetched_once_and_goes_on_where_it_broke_off(hub: Hub) -> None:
    (hub.folder / "padding.model").write_bytes(bytes(12 * MIB))
    hub.breaks_after = 11 * MIB  # the client keeps what it has in pieces of 10 MB
    done = fetch(hub)
    there = cached() / "snapshots" / REVISION
    assert done.stdout.strip() == f"{there.absolute()}: here. Next: `emsteer model pin tiny`", done.stderr
    assert [line for line in hub.asked if "padding" in line] == ["GET padding.model 0", f"GET padding.model {10 * MIB}"]
    assert {path.name: path.read_bytes() for path in there.iterdir()} == hub.files()
    hub.asked.clear()
    assert fetch(hub).stdout == done.stdout and hub.asked == [], "what is there is left"


def test_a_wrong_revision_is_one_message(hub: Hub) -> None:
    hub.revision = "f" * 40
    where = f"{hub.url}/{ID}/commits/main lists those that there are."
    assert refusal(fetch(hub)) == f"ModelError: {ID} at {REVISION}: the hub has no such commit of it.\n  {where}\n"


def test_a_wrong_name_is_one_message(hub: Hub) -> None:
    rename(ID, "someone/tinny")
    assert "someone/tinny at 0123" in (said := refusal(fetch(hub))) and "the hub has no such model, or it is private" in said


def test_a_missing_token_is_one_message_and_a_token_opens(hub: Hub) -> None:
    hub.gated = True
    said = refusal(fetch(hub))
    assert "its owners want their licence accepted first" in said and f"Accept it at {hub.url}/{ID}" in said and "HF_TOKEN" in said
    assert fetch(hub, HF_TOKEN=TOKEN).returncode == 0


def test_a_model_larger_than_the_disk_is_refused_before_a_byte_comes(hub: Hub) -> None:
    hub.claims = 10**18
    said = refusal(fetch(hub))
    assert "no room in" in said and "7,000,000,000.0 GB are to come" in said and "set HF_HOME to a larger disk" in said
    assert hub.asked == []


def test_a_disk_that_fills_up_is_one_message(hub: Hub) -> None:
    """In place of the disk's end, the largest file that the process may write."""
    said = refusal(fetch(hub, largest_file=20_000))
    assert "no room in" in said and "File too large" in said and "Files that came whole are kept" in said
    assert fetch(hub).returncode == 0


def test_without_a_network_it_says_so(hub: Hub) -> None:
    assert "HF_HUB_OFFLINE is set" in refusal(fetch(hub, HF_HUB_OFFLINE="1"))
    hub.refuses_with = 451
    said = refusal(fetch(hub))
    assert "the hub did not answer as it should (" in said and "451" in said and "Try again" in said


def test_only_models_of_the_hub_are_fetched(hub: Hub) -> None:
    assert refusal(fetch(hub, "mine")).startswith(
        "ModelError: a model of kind folder is not fetched; expected one of kind huggingface"
    )
