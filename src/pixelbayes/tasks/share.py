"""Another name of `distributed.Shard`."""

from ..distributed import ALONE as ALONE
from ..distributed import Shard as Share

__all__ = ["ALONE", "Share"]
