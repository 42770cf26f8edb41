"""Judges behind HTTP: asked again where that may help, never where it cannot, at their pace, within the budget, without the key."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from judge_server import ASKING, KEY, Server, said, service, serving

from emsteer.errors import ConfigError, StudyError
from emsteer.judging import endpoint
from emsteer.judging.endpoint import Cost, Endpoint, NoReplyError, Pace, Purse, wait_of
from emsteer.judging.replies import Replies
from emsteer.recipes import Service


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as found:
        yield found


@pytest.fixture
def replies(tmp_path: Path) -> Iterator[Replies]:
    with Replies(tmp_path / "replies") as found:
        yield found


@pytest.fixture
def judge(server: Server, replies: Replies) -> Callable[..., Endpoint]:
    def one(key: str | None = KEY, **changes: object) -> Endpoint:
        limits = service(server.url, **changes)
        return Endpoint(ASKING, limits, key, Pace(replies, limits.base_url, limits.requests_per_minute))

    return one


def test_a_reply_is_kept_with_the_likeliest_tokens_and_what_it_cost(server: Server, judge: Callable[..., Endpoint]) -> None:
    server.reply = lambda _: said("8ü \U0001f600 {", [("80", -0.1), ("ü{", -3.0)])
    found = judge().ask("why ?")
    assert found == {
        "text": "8ü \U0001f600 {", "refused": None, "finish": "stop", "first": [["80", -0.1], ["ü{", -3.0]],
        "usage": [11, 1], "model": ASKING.model,
    }  # fmt: skip


def test_missing_logprobs_a_refusal_and_a_huge_reply_are_replies(server: Server, judge: Callable[..., Endpoint]) -> None:
    server.reply = lambda prompt: {"no": said("80"), "refusal": {**said(""), "refusal": "I cannot"}, "huge": said("x" * 2_000_000)}[
        prompt
    ]
    one = judge()
    assert one.ask("no")["first"] is None
    assert (one.ask("refusal")["text"], one.ask("refusal")["refused"]) == ("", "I cannot")
    assert len(one.ask("huge")["text"]) == 2_000_000


@pytest.mark.parametrize(
    "fault", ["429", "429 soon", "500", "503", "408", "409", "truncated", "empty", "no json", "reset", "time-out"]
)
def test_what_may_pass_is_asked_again(server: Server, judge: Callable[..., Endpoint], fault: str) -> None:
    server.fault = lambda _, before: fault if before < 2 else None
    started = time.monotonic()
    assert judge(timeout_s=0.5).ask("why ?")["text"] == "80"
    assert len(server.asked) == 3
    assert (time.monotonic() - started > 0.4) == (fault in ("429 soon", "time-out")), "it waits as long as the endpoint says"


def test_after_its_attempts_one_request_has_failed_and_says_why(server: Server, judge: Callable[..., Endpoint]) -> None:
    server.fault = lambda *_: "503"
    with pytest.raises(NoReplyError, match=r"3 attempts; the last one: 503: .*503"):
        judge(attempts=3).ask("why ?")
    assert len(server.asked) == 3


def test_a_request_that_is_refused_is_not_sent_again(server: Server, judge: Callable[..., Endpoint]) -> None:
    server.fault = lambda *_: "400"
    with pytest.raises(NoReplyError, match=r"^400: .*400"):
        judge().ask("why ?")
    assert len(server.asked) == 1


def test_no_money_is_no_rate_limit(server: Server, judge: Callable[..., Endpoint]) -> None:
    server.fault = lambda *_: "429 for good"
    with pytest.raises(StudyError, match=r"has no money left for this account .*\n  What was replied is kept"):
        judge().ask("why ?")
    assert len(server.asked) == 1


def test_a_key_that_is_wrong_stops_everything_and_is_not_said(server: Server, judge: Callable[..., Endpoint]) -> None:
    with pytest.raises(StudyError, match=r"does not accept the key \(model judge-2026-01-01; 401: .*\[key\]") as caught:
        judge("sk-wrong-one").ask("why ?")
    assert "sk-wrong-one" not in str(caught.value) and caught.value.__cause__ is None
    assert len(server.asked) == 1


def test_an_endpoint_that_is_not_there_is_named_and_does_not_hang(judge: Callable[..., Endpoint]) -> None:
    with pytest.raises(NoReplyError, match="2 attempts; the last one: no connection"):
        judge(base_url="http://127.0.0.1:9/v1", attempts=2).ask("why ?")


def test_requests_come_evenly_however_many_ask(server: Server, judge: Callable[..., Endpoint]) -> None:
    one = judge(requests_per_minute=60 * 50, concurrency=8)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(one.ask, map(str, range(30))))) == 30
    early = [at for turn, at in enumerate(server.at) if at - started < turn / 50 - 0.01]  # late ones a busy machine can bunch
    assert len(server.at) == 30 and not early, "no request comes before its turn"


def test_a_wait_that_the_endpoint_asks_for_is_respected_by_everybody(replies: Replies, tmp_path: Path) -> None:
    pace = Pace(Replies(tmp_path / "replies"), "x", 60_000)  # of another process, as it were
    Pace(replies, "another endpoint", 60_000).hold(30)
    started = time.monotonic()
    Pace(replies, "x", 60_000).hold(0.2)
    threads = [threading.Thread(target=pace.wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.2 <= time.monotonic() - started < 30, "its own wait, and nobody else's"


@pytest.mark.parametrize(
    ("said", "expected"), [("1.5", 1.5), ("-3", 0), ("", 0), ("soon", 0), ("9999", endpoint.LONGEST_WAIT), ("nan", 0)]
)
def test_a_wait_is_read_in_seconds_and_never_longer_than_a_minute(said: str, expected: float) -> None:
    assert wait_of({"retry-after": said}) == expected


def test_a_wait_may_be_a_date() -> None:
    assert wait_of({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


# -- budget ----------------------------------------------------------------------------------------------------------


def purse(price: Decimal | None = Decimal("0.001"), **budget: object) -> Purse:
    limits: Service = service("http://localhost/v1", **budget)
    return Purse(limits, lambda n_read, n_said: None if price is None else price * (n_read + n_said))


def test_what_is_under_way_counts_at_its_most_and_what_has_ended_at_what_it_cost() -> None:
    money = purse(budget_tokens=250)
    first = money.cost(100, 0)
    money.hold(first)
    money.hold(first)
    with pytest.raises(StudyError, match=r"is spent: 0 tokens, 0\.00 USD, and the next request may cost 100 tokens"):
        money.hold(first)
    money.settle(first, money.cost(10, 0))
    money.hold(first)
    assert money.spent == Cost(10, Decimal("0.010"))


def test_money_is_a_budget_too_and_a_model_without_a_price_cannot_have_one() -> None:
    money = purse(budget_usd=0.15)
    money.hold(money.cost(100, 0))
    with pytest.raises(StudyError, match="Raise `budget_tokens` or `budget_usd`"):
        money.hold(money.cost(100, 0))
    with pytest.raises(ConfigError, match="price of this model at http://localhost/v1 is not known"):
        purse(None, budget_usd=1)
    assert str(Cost(1200, None)) == "1,200 tokens" and str(Cost(1200, Decimal("0.5"))) == "1,200 tokens, 0.50 USD"


def test_a_budget_is_never_exceeded_by_many_that_ask_at_once_and_what_fails_is_given_back(
    server: Server, judge: Callable[..., Endpoint]
) -> None:
    server.fault = lambda prompt, before: "503" if hash(prompt) % 3 == 0 and not before else None
    one = judge(budget_tokens=2000)
    cost = 10 + 100 // 4 + 1

    def ask(index: int) -> bool:
        try:
            return bool(one.ask(f"{index:100d}"))
        except StudyError:
            return False

    with ThreadPoolExecutor(8) as pool:
        replied = sum(pool.map(ask, range(80)))
    assert one.purse.spent.tokens == cost * replied == cost * sum(server.paid.values()) <= 2000
    assert cost * replied > 2000 / 3, "and it is used"


def test_prices_are_those_of_the_list_for_the_endpoint(replies: Replies) -> None:
    asking = ASKING.model_copy(update={"model": "gpt-4o-2024-08-06"})
    known = Endpoint(asking, service("https://api.openai.com/v1"), KEY, Pace(replies, "x", 1)).purse.cost(1_000_000, 0)
    assert known.money is not None and Decimal("0.5") < known.money < Decimal(20)
    assert Endpoint(asking, service("http://localhost:8000/v1"), KEY, Pace(replies, "x", 1)).purse.cost(1_000_000, 0).money is None
