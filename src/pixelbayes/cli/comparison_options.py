"""Options of `evaluate` that compare the model: its samples with real images, its answers with those of a CNN."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.table import Table

from ..errors import UserError
from .arguments import Flag, optional

if TYPE_CHECKING:
    from ..against import Against
    from ..classifier import FitConfig
    from ..data import ImageSet
    from ..measure.generation import GenerationQuality
    from ..measure.sample_distance import Distances
    from ..model import AutoregressiveImageModel
    from ..products import Products

_FILES = ("generation.json", "generation-features.npz")


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of the model with others."""

    generation: Flag = False
    """Draw images and compare them with the real ones: Frechet distance, KID, precision, recall."""
    samples: Annotated[int | None, optional("N")] = None
    """How many images to draw (as many as there are real ones, at most 1,000)."""
    inception: Annotated[Path | None, optional("FILE")] = None
    """Inception's published weights (pt_inception-2015-12-05): the distance is then FID (2,048 features), and the
    course's of 192 features; without, the features are those of a small CNN of the same data, and the distance is no
    FID."""
    against: Annotated[Literal["cnn"] | None, optional("cnn")] = None
    """Train a dedicated classifier on the same images, and compare it with the model."""
    against_minutes: Annotated[float, optional("M")] = 5.0
    """How long the CNN is trained at most."""
    few_images: Annotated[int | None, optional("N")] = None
    """Train a model of the same recipe and a CNN anew on N images of each class, too; it takes twice --few-minutes."""
    few_minutes: Annotated[float, optional("M")] = 2.0
    """How long each of the two is trained on few images."""
    against_foreign: Annotated[str | None, optional("DATA")] = None
    """Images of something else, which both should find strange."""

    def check(self) -> None:
        """Raise UserError for options that need another one, before any work."""
        from .presenting import check_positive

        check_positive(self.against_minutes, "--against-minutes")
        check_positive(self.few_minutes, "--few-minutes")
        if self.few_images is not None and self.few_images < 2:
            raise UserError(f"--few-images must be 2 or more, not {self.few_images}")
        if self.samples is not None and self.samples < 2:
            raise UserError(f"--samples must be 2 or more, not {self.samples}")
        for name, needs, given in (
            ("--samples", "--generation", self.samples and not self.generation),
            ("--inception", "--generation", self.inception and not self.generation),
            ("--against-foreign", "--against cnn", self.against_foreign and not self.against),
            ("--few-images", "--against cnn", self.few_images is not None and not self.against),
        ):
            if given:
                raise UserError(f"{name} belongs to {needs}")
        if self.inception is not None and not self.inception.is_file():
            raise UserError(f"there is no file {self.inception} with the weights of Inception")

    @property
    def files(self) -> tuple[str, ...]:
        """What may be written beside an evaluation's own files."""
        names: list[str] = []
        if self.generation:
            names += [*_FILES, "nearest.png"]
            names += (
                [name.replace("generation", "generation-192") for name in _FILES] if self.inception else []
            )
        return (*names, *(("against.json", "against.png") if self.against else ()))

    def run(
        self, model: "AutoregressiveImageModel", folder: str, images: "ImageSet", products: "Products"
    ) -> list[str]:
        """Do what was asked for; `folder` is the model's folder. Returns the names of the files."""
        beside = _file_beside(folder, products.folder)
        written = self._generation(model, beside, images, products) if self.generation else []
        return [*written, *(self._against(model, beside, images, products) if self.against else [])]

    def _generation(
        self, model: "AutoregressiveImageModel", beside: Path, images: "ImageSet", products: "Products"
    ) -> list[str]:
        from ..generation_quality import draw_like, draw_nearest, measure_generation
        from ..progress import warn
        from .presenting import show

        samples = draw_like(model, images, self.samples, progress=True)
        train = _training_images(model)
        for dims in (2048, 192) if self.inception else (0,):
            quality = measure_generation(
                samples, images, train=train, inception=self.inception, dims=dims, features=beside,
                fit=self._fit(model), progress=True,
            )  # fmt: skip
            kind = "generation-192" if dims == 192 else "generation"
            with products.new(f"{kind}.json") as path:
                quality.to_json(path)
            with products.new(f"{kind}-features.npz") as path:
                quality.save_features(path)
            show(quality_table(quality))
            for note in quality.notes():
                warn(note)
        if train is not None:
            with products.new("nearest.png") as path:
                draw_nearest(samples, train, path)
        return [
            name
            for name in self.files
            if "against" not in name and (train is not None or name != "nearest.png")
        ]

    def _against(
        self, model: "AutoregressiveImageModel", beside: Path, images: "ImageSet", products: "Products"
    ) -> list[str]:
        from ..against import against_cnn
        from ..evaluating import held_out
        from ..few_images import FewImages, few_images_row, recipe_of, some_of_each
        from ..pictures.against import against_picture
        from ..progress import warn
        from .presenting import show

        foreign = held_out(model, self.against_foreign) if self.against_foreign else None
        train = held_out(model, None, "train")
        few = FewImages(self.few_images, self.few_minutes) if self.few_images is not None else None
        if few is not None:  # what cannot be done is said before the work
            recipe_of(model), some_of_each(train, few.images)
        against = against_cnn(
            model, images, train=train, foreign=foreign, features=beside, fit=self._fit(model), progress=True
        )
        if few is not None:
            against = against.with_row(few_images_row(model, images.labelled, train, few, self._fit(model)))
        with products.new("against.json") as path:
            against.to_json(path)
        with products.new("against.png") as path:
            against_picture(against.rows, path)
        show(against_table(against))
        for note in against.notes():
            warn(note)
        return ["against.json", "against.png"]

    def _fit(self, model: "AutoregressiveImageModel") -> "FitConfig":
        from ..classifier import FitConfig

        flip = bool(model.record.training.augment.get("flip"))
        return FitConfig(minutes=self.against_minutes, flip=flip)


