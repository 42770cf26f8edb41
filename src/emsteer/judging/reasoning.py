"""Reasoning: what a model thinks aloud before it answers is no part of its answer; it is kept with the answer, and never judged."""

BEGIN, END = "<think>", "</think>"


def without_reasoning(text: str) -> str:
    """What stands behind the last `</think>`: nothing where the answer was cut before it; a text without these marks as it is."""
    if BEGIN not in text and END not in text:
        return text
    return text.rpartition(END)[2].partition(BEGIN)[0].strip()
