"""The files and commands of docs/extending.md: parts from outside the package, used and missed."""

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes import distributions, networks, objectives
from pixelbayes.cli import main
from pixelbayes.extensions import import_extensions
from pixelbayes.fusion import OPERATIONS, STRATEGIES, FusionConfig
from pixelbayes.journals import read_rows
from pixelbayes.labels import Labels
from pixelbayes.model import build
from pixelbayes.progress import Console
from pixelbayes.reports import SECTIONS
from pixelbayes.training.duties import DUTIES
from pixelbayes.walk import NaiveLook

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, flags=re.DOTALL))
COMMANDS = re.findall(r"^pixelbayes (.*--import (\w+).*)$", PAGE, flags=re.MULTILINE)
REGISTRIES = (networks.CONFIGS, distributions.CONFIGS, objectives.CONFIGS, STRATEGIES, OPERATIONS, DUTIES)
PARTS = ("my_network", "my_distribution", "my_strategy")
OWN = {
    "my_network": lambda config: (config.network.width, config.network.layers) == (8, 4),
    "my_distribution": lambda config: config.distribution.slowest == 0.01,
    "my_strategy": lambda config: config.fusion == FusionConfig("damped", embedding=5),
}
SMALL = "--device cpu --training.batch 16"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with the page's files, and a process that forgets them afterwards."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = [(dict(registry._parts), dict(registry._origins)) for registry in REGISTRIES]
    yield tmp_path
    forget(known)


def forget(known: list[tuple[dict, dict]]) -> None:
    for registry, (parts, origins) in zip(REGISTRIES, known, strict=True):
        registry._parts, registry._origins = dict(parts), dict(origins)
    for name in FILES:
        sys.modules.pop(name, None)


def commands(name: str) -> tuple[list[str], list[str]]:
    """The page's commands that train and draw with a file."""
    train, draw = (words.split() for words, module in COMMANDS if module == name)
    small = ["--network.filters", "4"] if name != "my_network" else []
    return [*train, *SMALL.split(), *small], draw


@pytest.mark.parametrize("name", PARTS)
def test_a_part_from_outside_trains_draws_classifies_and_is_missed_by_name(name, page, capsys):
    before = [(dict(registry._parts), dict(registry._origins)) for registry in REGISTRIES]
    train, draw = commands(name)
    assert main(train) == 0
    run = draw[1]
    assert OWN[name](pb.load(run).config)  # the page's commands set one field of each part
    assert main([*draw, "--out", "drawn"]) == 0
    assert len(list(page.glob("drawn/*/0001.png"))) == 10
    assert main(["classify", run, "drawn", "--import", name, "--csv", "answers.csv"]) == 0
    assert len((page / "answers.csv").read_text().splitlines()) == 11

    forget(before)
    capsys.readouterr()
    assert main(["classify", run, "drawn", "--csv", "more.csv"]) == 2
    assert name not in sys.modules
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert said.endswith(f"it comes from {name}: load it with --import {name}")


def test_an_unknown_module_or_field_is_one_clear_line(page, capsys):
    assert main(["train", "digits", "--import", "no_such_module"]) == 2
    assert "--import no_such_module: ModuleNotFoundError" in capsys.readouterr().err
    words = ["train", "digits", "--import", "my_network", "--network", "my_network", "--network.widht", "3"]
    assert main(words) == 2
    assert "did you mean '--network.width'" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(1, 9, 7, 17), (3, 1, 3, 65_536), (3, 5, 4, 2)], ids=str)
def test_the_pages_parts_obey_the_laws_together(page, shape):
    import_extensions(PARTS)
    torch.manual_seed(0)
    config = networks.CONFIGS["my_network"](width=6, layers=2)
    family = distributions.CONFIGS["geometric"](slowest=1e-4)
    images = pb.ImageShape(*shape)
    fusion = FusionConfig("mild" if images.channels == 1 else "none")
    model = build(images, Labels(("a", "b")), config, family, fusion).double()
    assert pb.check_causality(model).ok
    assert pb.check_walk(model).ok
    drawn = pb.generate(model, labels=[0, 1], seed=3)
    assert torch.equal(drawn, pb.generate(model, labels=[0, 1], seed=3, looks=NaiveLook))
    small = family(torch.randn(1, 1, 2, 2, dtype=torch.float64), pb.ImageShape(1, 2, 2, 9), False)
    every = torch.arange(9).view(9, 1, 1, 1).expand(9, 1, 2, 2)
    masses = torch.stack([small.log_prob(level[None]) for level in every]).exp()
    torch.testing.assert_close(masses.sum(0), torch.ones(1, 2, 2, dtype=torch.float64))
    cumulative = small.channel(0, every[:1, :0]).cdf(every[4])
    torch.testing.assert_close(masses[:5].sum(0), cumulative)


