"""Judges: anything with `score(questions, answers) -> judgements`."""
