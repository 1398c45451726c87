"""Messages and progress go through one sink, which anybody may replace."""

import pytest
from tests.training.run_small import recipe, train_small

import pixelbayes as pb
from pixelbayes.progress import Console, say, show_progress, track, warn


class Collecting:
    """A sink from outside, such as a web page's."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.shown: list[tuple[str, float, str]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def progress(self, task: str, share: float, detail: str) -> None:
        self.shown.append((task, share, detail))


def test_a_sink_receives_everything_until_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    mine = Collecting()
    with pb.set_sink(mine):
        say("one")
        warn("two")
        assert list(track(range(2), "counting")) == [0, 1]
    say("three")
    assert (mine.said, mine.warned) == (["one"], ["two"])
    assert mine.shown == [("counting", 0.0, "0/2"), ("counting", 0.5, "1/2"), ("counting", 1.0, "")]
    assert capsys.readouterr().out == "three\n"


def fail_within(sink: Collecting) -> None:
    with pb.set_sink(sink):
        say("inner")
        raise KeyError


def test_sinks_stand_in_for_each_other_and_a_failure_ends_them() -> None:
    first, second = Collecting(), Collecting()
    with pb.set_sink(first):
        with pytest.raises(KeyError):
            fail_within(second)
        say("outer")
    assert (first.said, second.said) == (["outer"], ["inner"])


def test_a_run_tells_a_page_how_far_it_is(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = Collecting()
    with pb.set_sink(mine):
        train_small(tmp_path / "run", recipe(0.2))
    shares = [share for task, share, _ in mine.shown if task == "training"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 2
    assert any(text.startswith("model:") for text in mine.said)
    told = capsys.readouterr()
    assert not told.out


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Collecting()
    monkeypatch.setenv("RANK", "1")
    with pb.set_sink(mine):
        say("nothing")
        warn("nothing")
        show_progress("nothing", 0.5)
    assert (mine.said, mine.warned, mine.shown) == ([], [], [])


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("pixelbayes.progress.time.monotonic", lambda: now[0])
    console = Console()
    for seconds, share in ((0, 0.1), (30, 0.2), (61, 0.3), (70, 0.4), (130, 0.5), (200, 1.0)):
        now[0] = float(seconds)
        console.progress("decoding", share, "x")
    assert capsys.readouterr().out.split() == ["30%", "decoding", "x", "50%", "decoding", "x"]