def test_a_strategy_without_a_place_in_the_network_is_refused(page):
    import_extensions(PARTS)
    config = networks.CONFIGS["my_network"](width=4)
    family = distributions.LogisticMixture(2)
    with pytest.raises(pb.UserError, match=r"'damped' acts at 'head' .* which my_network does not have"):
        build(pb.ImageShape(1, 4, 4), Labels(("a", "b")), config, family, FusionConfig("damped"))


def test_the_page_judges_a_network_that_one_has(page, capsys):
    names = runpy.run_path(str(page / "my_judgement.py"))
    assert "causal: no pixel sees itself or a later one (64 of 64 pixels" in capsys.readouterr().out
    assert names["images"].shape == (2, 1, 8, 8)
    assert names["answer"].posterior.shape == (2, 10)


def test_a_sink_of_an_imported_file_hears_the_whole_command(page, tiny_model_folder, capsys):
    text = FILES["my_page"].partition("page = Page()")[0] + "page = Page()\npb.set_sink(page)\n"
    (page / "my_sink.py").write_text(text, encoding="utf-8")
    words = ["generate", str(tiny_model_folder), "--per-class", "1", "--device", "cpu", "--out", "drawn"]
    with pb.set_sink(Console()):  # at the end it is as before
        assert main([*words, "--import", "my_sink"]) == 0
    heard = sys.modules.pop("my_sink").page
    assert any("images are in drawn" in line for line in heard.lines)
    assert heard.shares[-1][1] == 1.0
    assert capsys.readouterr().out == ""


def test_a_section_from_outside_stands_on_the_page(page, tiny_model_folder, capsys):
    words = next(words for words, module in COMMANDS if module == "my_section").split()
    words[1] = str(tiny_model_folder)
    before = list(SECTIONS)
    try:
        assert main([*words, "--images", "20", "--device", "cpu"]) == 0
    finally:
        SECTIONS[:] = before
    written = (page / "demo.html").read_text(encoding="utf-8")
    assert re.search(
        r"<h2>The oddest image</h2>\s*<p>The image of which the model made least, digits/\d+:", written
    )


def test_a_script_is_recorded_under_its_own_name(page):
    """A part that a script registers belongs to that file, not to `__main__`."""
    script = page / "my_script.py"
    script.write_text(FILES["my_strategy"].replace("damp", "dip"), encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")
    assert STRATEGIES.origins("diped") == ["my_script"]


def test_the_pages_objective_trains_is_written_down_and_not_needed_by_its_model(page, capsys):
    before = [(dict(registry._parts), dict(registry._origins)) for registry in REGISTRIES]
    words = next(words.split() for words, module in COMMANDS if module == "my_objective")
    assert main([*words, *SMALL.split(), "--network.filters", "4", "--no-page"]) == 0
    rows = read_rows(page / "runs" / "objective" / "journal.csv")
    assert float(rows[-1]["train_spread"]) > 0
    forget(before)
    assert main(["generate", "runs/objective", "--per-class", "1", "--out", "drawn"]) == 0
    capsys.readouterr()
    assert main(["train", "digits", "--out", "runs/objective", "--resume", "--max-steps", "3"]) == 2
    assert "--import my_objective" in capsys.readouterr().err
    more = ["train", "digits", "--out", "runs/objective", "--resume", "--max-steps", "3", "--no-page"]
    assert main([*more, "--import", "my_objective"]) == 0
    assert pb.load("runs/objective").record.training.objective == {"name": "even", "weight": 0.2}


def test_the_pages_duty_is_done(page, capsys):
    words = next(words.split() for words, module in COMMANDS if module == "my_duty")
    assert main([*words, *SMALL.split(), "--network.filters", "4", "--no-page"]) == 0
    said = capsys.readouterr().out
    assert "step 0: the weights have the norm" in said
    assert "step 2: the weights have the norm" in said
    assert "step 1: the weights" not in said
    wrong = [word.replace("weight_norm", "weight_morn").replace("runs/duty", "runs/wrong") for word in words]
    assert main(wrong) == 2
    assert "did you mean 'weight_norm'" in capsys.readouterr().err
    assert not (page / "runs" / "wrong").exists()


def test_the_pages_sink_hears_everything(page, capsys):
    names = runpy.run_path(str(page / "my_page.py"))
    assert any(line.startswith("model:") for line in names["page"].lines)
    assert names["page"].shares[-1][0] == "training" or ("training", 1.0, "") in names["page"].shares
    assert not capsys.readouterr().out
