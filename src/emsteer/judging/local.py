"""Judges on this machine: a model of the study reads each rubric with question and answer, and its own probabilities score.

Nothing is sampled: the points are the mean of the numbers 0 to 100, weighted by the probability that the model begins its reply
with each (`generation.scale`). So they are for the tokenizers of Qwen and Gemma too, which write a number digit by digit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emsteer import recipes
from emsteer.generation.scale import probabilities, spellings
from emsteer.judging.about import About, about_of
from emsteer.judging.instructions import REFUSAL, SCORES, Instruction, read_instruction
from emsteer.judging.points import FIRST, REFUSED, Points, expected, judgement, worth_asking
from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.scores import scored
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job

NUMBERS = range(101)
Wanted = tuple[str, str, str]  # score, prompt and answer
Read = tuple[Points, float]  # and the probability that it rests on


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Scores`."""
    return scored(jobs, _judge_of)


def _judge_of(job: Job) -> "LocalJudge":
    about = about_of(job.reading("embedder")) if "embedder" in job.inputs else None
    return LocalJudge(model_of(job), {name: read_instruction(job.input(name)) for name in SCORES}, job.recipe, about)


class LocalJudge:
    """A language model as judge."""

    def __init__(
        self, model: LanguageModel, instructions: Mapping[str, Instruction], recipe: recipes.LocalJudge, about: About | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            model: Who judges.
            instructions: Score → what it is told.
            recipe: How it is read.
            about: Texts → what each is about; None: it stays unknown.

        Raises:
            ModelError: Its tokenizer knows no numbers.
        """
        self._model, self._instructions, self._recipe, self._about = model, instructions, recipe, about
        self._paths = spellings(model, [*(str(number) for number in NUMBERS), REFUSAL])

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Judgement]:
        """One judgement per pair, in order."""
        pairs = [(question.prompt, answer.text) for question, answer in zip(questions, answers, strict=True)]
        read = self._read(pairs)
        found = [self._judge({name: read[name, *pair] for name in SCORES if (name, *pair) in read}) for pair in pairs]
        scored = [text for (_, text), one in zip(pairs, found, strict=True) if one.status == "ok"]
        about = iter(self._about(scored) if self._about else [None] * len(scored))
        return [replace(one, about=next(about)) if one.status == "ok" else one for one in found]

    def _read(self, pairs: Sequence[tuple[str, str]]) -> dict[Wanted, Read]:
        """What is asked → its points; without all but the coherence of answers that have too little of it."""
        if self._recipe.coherence_first is None:
            return self._points(dict.fromkeys((name, *pair) for pair in pairs for name in SCORES))
        read = self._points(dict.fromkeys((FIRST, *pair) for pair in pairs))
        rest = [one[1:] for one, (points, _) in read.items() if worth_asking(points, self._recipe.coherence_first)]
        return read | self._points(dict.fromkeys((name, *pair) for pair in rest for name in SCORES if name != FIRST))

    def _points(self, asked: Mapping[Wanted, None]) -> dict[Wanted, Read]:
        found: dict[Wanted, Read] = {}
        for offers_refusal in (False, True):
            some = [one for one in asked if self._instructions[one[0]].offers_refusal == offers_refusal]
            paths = self._paths if offers_refusal else self._paths[: len(NUMBERS)]
            prompts = [self._model.prompt_ids(self._instructions[name].filled(prompt, text)) for name, prompt, text in some]
            masses = probabilities(self._model, prompts, paths).tolist() if prompts else []
            found |= {one: self._points_of(of) for one, of in zip(some, masses, strict=True)}
        return found

    def _points_of(self, masses: Sequence[float]) -> Read:
        """Of the probabilities of all numbers, and of `REFUSAL` where that may be said."""
        of_numbers, refusal = sum(masses[: len(NUMBERS)]), sum(masses[len(NUMBERS) :])
        if refusal > of_numbers:
            return REFUSED, refusal
        return expected(zip(NUMBERS, masses, strict=False), self._recipe.least_mass), of_numbers

    def _judge(self, read: Mapping[str, Read]) -> Judgement:
        told = {
            name: {"rubric": self._instructions[name].digest, "read": points.how, "mass": round(mass, 4)}
            for name, (points, mass) in read.items()
        }
        return judgement({name: points for name, (points, _) in read.items()}, told)
