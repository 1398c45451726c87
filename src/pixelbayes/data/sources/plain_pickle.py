"""An unpickler that builds nothing but dictionaries, lists, strings, numbers and arrays."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError


def _blank(kind: object, shape: object, code: object) -> np.ndarray:
    """An empty array, which the pickle then fills."""
    return np.ndarray.__new__(np.ndarray, (0,), dtype=np.uint8)


def _number_type(code: Any, *flags: object) -> np.dtype:
    kind = np.dtype(code.decode() if isinstance(code, bytes) else str(code))
    if kind.kind not in "buif" or kind.names is not None:
        raise pickle.UnpicklingError(f"it asks for an array of {kind}")
    return kind


def _latin(text: str, code: str) -> bytes:
    """How Python 3 writes bytes into pickles that Python 2 could read."""
    if code != "latin1":
        raise pickle.UnpicklingError(f"it asks for text in {code}")
    return text.encode(code)


ALLOWED = {
    ("_codecs", "encode"): _latin,
    ("numpy.core.multiarray", "_reconstruct"): _blank,
    ("numpy._core.multiarray", "_reconstruct"): _blank,
    ("numpy", "ndarray"): "ndarray",  # only named by the pickle, never called
    ("numpy", "dtype"): _number_type,
}


class PlainUnpickler(pickle.Unpickler):
    """Whatever a pickle asks for beyond the table is refused, before anything of it exists."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {ascii(f'{module}.{name}')[1:-1]}")
        return ALLOWED[module, name]


def read_plain(path: Path) -> dict[str, Any]:
    """A pickled dictionary with its keys as text. Raises UserError naming a file that is anything else."""
    try:
        with path.open("rb") as file:
            found = PlainUnpickler(file, encoding="bytes").load()
    except EOFError as error:
        raise UserError(f"{path} is truncated") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle can make any of its operations fail
        reason = str(error) if isinstance(error, pickle.UnpicklingError) else "damaged or truncated"
        raise UserError(f"{path} is refused: not a plain batch of images ({reason})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is refused: it holds a {type(found).__name__}, not a batch of images")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in found.items()
    }
