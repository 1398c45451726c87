"""The table of label strategies: at which sites a label acts, and by which operation."""

from dataclasses import dataclass

from ..errors import UserError
from ..registry import Registry
from ..views import Views

SITES = ("input", "stem", "encode", "decode", "head", "before", "enter", "leave", "shrink")
STREAMS = ("above", "left")
LEFT = ("left",)


@dataclass(frozen=True)
class Act:
    """One line of a strategy: an operation at a site, in some of the streams."""

    site: str
    operation: str = "bias"
    streams: tuple[str, ...] = STREAMS


@dataclass(frozen=True)
class Strategy:
    """A row of the table. `embedding` is the width of a learned code (0: one-hot); `shared`: one matrix a width."""

    acts: tuple[Act, ...]
    embedding: int = 0
    shared: bool = False
    summary: str = ""
    source: str = ""

    def passes(self, classes: int) -> float:
        """Returns about what all classes of an image cost, in passes of one, in a network of two streams that shares
        what the label has not reached (measured: docs/strategies.md).

        >>> [round(STRATEGIES[name].passes(10), 1) for name in ("mild", "left", "late")]
        [10.0, 4.6, 1.3]
        """
        if not self.acts:
            return 1.0
        if any(act.site == "input" or "above" in act.streams for act in self.acts):
            return float(classes)
        late = all(act.site == "head" for act in self.acts)
        return 1 + 0.03 * classes if late else 0.6 + 0.4 * classes


STAGES = {
    f"{stream}{number}": Act(site, "bias", (name,))
    for number, site in enumerate(("stem", "encode", "decode", "head"), 1)
    for stream, name in (("u", "above"), ("ul", "left"))
}
"""Report 1's eight switches: stage 1 to 4 in the streams u (above) and ul (above and left)."""

STRATEGIES: Registry[Strategy] = Registry(
    "label strategy",
    {
        "none": Strategy((), summary="the label does not enter"),
        "mild": Strategy((Act("leave"),), summary="bias after the second convolution", source="report 3"),
        "gated": Strategy((Act("leave"),), summary="PixelCNN++G: the same as mild", source="report 2"),
        "strong": Strategy(
            (Act("enter"), Act("leave")), summary="bias after both convolutions", source="report 3"
        ),
        "stages": Strategy(
            tuple(STAGES.values()), summary="bias at chosen stages of both streams", source="report 1"
        ),
        "scale": Strategy(
            (Act("before", "scale"),), summary="scale before each block's convolution", source="report 2"
        ),
        "downsampling": Strategy(
            (Act("shrink", "scale"),),
            summary="other strided weights for each class",
            source="report 2, Fig. 6",
        ),
        "shared": Strategy(
            (Act("leave"),), shared=True, summary="one bias matrix for all layers", source="report 2"
        ),
        "input": Strategy(
            (Act("input", "channels"),), summary="extra channels of the image", source="report 2"
        ),
        "embedding": Strategy(
            (Act("stem"),), embedding=32, summary="bias of an embedding before the blocks", source="report 4"
        ),
        "film": Strategy(
            (Act("leave", "scale_shift"),),
            summary="scale and shift before the gate",
            source="Perez et al. 2018",
        ),
        "left": Strategy(
            (Act("leave", "bias", LEFT),),
            summary="mild in the left stream alone: the one above is shared by all classes",
        ),
        "left_film": Strategy(
            (Act("leave", "scale_shift", LEFT),), summary="scale and shift before the gate, left stream alone"
        ),
        "decode": Strategy(
            (Act("decode", "bias", LEFT),), summary="bias before the way down, left stream alone"
        ),
        "late": Strategy(
            (Act("head", "bias", LEFT),),
            summary="bias before the last activation: all but the head is shared",
        ),
        "late_film": Strategy(
            (Act("head", "scale_shift", LEFT),), summary="scale and shift before the last activation"
        ),
        "attention": Strategy(
            (Act("enter", "attend"),),
            embedding=32,
            summary="attention to label tokens",
            source="report 4's question",
        ),
    },
)
register_strategy = STRATEGIES.register


@dataclass(frozen=True)
class FusionConfig:
    """Which strategy, and what of it may be set.

    `embedding`: width of a learned code, 0 for one-hot, None for the strategy's own. `stages`: for the
    strategy 'stages', which of u1..u4, ul1..ul4 act. `views`: a second label that enters as the class does, the view
    under which the network sees the image (`none`, `mirror`, `turns`, `all`: see `views`).
    """

    strategy: str = "mild"
    embedding: int | None = None
    stages: tuple[str, ...] = tuple(STAGES)
    views: Views = "none"

    def row(self) -> Strategy:
        """The strategy with these settings; `UserError` for an unknown one."""
        row = STRATEGIES[self.strategy]
        if self.strategy == "stages":
            named = Registry("stage", STAGES)
            row = Strategy(tuple(named[stage] for stage in self.stages), row.embedding, row.shared)
        width = row.embedding if self.embedding is None else self.embedding
        if width < 0:
            raise UserError(f"fusion.embedding must be 0 (one-hot) or more, not {width}")
        return Strategy(row.acts, width, row.shared, row.summary, row.source)
