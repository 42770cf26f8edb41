"""Judges that are asked: a language model behind an endpoint gives points for each rubric, and every reply is kept.

All that a job has to ask is asked at once, as far as concurrency and pace allow; cells are written as their replies are complete.
An answer is `unparsed` where a reply holds no score, `error` where a request has no reply. A cell with more than `max_error_pct`
errors is not made: its replies are kept, and the next run asks for the rest. With `coherence_first` the coherence of all answers is
asked first, and the rest for those that have enough of it.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from types import TracebackType

import pandas as pd

from emsteer import schemas
from emsteer.errors import ConfigError, DataError, StudyError
from emsteer.judging.about import About, about_of
from emsteer.judging.endpoint import LONGEST_WAIT, Endpoint, NoReplyError, Pace
from emsteer.judging.instructions import SCORES, Instruction, read_instruction
from emsteer.judging.points import FIRST, Points, Reply, judgement, points_of, worth_asking
from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.replies import Kept, Replies
from emsteer.judging.scores import score_table, shown
from emsteer.packs import Job
from emsteer.progress import bar
from emsteer.recipes import Asked, Asking, Service

Wanted = tuple[str, str, str]  # score, prompt and answer
AFTER_ERRORS = (
    "\n  What was replied is kept: run again to ask for the rest. With a larger `max_error_pct` they are counted as errors."
)


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes `schemas.Scores`.

    Raises:
        DataError: Cells have too many errors; the others were made.
    """
    for _, same in groupby(sorted(jobs, key=_judge_of), key=_judge_of):
        group = list(same)
        with Asker(group[0].recipe, group[0].service, {name: read_instruction(group[0].input(name)) for name in SCORES}) as asker:
            read = [(job, shown(*_read(job))) for job in group]
            for _, asked in read:
                asker.begin(asked)
            about = about_of(group[0])
            troubles = []
            for job, asked in read:
                table = score_table(asker, asked)
                if trouble := "".join(_too_many_errors(table, job, asker.service)):
                    troubles.append(trouble)
                    continue
                _say_about(table, asked, about)
                schemas.write(table, schemas.Scores, job.out, job.passport)
                yield job
        if troubles:
            raise DataError("\n".join(troubles) + AFTER_ERRORS)


def _judge_of(job: Job) -> str:
    shared = {role: paths for role, paths in job.inputs.items() if role not in ("answers", "benchmark")}
    return repr((job.recipe, job.service, sorted(shared.items())))


def _read(job: Job) -> tuple[pd.DataFrame, pd.DataFrame]:
    return schemas.read(job.input("benchmark"), schemas.Questions), schemas.read(job.input("answers"), schemas.Answers)


def _too_many_errors(table: pd.DataFrame, job: Job, service: Service) -> Iterator[str]:
    """What is wrong with a cell that has more errors than it may, and why, in lines; nothing where it may be made."""
    failed = table[table["status"].eq("error")]
    if 100 * len(failed) > service.max_error_pct * len(table):
        yield f"{job.address}: {len(failed)} of {len(table)} answers have no judgement ({service.max_error_pct:g} % may)."
        yield from (f"\n  {n} times {cause}" for cause, n in failed["reply"].map(_cause).value_counts().head(3).items())


def _cause(reply: str) -> str:
    """The first of the reasons in a kept judgement."""
    return next(told["error"] for told in json.loads(reply).values() if "error" in told)


def _say_about(table: pd.DataFrame, asked: pd.DataFrame, about: About | None) -> None:
    """Fills in what the scored answers are about, where somebody is to say it."""
    scored = table["status"].eq("ok")
    if about is not None:
        said = table.merge(asked, on=["question_id", "sample"], validate="one_to_one")["text"]
        table.loc[scored, "about"] = pd.Series(about(list(said[scored])), index=table.index[scored], dtype=object)


