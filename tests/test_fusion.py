"""The table of label strategies: where each acts, what it starts as, and what it costs."""

import pytest
import torch
from torch import nn

import pixelbayes as pb
from pixelbayes.causal import WholeImage
from pixelbayes.fusion import OPERATIONS, STAGES, STRATEGIES, Act, Fusion, FusionConfig, Strategy

SHAPE = pb.ImageShape(1, 4, 4, 4)


def with_labels(strategy: str, network: str = "pixelcnn_pp", **fusion) -> pb.AutoregressiveImageModel:
    torch.manual_seed(0)
    config = {"strategy": strategy, **fusion}
    return pb.create(
        "digits", classes=["a", "b", "c"], network=network, filters=4, size=4, levels=4, fusion=config
    )


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def places(model: nn.Module) -> set[str]:
    """The sites at which the label acts, by the names of the parameters."""
    return {
        part for name, _ in model.named_parameters() for part in name.split(".") if part.startswith("fuse_")
    }


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        ("mild", {"fuse_leave"}),
        ("gated", {"fuse_leave"}),
        ("strong", {"fuse_enter", "fuse_leave"}),
        ("stages", {"fuse_stem", "fuse_encode", "fuse_decode", "fuse_head"}),
        ("scale", {"fuse_before"}),
        ("downsampling", {"fuse_shrink"}),
        ("shared", {"fuse_leave"}),
        ("embedding", {"fuse_stem"}),
        ("film", {"fuse_leave"}),
        ("left", {"fuse_leave"}),
        ("left_film", {"fuse_leave"}),
        ("decode", {"fuse_decode"}),
        ("late", {"fuse_head"}),
        ("late_film", {"fuse_head"}),
        ("attention", {"fuse_enter"}),
        ("none", set()),
        ("input", set()),
    ],
)
def test_a_strategy_acts_at_its_sites_and_nowhere_else(strategy: str, wanted: set[str]) -> None:
    assert places(with_labels(strategy)) == wanted


@pytest.mark.parametrize("strategy", ["left", "left_film", "decode", "late", "late_film"])
def test_late_strategies_leave_the_stream_above_alone(strategy: str) -> None:
    model = with_labels(strategy)
    assert not any(".fuse_" in f".{name}" for name, _ in model.network.above.named_parameters())
    assert places(model)


def test_every_row_of_the_table_is_tested_above() -> None:
    rows = test_a_strategy_acts_at_its_sites_and_nowhere_else.pytestmark[0].args[1]
    assert {row[0] for row in rows} == set(STRATEGIES)


def test_costs_of_the_strategies_stand_in_their_order() -> None:
    cost = {name: parameters(with_labels(name)) for name in STRATEGIES}
    assert cost["none"] < cost["shared"] < cost["mild"] == cost["gated"] < cost["strong"]
    assert cost["film"] - cost["none"] == 2 * (cost["mild"] - cost["none"])


@pytest.mark.parametrize("operation", ["bias", "scale", "scale_shift"])
def test_an_operation_is_what_its_formula_says(operation: str) -> None:
    torch.manual_seed(0)
    made = OPERATIONS[operation](3, 5).double()
    h, y = torch.randn(2, 5, 4, 3).double(), torch.eye(3).double()[[2, 0]]
    found = made(h, y, WholeImage())
    shift = (y @ made.shift.T)[:, :, None, None] if hasattr(made, "shift") else 0
    scale = (1 + y @ made.scale.T)[:, :, None, None] if hasattr(made, "scale") else 1
    torch.testing.assert_close(found, h * scale + shift)


def test_attention_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    made = OPERATIONS["attend"](3, 5).double()
    h, y = torch.randn(2, 5, 4, 3).double(), torch.eye(3).double()[[2, 0]]
    found = made(h, y, WholeImage())
    for image in range(2):
        keys = made.keys(y[image]).view(made.tokens, made.key_width)
        values = made.values(y[image]).view(made.tokens, 5)
        for row, column in ((0, 0), (3, 2)):
            cell = h[image, :, row, column]
            query = made.query.weight[:, :, 0, 0] @ cell + made.query.bias
            weights = (keys @ query / made.key_width**0.5).softmax(0)
            torch.testing.assert_close(found[image, :, row, column], cell + weights @ values)


