"""A model's card: its head is YAML that the Hub reads, its tables tell what the model itself tells."""

import pixelbayes as pb
from pixelbayes.card import model_card, write_card
from pixelbayes.records import ModelRecord, TrainingRecord


def head_of(card: str) -> list[str]:
    lines = card.splitlines()
    assert lines[0] == "---"
    return lines[1 : lines.index("---", 1)]


def test_the_card_tells_network_classes_figures_and_command():
    model = pb.create("digits", filters=4)
    training = TrainingRecord(validation={"validation_bits_per_dim": 1.5}, steps=9, epochs=2.0, seed=3)
    model.record = ModelRecord(training=training)
    card = model_card(model, "tiny", {"test accuracy": "98 %"}, command="pixelbayes train digits")
    assert "library_name: pixelbayes" in head_of(card)
    assert "- pixelcnn_pp" in head_of(card)
    for told in (
        "filters 4",
        "0, 1, 2",
        "1.5000",
        "| test accuracy | 98 % |",
        "pixelbayes train digits",
        'load("tiny")',
    ):
        assert told in card, told
    assert f"{sum(p.numel() for p in model.parameters()):,}" in card


def test_a_model_that_remembers_nothing_has_a_card_too(tmp_path):
    model = pb.create("digits", filters=4)
    text = write_card(model, tmp_path).read_text(encoding="utf-8")
    assert "None were measured." in text
    assert f"# {tmp_path.name}" in text
