"""One image file -> its values, at the file's own depth."""

import io
import re
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from . import png16
from .raw import BadImageError, Facts, Picture

FORMATS = "png jpg jpeg jpe jfif bmp gif tif tiff webp ppm pgm pbm pnm npy"
SUFFIXES = frozenset(f".{name}" for name in FORMATS.split(" "))
"""Names that count as images in a folder; other files are left alone."""

GREY_MODES = ("1", "L", "LA", "La", "I", "F")
DEEP = re.compile(r"I(;16.*)?$")
BITS_PER_SAMPLE = 258
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)

Source = Path | bytes


def read_picture(source: Source) -> Picture:
    """Decode a file, or a file's bytes. Raises BadImageError with the reason."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source))
    with _opened(source) as file:
        try:
            if _deep_header(file) is not None:
                return Picture(png16.decode(file.read()), 65_535)
            with warnings.catch_warnings(), Image.open(file) as image:
                warnings.simplefilter("ignore")  # odd metadata is no reason to speak
                return _picture(image)
        except BadImageError:
            raise
        except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
            raise BadImageError(_reason(error)) from error


def read_facts(source: Source) -> Facts:
    """Size, channels and depth from the header alone. Raises BadImageError."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source)).facts
    with _opened(source) as file:
        try:
            if (deep := _deep_header(file)) is not None:
                height, width, channels = deep
                return Facts(height, width, 1 if channels == 2 else 3, 65_535)
            with warnings.catch_warnings(), Image.open(file) as image:
                warnings.simplefilter("ignore")
                _refuse_cut_depth(image)
                width, height = image.size
                if _says_orientation(image) and image.getexif().get(ORIENTATION) in SIDEWAYS:
                    width, height = height, width
                channels, maximum = 1 if _is_grey(image) else 3, 65_535 if _is_deep(image) else 255
                return Facts(height, width, channels, maximum, _pictures(image))
        except BadImageError:
            raise
        except Exception as error:
            raise BadImageError(_reason(error)) from error


def _opened(source: Source) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise BadImageError("empty")
        return io.BytesIO(source)
    try:
        if source.stat().st_size == 0:
            raise BadImageError("empty")
        return source.open("rb")
    except OSError as error:
        raise BadImageError((error.strerror or "cannot be opened").lower()) from error


def _deep_header(file: BinaryIO) -> tuple[int, int, int] | None:
    found = png16.header(file.read(33))
    file.seek(0)
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    if "truncated" in str(error).lower():
        return "truncated"
    return "corrupt"


def _says_orientation(image: Image.Image) -> bool:
    """Asking a PNG without the note would decode all of it."""
    return image.format != "PNG" or "exif" in image.info


def _pictures(image: Image.Image) -> int:
    """Pages or frames. The second picture in a photograph of a telephone (MPO) is a view of the first."""
    return getattr(image, "n_frames", 1) if image.format in ("TIFF", "GIF", "WEBP", "PNG") else 1


def _refuse_cut_depth(image: Image.Image) -> None:
    """Pillow reads the upper half of the bits of such files and does not say so."""
    depths = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, 8)
    deepest = max(depths) if isinstance(depths, tuple) else depths
    if deepest > 8 and not (_is_deep(image) or image.mode == "F"):
        raise BadImageError(f"{deepest} bits a colour, of which 8 would be read; save it as PNG")


def _is_deep(image: Image.Image) -> bool:
    return bool(DEEP.match(image.mode))


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.asarray(image.getpalette() or [0, 0, 0]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES or _is_deep(image)


def _picture(image: Image.Image) -> Picture:
    _refuse_cut_depth(image)
    grey = _is_grey(image)
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise BadImageError("floating-point values; save integers")
    if _is_deep(upright):
        values = np.asarray(upright).astype(np.int32)
        if values.min() < 0 or values.max() > 65_535:
            raise BadImageError("values outside 0..65535")
        return Picture(values[..., None], 65_535)
    flat = _without_alpha(upright).convert("L" if grey else "RGB")
    values = np.asarray(flat)
    return Picture(values[..., None] if grey else values, 255)


def _without_alpha(image: Image.Image) -> Image.Image:
    """What is transparent shows white paper, as in most viewers, not the colour hidden beneath."""
    if "A" not in image.getbands() and "a" not in image.getbands() and "transparency" not in image.info:
        return image
    layered = image.convert("RGBA")
    paper = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, layered).convert("RGB")


def _numpy_values(path: Path) -> tuple[np.ndarray, int]:
    """A .npy file with one image, [H, W] or [H, W, C] of integers."""
    values = load_array(path)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise BadImageError(f"an array of shape {values.shape}; one image is H x W, H x W x 1 or H x W x 3")
    return as_integers(values)


def load_array(path: Path) -> np.ndarray:
    """A .npy file, memory-mapped; nothing in it is executed. Raises BadImageError."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises ValueError, EOFError, SyntaxError, ... on damaged headers
        empty = path.is_file() and path.stat().st_size == 0
        raise BadImageError("empty" if empty else "not a .npy array, or truncated") from error


def as_integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Values and their maximum by their type: 255 for uint8, 65,535 for wider integers. Raises BadImageError."""
    if values.dtype == np.uint8:
        return values, 255
    if values.dtype == np.bool_:
        return values.astype(np.uint8), 1
    if not np.issubdtype(values.dtype, np.integer):
        raise BadImageError(f"{values.dtype} values; integers are needed")
    if values.size and (values.min() < 0 or values.max() > 65_535):
        raise BadImageError("values outside 0..65535")
    return values.astype(np.int32), 65_535
