"""An OpenAI-compatible endpoint that judges: how it is asked, how often again, how fast, and for how much.

What a request may meet, and what follows:

again         no connection, a time-out, a reply that breaks off or is no completion, and the statuses 408, 409, 429 and 5xx:
              after a random wait below a limit that doubles, and never before the time that the endpoint names (Retry-After),
              which all other requests respect too
that one      any other refusal of a request (400, 413, 422 …), or too many attempts: `NoReplyError`, with its cause
everything    no such key, model or account, no money left, or the budget is spent: `StudyError`; requests under way end, no other
              is sent, and what was replied is kept

Nothing that is raised or logged here holds the key.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import openai
from genai_prices import Usage, calc_price
from openai.types.chat import ChatCompletion

from emsteer.errors import ConfigError, StudyError
from emsteer.judging.replies import Kept, Replies
from emsteer.recipes import Asking, Service

AGAIN = frozenset({408, 409, 429})
FOR_ALL = {401: "does not accept the key", 402: "wants money", 403: "does not allow it", 404: "knows no such model or address"}
NO_MONEY = "insufficient_quota"  # what endpoints call a 429 that no waiting mends
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # before the second attempt, at most; before any [s]
AROUND = 50  # tokens that an endpoint puts around a prompt, at most
LONGEST_CAUSE = 300  # characters


class NoReplyError(Exception):
    """One request has no reply; its text says why."""


class _TransientError(Exception):
    """An attempt that may succeed later."""

    def __init__(self, cause: str, wait: float = 0.0, *, billed: bool = False) -> None:
        super().__init__(cause)
        self.wait, self.billed = wait, billed


class Pace:
    """So many requests a minute, evenly, by all threads and processes that share a folder of replies."""

    def __init__(self, replies: Replies, name: str, per_minute: float) -> None:
        """Of what is asked.

        Args:
            replies: The folder.
            name: Of the endpoint.
            per_minute: Requests, of all who ask.
        """
        self._replies, self._name, self._apart = replies, name, 60 / per_minute

    def wait(self) -> None:
        """Until it is one's turn."""
        time.sleep(self._replies.turn(self._name, self._apart))

    def hold(self, seconds: float) -> None:
        """Nobody's turn comes before."""
        if seconds > 0:
            self._replies.hold(self._name, seconds)


@dataclass(frozen=True)
class Cost:
    """Of requests: tokens, and money where the price is known. [USD]"""

    tokens: int = 0
    money: Decimal | None = Decimal(0)

    def __add__(self, other: "Cost") -> "Cost":
        """Both."""
        money = None if self.money is None or other.money is None else self.money + other.money
        return Cost(self.tokens + other.tokens, money)

    def __str__(self) -> str:
        """As the bar shows it."""
        return f"{self.tokens:,} tokens" + ("" if self.money is None else f", {self.money:.2f} USD")


class Purse:
    """What was spent, and what requests under way may cost at most; never both together more than the budget."""

    def __init__(self, service: Service, price: Callable[[int, int], Decimal | None]) -> None:
        self._service, self._price, self._lock = service, price, threading.Lock()
        self._held, self.spent = Cost(), Cost()
        if service.budget_usd is not None and price(1, 1) is None:
            raise ConfigError(f"budget_usd: the price of this model at {service.base_url} is not known.\n  Give `budget_tokens`.")

    def cost(self, n_read: int, n_said: int) -> Cost:
        """Of one request."""
        return Cost(n_read + n_said, self._price(n_read, n_said))

    def hold(self, most: Cost) -> None:
        """Sets aside what a request may cost at most.

        Raises:
            StudyError: That is more than is left.
        """
        with self._lock:
            then, service = self.spent + self._held + most, self._service
            beyond = service.budget_tokens is not None and then.tokens > service.budget_tokens
            beyond |= service.budget_usd is not None and then.money is not None and then.money > service.budget_usd
            if beyond:
                raise StudyError(
                    f"the budget of the judge is spent: {self.spent}, and the next request may cost {most}.\n"
                    "  What was replied is kept. Raise `budget_tokens` or `budget_usd` in params.yaml and run again."
                )
            self._held += most

    def settle(self, most: Cost, paid: Cost) -> None:
        """A request has ended."""
        with self._lock:
            self._held = Cost(self._held.tokens - most.tokens, _less(self._held.money, most.money))
            self.spent += paid


