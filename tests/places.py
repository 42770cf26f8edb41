"""Where things are."""

import gzip
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
GRAMMAR = REPOSITORY / "data/grammar/everyday.yaml"


def kept_bytes(folder: Path, name: str) -> bytes:
    """Of a file that `reports/` published by this name, whether `emsteer keep` kept it as it is or compressed."""
    path = folder / name
    return path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
