"""The page: well-formed, self-contained, escaped, whatever the sections hold."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

import pixelbayes as pb
from pixelbayes.records import DataRecord, ModelRecord, TrainingRecord
from pixelbayes.reports import (
    SECTIONS,
    Command,
    Comparison,
    Findings,
    Section,
    Source,
    Stored,
    render,
    write_report,
)
from pixelbayes.tasks.classify import from_log_likelihoods

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a & b", "$x^2$")


PICTURES = {"nearest.png": b"\x89PNG", "against.png": b"\x89PNG"}
GENERATION = {
    "features": "<CNN>",
    "overall": {
        "samples": 5,
        "real": 6,
        "frechet": {"value": 1.5, "low": 1, "high": 2},
        "kid": None,
        "precision": 0.5,
    },
    "by_class": {
        "<script>": {"samples": 1, "real": None, "frechet": "many", "kid": {"value": float("nan")}},
        "b": 3,
    },
    "notes": ["<few>", 4],
}
AGAINST = {
    "images": 9,
    "rows": [
        {"name": "<accuracy>", "model": 0.5, "cnn": None, "form": ".1%", "model_interval": [0.4, 0.6]},
        {"name": "odd", "model": "high", "cnn": 3, "form": "{0}", "cnn_interval": [1]},
        "row",
    ],
}
RIVALS = [{"name": "<svm>", "explanation": "<e>", "accuracy": 0.5, "model_accuracy": 0.75, "p_value": 0.01}]


class Tags(HTMLParser):
    """Every opened tag is closed, but for those that have no end."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.seen, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        self.attributes += [name for name, _ in attrs]
        self.seen.append(tag)
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return tags


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Source:
    """A source with everything, whose class names are hostile to HTML and to templates."""
    folder = tmp_path_factory.mktemp("run <b>")
    (folder / "journal.csv").write_text("step,train_bits_per_dim\n1,4\n2,3.5\n")
    model = pb.create("digits", classes=HOSTILE, filters=2, size=4)
    levels = torch.randint(0, 17, (15, 1, 4, 4), generator=torch.Generator().manual_seed(0)).byte()
    labels = torch.arange(15) % 5
    images = pb.ImageSet(levels, labels, [f"<{index}>" for index in range(15)], model.classes, model.shape)
    nats = torch.zeros(15, 5, dtype=torch.float64)
    nats[torch.arange(15), (labels + (torch.arange(15) < 4)) % 5] = 3.0
    answers = from_log_likelihoods(model, nats)
    figures = {"images": 15, "accuracy": 11 / 15, "bits_per_dim": 1.5, "classes": list(HOSTILE)}
    figures["intervals"] = {"accuracy": (0.5, 0.875), "bits_per_dim": "wide"}
    figures["confusion"] = [[3 if row == column else 0 for column in range(5)] for row in range(5)]
    return Source(
        title="A <report> & more",
        lead="what was done",
        folder=folder,
        model=model,
        record=ModelRecord(
            DataRecord(source="</pre><script>", original="8x8"),
            {"name": "</pre><script>x", "seed": None, "network": {"filters": 2}},
            TrainingRecord(steps=2, step=2, seconds=61.0),
        ),
        journal=folder / "journal.csv",
        train=images,
        images=images,
        split="test",
        answers=answers,
        figures=figures,
        comparisons=[
            Comparison("uniform", "<nothing> known", 4.0),
            Comparison("ours", "network", 1.0, 0.987, True),
        ],
        commands=[Command("pixelbayes generate 'runs/<b>'", "draw more")],
        notes=["<i>nothing</i> is missing"],
        remarks=["these images <b>flatter</b>"],
        stored=Stored(generation=GENERATION, against=AGAINST, rivals=RIVALS, pictures=PICTURES),
        study=Findings(
            "1 <trial>",
            ("variant", "seeds"),
            [("<a>", "1")],
            ["<note>"],
            [("<plot>", PICTURES["nearest.png"])],
        ),
    )


def test_a_full_page_is_well_formed_and_needs_no_network(full) -> None:
    page = render(full)
    tags = parsed(page)
    assert re.findall(r'id="(\w+)"', page) == [section.name for section in SECTIONS]
    assert len(tags.sources) >= 6
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert not re.search(r"https?://|@import|url\(", page)
    for text in (
        "73.3%",
        "1.50",
        "1 min 01 s",
        "98.7%",
        "4 of 15 images",
        "has not come to its end",
        "filters = 2",
        "40.0% to 60.0%",
        "50.00% to 87.50%",
        "1.50",
        "worse",
        "These images &lt;b&gt;flatter&lt;/b&gt;.",
    ):
        assert text in page


def test_names_are_escaped_and_no_template_is_run_in_them(full) -> None:
    page = render(full)
    tags = parsed(page)
    assert "script" not in tags.seen
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "A &lt;report&gt; &amp; more" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "49" not in re.sub(r"base64,[^\"]+", "", page).split("<main>")[1]


def test_bars_are_in_proportion(full) -> None:
    assert re.findall(r"width:([\d.]+)%\"", render(full)) == ["100.0", "25.0"]


def test_nothing_known_is_a_page_too(tmp_path: Path) -> None:
    page = render(Source(title="nothing"))
    assert parsed(page).seen.count("section") == 0
    write_report(Source(title="nothing"), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    "figures",
    [
        {"accuracy": "high", "confusion": "many", "classes": 3, "uncalibrated": [1]},
        {"accuracy": float("nan"), "bits_per_dim": True, "confusion": [[1, 2], [3]], "classes": ["a", "b"]},
        {"confusion": [[-1, 2], [3, 4]], "classes": ["a", "b"], "images": None},
        {"confusion": [[10**30]], "classes": [None], "images": 1},
    ],
)
def test_figures_that_are_none_are_left_out(figures) -> None:
    page = parsed(render(Source(title="odd", figures=figures)))
    assert page.seen.count("section") == 0


def test_a_section_from_outside_stands_where_it_says(full) -> None:
    def count(source: Source):
        return {"names": source.class_names} if source.class_names else None

    template = "<p>{{ names|length }} names, such as {{ names[0] }}</p>"
    try:
        pb.register_section("counted", "Names", template, after="curves")(count)
        page = render(full)
        assert "<p>5 names, such as &lt;script&gt;" in page
        places = re.findall(r'id="(\w+)"', page)
        assert places.index("counted") == places.index("curves") + 1
        assert 'id="counted"' not in render(Source(title="nothing"))
        with pytest.raises(pb.UserError, match="a section 'counted' already"):
            pb.register_section("counted", "Names", template)(count)
    finally:
        SECTIONS[:] = [section for section in SECTIONS if section.name != "counted"]
    with pytest.raises(pb.UserError, match="unknown section 'curvs': did you mean 'curves'"):
        pb.register_section("other", "", "", after="curvs")(count)


def test_a_template_that_does_not_fit_is_named() -> None:
    section = Section("broken", "", lambda source: {}, "{{ missing }}")
    with pytest.raises(pb.UserError, match=r"section 'broken'.*'missing' is undefined"):
        render(Source(title="x"), [section])