def _file_beside(folder: str, out: Path) -> Path:
    """Where the classifier lies: in the model's folder; for a model of the hub, with the evaluation."""
    from ..classifier import FEATURES_FILE

    return (Path(folder) if Path(folder).is_dir() else out) / FEATURES_FILE


def _training_images(model: "AutoregressiveImageModel") -> "ImageSet | None":
    """Those of the model; None, and why, where they cannot be had."""
    from ..evaluating import held_out
    from ..progress import warn

    try:
        return held_out(model, None, "train")
    except UserError as error:
        warn(f"the training images cannot be had, and the features are those of the real images ({error})")
        return None


def quality_table(quality: "GenerationQuality") -> Table:
    """The figures of all images, of one real half against the other, and of each class; intervals stand below."""
    from .evaluation_tables import short
    from .presenting import plain_table

    table = plain_table(f"{quality.name}; below the figures 95 % intervals")
    table.add_column("")
    for heading in ("Frechet\ndistance", "KID\nx 1000", "precision\nrecall"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in (
        ("all", quality.overall),
        ("one real half, other", quality.halves),
        *quality.by_class.items(),
    ):
        table.add_row(f"{short(name)}\n{row.samples} beside {row.real}", *_cells(row))
    return table


def _cells(row: "Distances") -> list[str]:
    from .presenting import number

    cells = []
    for estimate, scale, form in ((row.frechet, 1.0, ".2f"), (row.kid, 1000.0, ".2f")):
        if estimate is None:
            cells.append("")
            continue
        ends = ""
        if estimate.low is not None and estimate.high is not None:
            ends = f"\n{estimate.low * scale:{form}} to {estimate.high * scale:{form}}"
        cells.append(f"{estimate.value * scale:{form}}{ends}")
    return [*cells, f"{number(row.precision, '.3f')}\n{number(row.recall, '.3f')}"]


def against_table(against: "Against") -> Table:
    """A row for each question, a column for each of the two; intervals stand below."""
    from .presenting import plain_table

    table = plain_table("the model beside a dedicated CNN; below accuracies their 95 % intervals")
    table.add_column("", max_width=38)
    for heading in ("model", "CNN"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in against.rows:
        table.add_row(
            row.name, row.spelled(row.model, row.model_interval), row.spelled(row.cnn, row.cnn_interval)
        )
    return table
