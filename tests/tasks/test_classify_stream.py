"""Answers are written as they come; a broken run goes on and ends with the same bytes; nothing is lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pixelbayes as pb
from pixelbayes.distributed import Shard
from pixelbayes.errors import UserError
from pixelbayes.likelihood import Question
from pixelbayes.measure import confusion_matrix, scores
from pixelbayes.tasks.answer_files import Outputs
from pixelbayes.tasks.answer_table import AnswerTable
from pixelbayes.tasks.classify_stream import classify_to_files
from pixelbayes.tasks.detect.detection import doubted

N = 23
BY_FOUR = Question(batch=12)
LABELS = torch.arange(N) % 4 - 1
PATHS = [f"{row}.png" for row in range(N)]


class Source:
    """Images, of which some break the work off or cannot be read."""

    def __init__(self, levels, breaks_at=None, bad=(), error=KeyboardInterrupt):
        self.levels, self.breaks_at, self.bad, self.error = levels, breaks_at, bad, error
        self.unreadable: dict[int, str] = {}
        self.read = 0

    def __len__(self):
        return len(self.levels)

    @property
    def shape(self):
        return self.levels.shape

    def __getitem__(self, rows):
        found = self.levels[rows]
        if len(found) > 1:  # not one of the few by which the images are known again
            self.read += len(found)
            if self.breaks_at is not None and rows.stop > self.breaks_at:
                raise self.error("in the middle")
        self.unreadable |= {row: "damaged" for row in self.bad if rows.start <= row < rows.stop}
        return found


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return pb.create("digits", classes=["a", "b", "c"], filters=2)


@pytest.fixture(scope="module")
def levels():
    return torch.randint(0, 17, (N, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def outputs(tmp_path):
    return Outputs(tmp_path / "answers.csv", tmp_path / "logits.npy", AnswerTable(posterior=True))


def work(model, source, outputs, question=BY_FOUR, **more):
    return classify_to_files(model, source, PATHS, LABELS, question, outputs, **more)


@pytest.fixture
def whole(model, levels, tmp_path):
    """The files of a run that nothing broke."""
    outputs = Outputs(
        tmp_path / "whole" / "answers.csv", tmp_path / "whole" / "logits.npy", AnswerTable(posterior=True)
    )
    work(model, levels, outputs)
    return outputs


def same(one: Outputs, other: Outputs) -> bool:
    return all(
        getattr(one, name).read_bytes() == getattr(other, name).read_bytes() for name in ("csv", "logits")
    )


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_the_files_are_those_of_all_answers_at_once(model, levels, whole, tmp_path):
    found = pb.classify(model, levels, batch=12)
    found.write_csv(tmp_path / "once.csv", PATHS, LABELS, AnswerTable(posterior=True))
    assert whole.csv.read_bytes() == (tmp_path / "once.csv").read_bytes()
    assert np.array_equal(np.load(whole.logits), found.log_likelihoods.numpy())
    assert files(whole.csv.parent) == {"answers.csv", "logits.npy"}


class Doubt:
    """In place of a detector: bright images are foreign. It counts the images that it was asked about."""

    asked = 0

    def p_values(self, model, levels, nats):
        self.asked += len(levels)
        assert len(levels) == len(nats)
        return 1 - levels.double().mean((1, 2, 3)) / 17

    def of(self, answer, p_values):
        return doubted(answer, p_values, 0.5, reject=False)

    def mark(self):
        return "bright"


def test_a_broken_run_with_a_detector_asks_it_of_each_image_once(model, levels, outputs, whole, tmp_path):
    doubt = Doubt()
    wary = replace(outputs, judge=doubt)
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, 9), wary)
    with pytest.raises(UserError, match="another detector"):
        work(model, Source(levels), replace(outputs, resume=True))
    work(model, Source(levels, bad=[17]), replace(wary, resume=True))
    assert doubt.asked == N - 1
    once = doubt.of(pb.classify(model, levels, batch=12), doubt.p_values(model, levels, levels))
    rows = torch.arange(N) != 17
    once = replace(
        once, **{name: getattr(once, name)[rows] for name in ("log_likelihoods", "posterior", "none")}
    )
    paths = [path for path, kept in zip(PATHS, rows.tolist(), strict=True) if kept]
    once.write_csv(tmp_path / "once.csv", paths, LABELS[rows], AnswerTable(posterior=True))
    assert outputs.csv.read_bytes() == (tmp_path / "once.csv").read_bytes()
    assert outputs.csv.read_text().splitlines()[0].endswith("posterior_none of these")
    assert np.array_equal(np.load(outputs.logits), np.load(whole.logits)[rows.numpy()])


def test_the_tally_tells_what_the_measures_tell(model, levels):
    tally = work(model, levels, Outputs())
    found = pb.classify(model, levels)
    known = scores(found.posterior, LABELS)
    assert tally.confusion.tolist() == confusion_matrix(found.posterior, LABELS)
    assert (tally.accuracy, tally.balanced_accuracy) == pytest.approx(
        (known.accuracy, known.balanced_accuracy)
    )
    assert tally.macro_f1 == pytest.approx(known.macro_f1)
    assert tally.unknown.tolist() == found.predicted[LABELS < 0].bincount(minlength=3).tolist()


@pytest.mark.parametrize("breaks_at", [4, 9, 22])
def test_a_broken_run_goes_on_and_ends_with_the_same_bytes(model, levels, outputs, whole, breaks_at):
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, breaks_at), outputs)
    done = breaks_at // 4 * 4
    assert len(outputs.csv.read_text().splitlines()) == 1 + done
    later = Source(levels)
    work(model, later, replace(outputs, resume=True))
    assert later.read == N - done
    assert same(outputs, whole)
    assert files(outputs.csv.parent) == {"answers.csv", "logits.npy"}


def test_what_a_kill_left_half_written_does_not_count(model, levels, outputs, whole):
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, 13), outputs)
    left = outputs.csv.with_name(".answers.csv.unfinished")
    left.write_bytes(left.read_bytes()[:-30])
    outputs.csv.write_text(outputs.csv.read_text()[:-17])
    later = Source(levels)
    work(model, later, replace(outputs, resume=True))
    assert later.read == N - 8
    assert same(outputs, whole)


def test_several_processes_share_the_work_of_one(model, levels, outputs, whole, monkeypatch):
    """Two processes in turn: what the other found is put in where the first asks for it."""
    everything = pb.classify(model, levels, batch=12).log_likelihoods
    place = [0]

    def merge(self, found):
        if found.dtype != torch.float64:
            return found
        rows = slice(place[0], place[0] + len(found))
        place[0] += len(found)
        other = everything[rows].clone()
        other[:4] = 0  # the first chunk is this process's own
        return found + other

    monkeypatch.setattr(Shard, "merge", merge)
    source = Source(levels)
    work(model, source, outputs, shard=Shard(0, 2))
    assert source.read == 4 + 4 + 4
    assert same(outputs, whole)


def test_an_earlier_file_is_replaced_by_a_whole_one_or_not_at_all(model, levels, outputs, whole):
    outputs.csv.write_text("mine\n")
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, 9), outputs)
    assert outputs.csv.read_text() == "mine\n"
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, 14), replace(outputs, resume=True))
    assert outputs.csv.read_text() == "mine\n"
    work(model, levels, replace(outputs, resume=True))
    assert same(outputs, whole)
    assert files(outputs.csv.parent) == {"answers.csv", "logits.npy"}


def test_a_mistake_at_the_start_leaves_nothing_and_loses_nothing(model, levels, outputs):
    with pytest.raises(UserError, match="in the middle"):
        work(model, Source(levels, 0, error=UserError), outputs)
    assert files(outputs.csv.parent) == set()
    outputs.csv.write_text("mine\n")
    with pytest.raises(UserError):
        work(model, Source(levels, 0, error=UserError), outputs)
    assert outputs.csv.read_text() == "mine\n"
    assert files(outputs.csv.parent) == {"answers.csv"}


def test_a_mistake_on_the_way_says_how_to_go_on(model, levels, outputs):
    with pytest.raises(UserError, match="in the middle; 8 of 23 answers are kept: --resume goes on"):
        work(model, Source(levels, 10, error=UserError), outputs)


def test_another_question_is_not_gone_on_with(model, levels, outputs):
    with pytest.raises(KeyboardInterrupt):
        work(model, Source(levels, 9), outputs)
    before = outputs.csv.read_bytes()
    other = pb.create("digits", classes=["a", "b", "c"], filters=3)
    resumed = replace(outputs, resume=True)
    for words, call in (
        ("another batch", lambda: work(model, levels, resumed, Question(batch=6))),
        ("another model", lambda: work(other, levels, resumed)),
        ("another images", lambda: work(model, levels.flip(0), resumed)),
        (
            "another region",
            lambda: work(model, levels, resumed, Question(batch=12, weights=torch.ones(8, 8))),
        ),
    ):
        with pytest.raises(UserError, match=words):
            call()
    assert outputs.csv.read_bytes() == before


def test_images_that_cannot_be_read_have_no_row_and_are_named(model, levels, outputs, whole):
    tally = work(model, Source(levels, bad=(0, 9, 22)), outputs)
    assert tally.left_out == ["0.png", "9.png", "22.png"]
    assert tally.answered == N - 3
    kept = [row for row in range(N) if row not in (0, 9, 22)]
    assert np.array_equal(np.load(outputs.logits), np.load(whole.logits)[kept])
    lines = whole.csv.read_text().splitlines(keepends=True)
    assert outputs.csv.read_text() == "".join(lines[row] for row in [0, *(row + 1 for row in kept)])


@pytest.mark.parametrize("number", [torch.nan, -torch.inf])
def test_an_image_without_a_likelihood_is_named(model, levels, outputs, monkeypatch, number):
    def lost(self, images, classes=None, views=None):
        maps = torch.zeros(len(images), 3, 8, 8)
        maps[1] = number
        return maps

    monkeypatch.setattr(type(model), "class_log_prob_maps", lost)
    with pytest.raises(UserError, match=r"the likelihood of 1\.png is no finite number"):
        work(model, levels, outputs)
    assert files(outputs.csv.parent) == set()


def test_two_processes_do_not_write_one_file(model, levels, outputs):
    class Meanwhile(Source):
        def __getitem__(self, rows):
            if rows.stop - rows.start > 1:
                with pytest.raises(UserError, match="another process is writing"):
                    work(model, levels, outputs)
            return super().__getitem__(rows)

    work(model, Meanwhile(levels), outputs)
    assert len(outputs.csv.read_text().splitlines()) == N + 1


def test_a_full_disk_is_one_line(model, levels, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full to write to")
    (tmp_path / "full.csv").symlink_to("/dev/full")
    outputs = Outputs(tmp_path / "full.csv", resume=False)
    outputs.csv.with_name("full.csv.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        work(model, levels, outputs)