def test_attention_to_the_label_sees_no_other_cell() -> None:
    made = OPERATIONS["attend"](3, 5).double()
    h, y = torch.randn(1, 5, 4, 3).double(), torch.eye(3).double()[[1]]
    changed = h.clone()
    changed[:, :, 2, 1] += 1
    moved = (made(h, y, WholeImage()) - made(changed, y, WholeImage())).abs().sum(1)[0] > 0
    assert moved.nonzero().tolist() == [[2, 1]]


def test_scales_start_near_one_and_shifts_near_zero() -> None:
    torch.manual_seed(0)
    made = OPERATIONS["scale_shift"](10, 40)
    assert made.scale.abs().max() < 0.5
    assert made.shift.abs().max() < 0.5


def test_a_shared_matrix_is_one_matrix() -> None:
    model = with_labels("shared")
    shared = [p for name, p in model.named_parameters(remove_duplicate=False) if "fuse_leave" in name]
    assert len(shared) > 1
    assert len({id(parameter) for parameter in shared}) == 1


@pytest.mark.parametrize(("width", "code"), [(0, 3), (5, 5), (None, 3)])
def test_the_code_is_one_hot_or_an_embedding_of_any_width(width: int | None, code: int) -> None:
    model = with_labels("mild", embedding=width)
    shift = next(p for name, p in model.named_parameters() if "fuse_leave" in name)
    assert shift.shape[1] == code
    assert any("embed" in name for name, _ in model.named_parameters()) == bool(width)


def test_a_strategys_own_embedding_can_be_taken_back() -> None:
    assert FusionConfig("embedding").row().embedding == 32
    assert FusionConfig("embedding", embedding=0).row().embedding == 0


def test_labels_enter_the_image_as_channels() -> None:
    plain, model = with_labels("none"), with_labels("input")
    name = next(
        name for name, _ in model.named_parameters() if "first_above" in name and name.endswith("weight")
    )
    widths = [dict(made.named_parameters())[name].shape[1] for made in (plain, model)]
    assert widths[1] == widths[0] + 3


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_acts_in_its_own_stream(stage: str) -> None:
    model = with_labels("stages", stages=[stage])
    (name,) = [name for name, _ in model.named_parameters() if "fuse_" in name]
    assert name.split(".")[1] == ("left" if stage.startswith("ul") else "above")


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(pb.UserError, match="did you mean 'strong'"):
        FusionConfig("stong").row()
    with pytest.raises(pb.UserError, match="unknown stage 'u9'"):
        FusionConfig("stages", stages=("u9",)).row()
    with pytest.raises(pb.UserError, match=r"0 \(one-hot\) or more, not -1"):
        FusionConfig(embedding=-1).row()


def test_without_classes_no_strategy_acts() -> None:
    fusion = Fusion(FusionConfig("strong"), 0)
    assert fusion.row == STRATEGIES["none"]
    assert not places(pb.create("digits", classes=(), filters=2, fusion={"strategy": "strong"}))


def test_an_act_without_a_place_names_what_there_is() -> None:
    fusion = Fusion(FusionConfig("downsampling"), 3)
    fusion.place("stem", 4)
    with pytest.raises(pb.UserError, match=r"acts at 'shrink'.*my_network does not have \(its sites: stem\)"):
        fusion.check("my_network")


def test_a_new_idea_is_a_new_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STRATEGIES, "_parts", dict(STRATEGIES))
    STRATEGIES.register("at_the_head")(Strategy((Act("head", "scale_shift", ("left",)),)))
    model = with_labels("at_the_head")
    assert places(model) == {"fuse_head"}
    levels = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    assert model.log_likelihoods(levels).std() > 0
    with pytest.raises(pb.UserError, match="exists already"):
        STRATEGIES.register("at_the_head")(Strategy((Act("stem"),)))
