"""Classes as a second batch axis: features of b images meet those of b images under each of K classes.

The features that a label has not reached are the same for all classes. So a pass over all classes keeps b rows
until the label enters, and b * K rows from there on, an image's classes side by side. They are widened where they
meet: at an operation of fusion, where other features are joined, at a residual sum.
"""

from torch import Tensor


def meet(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two tensors of n and of n * K rows (in either order) -> both with the larger number of rows."""
    rows, others = a.shape[0], b.shape[0]
    if rows == others:
        return a, b
    return (widen(a, others), b) if rows < others else (a, widen(b, rows))


def widen(x: Tensor, rows: int) -> Tensor:
    """Each of n rows repeated side by side -> `rows` rows; features `(n, c, h, w)` come out channels last."""
    if x.shape[0] == rows:
        return x
    last = x.movedim(1, -1) if x.dim() == 4 else x
    copies = last.unsqueeze(1).expand(-1, rows // x.shape[0], *last.shape[1:]).flatten(0, 1)
    return copies.movedim(-1, 1) if x.dim() == 4 else copies
