"""Judges on this machine: a model of the study reads each rubric with question and answer, and its own probabilities score.

Nothing is sampled: the points are the mean of the numbers 0 to 100, weighted by the probability that the model begins its reply
with each (`generation.scale`). So they are for the tokenizers of Qwen and Gemma too, which write a number digit by digit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emsteer.generation.scale import probabilities, spellings
from emsteer.judging.about import About, about_of
from emsteer.judging.instructions import SCORES, Instruction, read_instruction
from emsteer.judging.points import expected, judgement
from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.scores import scored
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job

NUMBERS = range(101)
Asking = tuple[str, str, str]  # score, prompt and answer


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Scores`."""
    return scored(jobs, _judge_of)


def _judge_of(job: Job) -> "LocalJudge":
    about = about_of(job.reading("embedder")) if "embedder" in job.inputs else None
    return LocalJudge(model_of(job), {name: read_instruction(job.input(name)) for name in SCORES}, job.recipe.least_mass, about)


class LocalJudge:
    """A language model as judge."""

    def __init__(
        self, model: LanguageModel, instructions: Mapping[str, Instruction], least_mass: float, about: About | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            model: Who judges.
            instructions: Score → what it is told.
            least_mass: Probability that numbers must hold together.
            about: Texts → what each is about; None: it stays unknown.

        Raises:
            ModelError: Its tokenizer knows no numbers.
        """
        self._model, self._instructions, self._least_mass, self._about = model, instructions, least_mass, about
        self._paths = spellings(model, [str(number) for number in NUMBERS])

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Judgement]:
        """One judgement per pair, in order."""
        pairs = [(question.prompt, answer.text) for question, answer in zip(questions, answers, strict=True)]
        masses = self._masses(dict.fromkeys((name, *pair) for pair in pairs for name in SCORES))
        found = [self._judge({name: masses[name, *pair] for name in SCORES}) for pair in pairs]
        scored = [text for (_, text), one in zip(pairs, found, strict=True) if one.status == "ok"]
        about = iter(self._about(scored) if self._about else [None] * len(scored))
        return [replace(one, about=next(about)) if one.status == "ok" else one for one in found]

    def _masses(self, asked: Mapping[Asking, None]) -> dict[Asking, list[float]]:
        """What is asked → the probability of every number."""
        prompts = [self._model.prompt_ids(self._instructions[name].filled(prompt, text)) for name, prompt, text in asked]
        return dict(zip(asked, probabilities(self._model, prompts, self._paths).tolist(), strict=True)) if prompts else {}

    def _judge(self, masses: Mapping[str, list[float]]) -> Judgement:
        points = {name: expected(zip(NUMBERS, of, strict=True), self._least_mass) for name, of in masses.items()}
        told = {
            name: {"rubric": self._instructions[name].digest, "read": points[name].how, "mass": round(sum(of), 4)}
            for name, of in masses.items()
        }
        return judgement(points, told)