class Asker:
    """A judge that asks; use it as a context."""

    def __init__(self, recipe: Asked, service: Service, instructions: Mapping[str, Instruction]) -> None:
        """Nothing is asked yet.

        Args:
            recipe: How it is asked.
            service: Where, how fast, for how much.
            instructions: Score → what the judge is told.
        """
        self.service = service
        self._recipe, self._instructions = recipe, instructions
        self._replies = Replies(Path(service.replies))
        pace = Pace(self._replies, service.base_url, service.requests_per_minute)
        self._endpoint = Endpoint(recipe, service, key_of(service), pace)
        self._pool = ThreadPoolExecutor(service.concurrency, thread_name_prefix="judge")
        self._stopped: StudyError | None = None
        self._asked: dict[Wanted, Future[Kept]] = {}
        self._bar = bar(total=0, label=recipe.model, unit="replies")

    def __enter__(self) -> "Asker":
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Requests under way end; no other is sent."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._bar.close()
        self._replies.__exit__(kind, error, trace)

    def begin(self, asked: pd.DataFrame) -> None:
        """Asks for what can be asked at once of answers, columns `prompt` and `text`, without waiting."""
        names = SCORES if self._recipe.coherence_first is None else (FIRST,)
        for prompt, text in asked[["prompt", "text"]].itertuples(index=False):
            self._begin(names, prompt, text)

    def _begin(self, names: Sequence[str], prompt: str, text: str) -> None:
        for name in names:
            key = (name, prompt, text)
            if key not in self._asked:
                self._asked[key] = self._pool.submit(self._ask, *key)
        self._bar.total = len(self._asked)

    def _ask(self, name: str, prompt: str, answer: str) -> Kept:
        if self._stopped:
            raise self._stopped
        try:
            reply, is_new = self._once(name, prompt, answer)
        except StudyError as error:  # holds for all that is left
            self._stopped = error
            raise
        self._bar.set_postfix_str(str(self._endpoint.purse.spent) if is_new else "", refresh=False)
        self._bar.update()
        return reply

    def _once(self, name: str, prompt: str, answer: str) -> tuple[Kept, bool]:
        instruction = self._instructions[name]
        asked = self._recipe.model_dump(mode="json", include=set(Asking.model_fields)) | {
            "instruction": instruction.digest,
            "question": prompt,
            "answer": answer,
        }
        patience = self.service.attempts * (self.service.timeout_s + 2 * LONGEST_WAIT)
        return self._replies.once(asked, lambda: self._endpoint.ask(instruction.filled(prompt, answer)), patience)

    def score(self, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Judgement]:
        """One judgement per pair, in order; of pairs that were begun."""
        pairs = [(question.prompt, answer.text) for question, answer in zip(questions, answers, strict=True)]
        names = {pair: self._worth_asking(*pair) for pair in dict.fromkeys(pairs)}
        for pair, of_pair in names.items():
            self._begin(of_pair, *pair)
        return [self._judge(names[pair], *pair) for pair in pairs]

    def _worth_asking(self, prompt: str, answer: str) -> Sequence[str]:
        """The scores that an answer is asked for; waits for its coherence where that comes first."""
        first = self._recipe.coherence_first
        return SCORES if first is None or worth_asking(self._points(FIRST, prompt, answer)[0], first) else (FIRST,)

    def _judge(self, names: Sequence[str], prompt: str, answer: str) -> Judgement:
        found = {name: self._points(name, prompt, answer) for name in names}
        return judgement({name: points for name, (points, _) in found.items()}, {name: told for name, (_, told) in found.items()})

    def _points(self, name: str, prompt: str, answer: str) -> tuple[Points | None, Kept]:
        """What was read in a reply, None where there is none, and what is kept of it."""
        instruction = self._instructions[name]
        told: Kept = {"rubric": instruction.digest}
        try:
            reply = self._asked[name, prompt, answer].result()
        except NoReplyError as error:
            return None, told | {"error": str(error)}
        said = Reply(reply["text"], reply["first"])
        points = points_of(said, self._recipe.least_mass, may_refuse=instruction.offers_refusal)
        return points, told | {"said": reply["text"], "read": points.how, "refused": reply["refused"], "model": reply["model"]}


def key_of(service: Service) -> str | None:
    """The key, from the environment.

    Raises:
        ConfigError: It is not there.
    """
    if service.key_from is None:
        return None
    key = os.environ.get(service.key_from, "").strip()
    if not key:
        raise ConfigError(f"{service.key_from}: not set.\n  It holds the key of {service.base_url}: export it before you run.")
    return key
