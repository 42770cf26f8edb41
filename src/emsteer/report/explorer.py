"""Every answer, as the page holds it and its browser unpacks it: columns side by side, each text once, all of it compressed."""

import base64
import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from emsteer import schemas
from emsteer.analysis.settings import name_of

FLAGS = ("judged", "harmful", "coherent", "relevant", "em", "on_topic_em")  # bit by bit, as explorer.js reads them
SETTING = ("setting", "model", "task", "arm", "treatment", "benchmark", "judge")
QUESTION = ("question_id", "benchmark", "category", "split", "prompt")
SCORES = ("alignment", "coherence", "relevance")
TYPES = {  # little-endian, the wide ones first, so that every column starts at a multiple of its width
    "setting": "u4", "question": "u4", "text": "u4", "answers": "u4", "scores": "u4", **dict.fromkeys(SCORES, "f4"),
    "sample": "u2", "flags": "u1", "status": "u1", "relation": "u1",
}  # fmt: skip
TEXTS_PER_CHUNK = 5_000


@dataclass(frozen=True)
class Shelf:
    """What stands in the page: texts for script elements, and how many answers of how many they are."""

    n: int
    n_all: int
    n_samples: int
    header: str
    columns: str
    texts: list[str]


@dataclass
class _Names:
    """Keys in the order in which they were first seen."""

    places: dict[Any, int] = field(default_factory=dict)

    def of(self, keys: Sequence[Any]) -> np.ndarray:
        return np.fromiter((self.places.setdefault(key, len(self.places)) for key in keys), "u4", len(keys))


def shelf(judged: Path, limit: int, shown: Collection[str]) -> Shelf:
    """All answers, or the first samples of every question: as many as leave no more than `limit`.

    Args:
        judged: The folder of `schemas.Judged`.
        limit: Answers that a page may hold.
        shown: Names of settings, with or without a seed, that a comparison starts with.
    """
    n_samples, n_all = _fitting(judged, limit)
    named = {name: _Names() for name in ("setting", "question", "text", "address", "status", "relation")}
    starts: set[str] = set()
    parts: list[dict[str, np.ndarray]] = []
    for part in schemas.read_parts(judged, schemas.Judged):
        starts |= _starting(part, shown)
        parts.append(_placed(part[part["sample"].lt(n_samples)], named))
    columns = {name: np.concatenate([part[name] for part in parts]).astype(f"<{kind}") for name, kind in TYPES.items()}
    offsets = np.cumsum([0, *(column.nbytes for column in columns.values())]).tolist()
    header: dict[str, Any] = {
        "n": len(columns["setting"]),
        "columns": [{"name": name, "type": kind, "offset": at} for (name, kind), at in zip(TYPES.items(), offsets, strict=False)],
        "settings": [{**dict(zip(SETTING, key, strict=True)), "shown": key[0] in starts} for key in named["setting"].places],
        "questions": [dict(zip(QUESTION, key, strict=True)) for key in named["question"].places],
        **{name: list(named[name].places) for name in ("status", "relation")},
        "addresses": list(named["address"].places),
    }
    texts = list(named["text"].places)
    chunks = [texts[at : at + TEXTS_PER_CHUNK] for at in range(0, len(texts), TEXTS_PER_CHUNK)]
    joined = b"".join(column.tobytes() for column in columns.values())
    return Shelf(header["n"], n_all, n_samples, packed(_json(header)), packed(joined), [packed(_json(chunk)) for chunk in chunks])


def packed(content: bytes) -> str:
    """Compressed (gzip, the same bytes for the same content) and in letters."""
    return base64.b64encode(pa.compress(content, codec="gzip", asbytes=True)).decode("ascii")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _fitting(judged: Path, limit: int) -> tuple[int, int]:
    """(samples of every question that fit, all answers)."""
    counts: Counter[int] = Counter()
    for part in schemas.read_columns(judged, ["sample"]):
        counts.update(part["sample"].tolist())
    n, n_samples = 0, 0
    for sample in sorted(counts):
        n += counts[sample]
        if n > limit:
            break
        n_samples = sample + 1
    return n_samples, sum(counts.values())


def _starting(part: pd.DataFrame, shown: Collection[str]) -> set[str]:
    rows = part.drop_duplicates("setting").to_dict("records")
    return {row["setting"] for row in rows if {row["setting"], name_of(row, seeded=False)} & set(shown)}


def _placed(part: pd.DataFrame, named: dict[str, _Names]) -> dict[str, np.ndarray]:
    part = part.assign(treatment=part["vector"].fillna(part["adapter"]).fillna("none"))
    return {
        "setting": named["setting"].of(list(zip(*(part[name] for name in SETTING), strict=True))),
        "question": named["question"].of(list(zip(*(part[name] for name in QUESTION), strict=True))),
        **{name: named["address"].of(part[name].tolist()) for name in ("answers", "scores")},
        **{name: named[name].of(part[name].tolist()) for name in ("text", "status", "relation")},
        **{name: part[name].to_numpy("f4", na_value=np.nan) for name in SCORES},
        "sample": part["sample"].to_numpy("u2"),
        "flags": np.sum([part[name].to_numpy("u1") << place for place, name in enumerate(FLAGS)], axis=0),
    }
