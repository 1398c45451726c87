"""A model's folder: what is saved comes back, and what is no model is refused in one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import pixelbayes as pb
from pixelbayes import checkpoint
from pixelbayes.posterior import Calibration
from pixelbayes.records import DataRecord, TrainingRecord


def tiny(**changes) -> pb.AutoregressiveImageModel:
    torch.manual_seed(0)
    return pb.create("digits", classes=["a", "b"], filters=2, **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pb.save(tiny(), tmp_path / "model")


def test_what_belongs_to_a_model_is_kept(tmp_path: Path) -> None:
    model = tiny()
    model.calibration, model.prior = Calibration(12.5, (0.25, -0.25)), (3.0, 1.0)
    model.record = replace(model.record, data=DataRecord(source="photos"), training=TrainingRecord(steps=3))
    again = pb.load(pb.save(model, tmp_path))
    assert again.calibration == model.calibration
    assert again.prior == model.prior
    assert again.record == model.record
    assert (again.config, again.classes, again.shape) == (model.config, model.classes, model.shape)
    assert not again.training
    levels = torch.randint(17, (2, 1, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    assert torch.equal(again.log_joint(levels), model.log_joint(levels))


def test_a_folder_is_two_readable_files(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert config["pixelbayes"] == pb.__version__
    assert config["model"]["classes"] == ["a", "b"]
    assert config["imports"] == []


def test_a_shared_matrix_is_saved_once(tmp_path: Path) -> None:
    model = tiny(fusion={"strategy": "shared"})
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    saved = load_file(pb.save(model, tmp_path) / "model.safetensors")
    assert len(saved) == len(list(model.parameters())) < len(names)
    again = pb.load(tmp_path)
    levels = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    assert torch.equal(again.log_joint(levels), model.log_joint(levels))
    with torch.no_grad():
        next(parameter for name, parameter in again.named_parameters() if "fuse" in name).add_(1)
    assert len(list(again.parameters())) == len(list(model.parameters()))


def lose_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def lose_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut(name: str, share: float):
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return spoil


def foreign(name: str, data: bytes):
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return spoil


NULL = object()  # null in the file; None takes an entry away


def edit(**changes):
    def spoil(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        for path, value in changes.items():
            *parts, last = path.split("__")
            table = config
            for part in parts:
                table = table[part]
            if value is None:
                del table[last]
            else:
                table[last] = None if value is NULL else value
        (folder / "config.json").write_text(json.dumps(config, default=lambda null: None))

    return spoil


def change_tensors(change):
    def spoil(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return spoil


SPOILED = {
    "no config": (lose_config, "is not a model: it has no config.json"),
    "no weights": (lose_weights, "model.safetensors is missing"),
    "cut weights": (cut("model.safetensors", 0.6), "model.safetensors is truncated or no safetensors file"),
    "empty weights": (cut("model.safetensors", 0), "model.safetensors is truncated or no safetensors file"),
    "cut config": (cut("config.json", 0.5), "config.json is not readable as JSON"),
    "empty config": (cut("config.json", 0), "config.json is not readable as JSON"),
    "binary config": (foreign("config.json", b"\x89PNG\xff"), "config.json is not readable as JSON"),
    "a list": (foreign("config.json", b"[1, 2]"), "does not describe a pixelbayes model"),
    "a number": (foreign("config.json", b"5"), "does not describe a pixelbayes model"),
    "a description of null": (edit(description=NULL), "description must be a table, not None"),
    "a description that is a list": (edit(description=[1]), "description must be a table"),
    "a recipe that is a text": (edit(description__recipe="mine"), "description.recipe must be a table"),
    "data that are a list": (edit(description__data=["photos"]), "description.data must be a table"),
    "settings of null": (edit(description__data={"config": NULL}), "description.data config must be a table"),
    "a source that is a number": (edit(description__data={"source": 5}), "source must be a text, not 5"),
    "an offset too few": (edit(calibration__offsets=[0.5]), "2 classes need as many finite offsets, not 1"),
    "an offset of nan": (edit(calibration__offsets=[0.5, float("nan")]), "need as many finite offsets"),
    "no temperature": (edit(calibration__temperature=0), "the temperature must be above 0, not 0"),
    "cold": (edit(calibration__temperature=-1.5), "the temperature must be above 0, not -1.5"),
    "numbers for names": (edit(model__classes=[0, 1]), "classes must be a list of texts, not [0, 1]"),
    "a name for names": (edit(model__classes="ab"), "classes must be a list of texts, not 'ab'"),
    "imports of none": (
        lambda folder: [edit(imports=5)(folder), edit(model__network__name="mine")(folder)],
        "unknown network 'mine'",
    ),
    "another program's": (
        foreign("config.json", b'{"model": "bert"}'),
        "does not describe a pixelbayes model",
    ),
    "a pickle": (foreign("model.safetensors", b"\x80\x04cos\nsystem\n."), "truncated or no safetensors file"),
    "a later format": (edit(format=99), "has format 99; this version reads format 1"),
    "no network": (edit(model__network=None), "does not describe a pixelbayes model"),
    "no calibration": (edit(calibration=None), "does not describe a pixelbayes model"),
    "a field of none": (edit(model__network__depth=3), "unknown field in network: 'depth'"),
    "a wrong type": (edit(model__network__filters="many"), "filters must be a whole number"),
    "an unknown network": (edit(model__network__name="pixelcnn_p"), "did you mean 'pixelcnn_pp'"),
    "other sizes": (edit(model__network__filters=3), "has another shape of"),
    "another network": (edit(model__network__resnets=2), "misses"),
    "a tensor less": (change_tensors(lambda t: t.pop(sorted(t)[0])), "misses 1 tensor"),
    "a tensor more": (change_tensors(lambda t: t.update(extra=torch.zeros(1))), "has foreign 1 tensor"),
    "a weight of nan": (
        change_tensors(lambda t: t.update({sorted(t)[0]: torch.full_like(t[sorted(t)[0]], float("nan"))})),
        "not finite",
    ),
    "whole numbers": (
        change_tensors(lambda t: t.update({sorted(t)[0]: t[sorted(t)[0]].to(torch.int64)})),
        "has torch.int64 values",
    ),
    "complex numbers": (
        change_tensors(lambda t: t.update({sorted(t)[0]: t[sorted(t)[0]].to(torch.complex64)})),
        "has torch.complex64 values",
    ),
    "other weights": (change_tensors(lambda t: t.update({n: v + 1 for n, v in t.items()})), "its checksum"),
    "a checksum that is none": (edit(weights=3), "its checksum"),
    "a nest": (foreign("config.json", b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
    "hot": (edit(calibration__temperature=1e300), "must be 0.001 to 1e+09"),
    "far": (edit(calibration__offsets=[1e300, 0]), "of 1e+06 nats at most"),
    "a prior too few": (edit(prior=[1.0]), "the prior needs a weight of 0 or more for each of 2 classes"),
    "too large": (edit(model__network__filters=10**9), "config.json"),
    "a wrong tensor": (
        change_tensors(lambda t: t.update({sorted(t)[0]: torch.zeros(7)})),
        "has another shape of 1 tensor",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_folder_is_refused_in_one_line(name: str, folder: Path) -> None:
    spoil, wanted = SPOILED[name]
    spoil(folder)
    with pytest.raises(pb.UserError) as caught:
        pb.load(folder)
    assert wanted in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"description__recipe": NULL},
        {"description": {"data": NULL, "recipe": NULL}},
        {"description__data": {"source": NULL}},
        {"calibration__offsets": []},
    ],
    ids=["no recipe", "neither data nor recipe", "no source", "no offsets"],
)
def test_what_is_only_unknown_is_no_mistake(changes: dict[str, object], folder: Path) -> None:
    edit(**changes)(folder)
    assert pb.load(folder).classes.names == ("a", "b")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(pb.UserError, match="there is no model folder"):
        pb.load(tmp_path / "nothing")
    with pytest.raises(pb.UserError, match="there is no model folder 'nothing'"):
        pb.load("nothing")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(pb.UserError, match="is not a model"):
        pb.load(tmp_path / "file")


def test_a_name_on_the_hub_without_a_network_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    def offline(name: str, **more: object) -> str:
        raise OSError(f"cannot reach the Hub for {name}\nsecond line")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(pb.UserError, match=r"no folder 'someone/digits'.*cannot reach the Hub") as caught:
        pb.load("someone/digits")
    assert "\n" not in str(caught.value)


def test_a_name_on_the_hub_is_its_local_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **more: str(folder))
    assert pb.load("someone/digits").classes.names == ("a", "b")


def test_saving_over_a_model_replaces_it(folder: Path) -> None:
    pb.save(tiny(network={"filters": 3}), folder)
    assert pb.load(folder).config.network.filters == 3


def test_a_disk_that_is_full_leaves_the_earlier_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch
    from safetensors import SafetensorError

    def full(tensors: object, path: Path, metadata: object = None) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(pb.UserError, match=r"cannot write .*model\.safetensors: .*No space left"):
        pb.save(tiny(network={"filters": 3}), folder)
    assert sorted(path.name for path in folder.iterdir()) == [checkpoint.CONFIG, checkpoint.WEIGHTS]
    assert pb.load(folder).config.network.filters == 2
