"""What every network is: image, label and scan -> parameters of the pixel distributions."""

from dataclasses import dataclass

from torch import Tensor, nn

from ..causal.scan import Scan
from ..errors import UserError
from ..fusion import Frame, Fusion, LabelEmbedding
from ..levels import ImageShape


class Network(nn.Module):
    """Signal `(b, c, H, W)` in [-1, 1] of whole images and labels `(b,)` -> parameters `(b, P, h, w)` of the cells
    under the scan. It must see only the past of each cell.

    A network made with `self.code = fusion.offer_input()` writes `look`; one that knows no such code writes `forward`.

    `shares_classes` says that labels may be `(b * K,)`, those of an image side by side: what the label has not
    reached is then computed for b images only (`causal.meeting`), and the parameters have b or b * K rows.
    """

    shares_classes = False
    code: LabelEmbedding

    def forward(self, image: Tensor, label: Tensor | None, scan: Scan) -> Tensor:
        y = scan.constant(self, lambda: self.code(label, image))
        frame = scan.constant(self.code, lambda: self.code.frame(y))
        return self.look(image, frame, y, scan)

    def look(self, image: Tensor, frame: Frame, y: Tensor | None, scan: Scan) -> Tensor:
        """The parameters, given the label's code y `(b, width)` (None: no classes) and the `frame` that first
        convolutions add to a window of the image."""
        raise NotImplementedError


@dataclass(frozen=True)
class NetworkConfig:
    """A network's settings; a subclass adds its fields and builds it."""

    def by_channel(self, shape: ImageShape) -> bool:
        """Whether a pixel is looked at once for every channel (colour masks)."""
        return False

    def build(self, shape: ImageShape, outputs: int, fusion: Fusion) -> Network:
        """The network for such images, with `outputs` parameters a pixel."""
        raise NotImplementedError

    def require_positive(self, *names: str) -> None:
        """`UserError` unless each of these fields is at least 1."""
        for name in names:
            if getattr(self, name) < 1:
                raise UserError(f"network.{name} must be at least 1, not {getattr(self, name)}")

    def require_share(self, *names: str) -> None:
        """`UserError` unless each of these fields lies in [0, 1)."""
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"network.{name} must lie in [0, 1), not {getattr(self, name)}")