def _less(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one - other


class Endpoint:
    """A judge behind HTTP. Safe to use from many threads."""

    def __init__(self, asking: Asking, service: Service, key: str | None, pace: Pace) -> None:
        """Nothing is sent yet.

        Args:
            asking: The model, and how it is asked.
            service: Where, how fast, for how much.
            key: Sent with every request; None: the endpoint wants none.
            pace: Of all who ask there.
        """
        self._asking, self._service = asking, service
        self._secret = key
        self._client = openai.OpenAI(api_key=key or "none", base_url=service.base_url, timeout=service.timeout_s, max_retries=0)
        self._pace = pace
        self.purse = Purse(service, self._price)

    def ask(self, prompt: str) -> Kept:
        """The reply to a prompt.

        Raises:
            NoReplyError: There is none.
            StudyError: There will be none to any other prompt either.
        """
        cause = ""
        for attempt in range(self._service.attempts):
            try:
                return self._attempt(prompt)
            except _TransientError as again:
                cause = str(again)
                self._pace.hold(again.wait)
                longest = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
                if attempt + 1 < self._service.attempts:
                    time.sleep(again.wait + random.uniform(0, longest))
        raise NoReplyError(f"{self._service.attempts} attempts; the last one: {cause}")

    def _attempt(self, prompt: str) -> Kept:
        asking = self._asking
        most = self.purse.cost(AROUND + len(prompt.encode()), asking.max_tokens)  # a token is a byte or more
        self.purse.hold(most)
        paid = Cost()
        try:
            self._pace.wait()
            likely: dict[str, Any] = {"logprobs": True, "top_logprobs": asking.top_logprobs} if asking.top_logprobs else {}
            completion = self._client.chat.completions.create(
                model=asking.model,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=asking.max_tokens,
                temperature=asking.temperature,
                seed=0,
                **likely,
            )
            reply = _reply(completion)
            usage = reply["usage"]
            paid = self.purse.cost(*usage) if usage else most
            return reply
        except _TransientError as again:
            paid = most if again.billed else paid
            raise
        except openai.APIStatusError as error:
            raise self._meant(error) from None
        except openai.APIConnectionError as error:
            paid = most  # perhaps it was answered
            lost = "a time-out" if isinstance(error, openai.APITimeoutError) else f"no connection: {self._short(error.__cause__)}"
            raise _TransientError(lost) from None
        except (openai.APIError, ValueError) as error:
            paid = most
            raise _TransientError(f"no completion: {self._short(error)}") from None
        finally:
            self.purse.settle(most, paid)

    def _meant(self, error: openai.APIStatusError) -> Exception:
        """What a status other than 2xx means."""
        status, said = error.status_code, f"{error.status_code}: {self._short(error)}"
        if status in FOR_ALL or error.code == NO_MONEY:
            what = FOR_ALL.get(status, "has no money left for this account")
            return StudyError(
                f"{self._service.base_url} {what} (model {self._asking.model}; {said}).\n"
                "  What was replied is kept. Mend it and run again."
            )
        if status in AGAIN or status >= 500:
            return _TransientError(said, wait_of(error.response.headers))
        return NoReplyError(said)

    def _price(self, n_read: int, n_said: int) -> Decimal | None:
        try:
            usage = Usage(input_tokens=n_read, output_tokens=n_said)
            return calc_price(usage, self._asking.model, provider_api_url=self._service.base_url).total_price
        except LookupError:
            return None

    def _short(self, error: object) -> str:
        """The first of what an error says, in one line; some endpoints say the key."""
        said = " ".join(str(error or type(error).__name__).split())
        return (said.replace(self._secret, "[key]") if self._secret else said)[:LONGEST_CAUSE]


def _reply(completion: ChatCompletion) -> Kept:
    """What is kept of a completion."""
    if not isinstance(completion, ChatCompletion) or not completion.choices or completion.choices[0].message is None:
        raise _TransientError("a completion without a choice", billed=True)
    choice = completion.choices[0]
    first = choice.logprobs.content[0].top_logprobs if choice.logprobs and choice.logprobs.content else None
    return {
        "text": choice.message.content or "",
        "refused": choice.message.refusal,
        "finish": choice.finish_reason,
        "first": None if first is None else [[one.token, one.logprob] for one in first],
        "usage": None if completion.usage is None else [completion.usage.prompt_tokens, completion.usage.completion_tokens],
        "model": completion.model,
    }


def wait_of(headers: Any) -> float:
    """What the endpoint asks to wait: seconds, or until a date; 0 where it says nothing or nothing that can be meant. [s]"""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(0.0, seconds), LONGEST_WAIT)
