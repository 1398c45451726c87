"""One image file -> its values, at the file's own depth."""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from . import deep
from .formats import BY_EXTRA, PILLOW, advice, is_installed
from .raw import UNSTATED, BadImageError, Facts, Picture, check_size

GREY_MODES = ("1", "L", "LA", "La", "I", "F")
ORIENTATION = 0x0112
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf")
"""Of a PNG; however odd they are, the pixels are as good as without them."""
HEIF_HEADER = 1 << 16
"""Bytes in which the properties of an AVIF or HEIC file lie."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
JP2_MARKS = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

Source = Path | bytes
T = TypeVar("T")


def read_picture(source: Source) -> Picture:
    """Decode a file, or a file's bytes. Raises BadImageError with the reason."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source))
    return _read(source, _decode)


def read_facts(source: Source) -> Facts:
    """Size, channels and depth from the header alone. Raises BadImageError."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source)).facts
    return _read(source, _look)


def _read(source: Source, how: Callable[[BinaryIO, bytes], T]) -> T:
    with _opened(source) as file:
        start = file.read(512)
        file.seek(0)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd metadata is no reason to speak
                return how(file, start)
        except BadImageError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged files
            raise BadImageError(_reason(error)) from error


def _decode(file: BinaryIO, start: bytes) -> Picture:
    if (size := deep.deep_png(start)) is not None:
        return deep.read_png(file.read(), size)
    if deep.is_deep_pnm(start):
        return deep.read_pnm(file)
    if (reader := _by_extra(start)) is not None:
        return reader(file)
    if start[:4] in TIFF_MARKS and (deep.tiff_facts(file) is not None):
        file.seek(0)
        return deep.read_tiff(file)
    file.seek(0)
    if start.startswith(JP2_MARKS) and deep.jp2_bits(content := file.read()) > 8:
        with _by_pillow(io.BytesIO(content)):  # whose header says the size
            return deep.read_jp2(content)
    file.seek(0)
    try:
        with _by_pillow(file) as image:
            return _picture(image, file)
    except Exception:
        if not start.startswith(b"\x89PNG"):
            raise
    with _by_pillow(_without_text(file)) as image:
        return _picture(image, file)


def _look(file: BinaryIO, start: bytes) -> Facts:
    if (size := deep.deep_png(start)) is not None:
        return deep.png_facts(size)
    if deep.is_deep_pnm(start):
        return deep.pnm_facts(file)
    if (reader := _by_extra(start)) is not None:
        found = reader(file).facts
        return replace(found, cut=_cut(file)) if reader is _read_heif else found
    if start[:4] in TIFF_MARKS and (facts := deep.tiff_facts(file)) is not None:
        return facts
    file.seek(0)
    if start.startswith(JP2_MARKS) and deep.jp2_bits(content := file.read()) > 8:
        return _decode(io.BytesIO(content), start).facts
    file.seek(0)
    try:
        with _by_pillow(file) as image:
            return _facts(image, file)
    except Exception:
        if not start.startswith(b"\x89PNG"):
            raise
    with _by_pillow(_without_text(file)) as image:
        return _facts(image, file)


def _by_extra(start: bytes) -> Callable[[BinaryIO], Picture] | None:
    """The reader of a kind that needs an extra. Raises BadImageError, saying which, where it is not installed."""
    if start[128:132] == b"DICM":
        return _needed(".dcm", deep.read_dicom)
    if start.startswith(b"SIMPLE  ="):
        return _needed(".fits", deep.read_fits)
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS and b"avif" not in start[8:64]:
        return _needed(".heic", _read_heif)
    return None


def _needed(suffix: str, reader: Callable[[BinaryIO], Picture]) -> Callable[[BinaryIO], Picture]:
    if not is_installed(suffix):
        raise BadImageError(f"{BY_EXTRA[suffix][0].upper()}: {advice(suffix)}")
    return reader


def _read_heif(file: BinaryIO) -> Picture:
    import pillow_heif

    pillow_heif.register_heif_opener()
    with Image.open(file, formats=["HEIF"]) as image:
        check_size(image.height, image.width, len(image.getbands()))
        return _picture(image, file)


def _opened(source: Source) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise BadImageError("empty")
        return io.BytesIO(source)
    try:
        if source.stat().st_size == 0:
            raise BadImageError("empty")
        return source.open("rb")
    except (OSError, ValueError) as error:
        raise BadImageError((getattr(error, "strerror", None) or "cannot be opened").lower()) from error


def _by_pillow(file: BinaryIO) -> Image.Image:
    """Opened, not decoded. Raises BadImageError where it would be too large, decoded."""
    image = Image.open(file, formats=_formats())
    check_size(image.height, image.width, len(image.getbands()))
    return image


@cache
def _formats() -> list[str]:
    """Those that are meant, of which older versions of Pillow lack some."""
    Image.init()
    return [name for name in PILLOW if name in Image.OPEN]


def _without_text(file: BinaryIO) -> BinaryIO:
    """A PNG without its notes: long or broken ones make Pillow refuse good pixels."""
    file.seek(0)
    content = file.read()
    kept, place = [content[:8]], 8
    while place + 12 <= len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4])
        if content[place + 4 : place + 8] not in TEXT_CHUNKS:
            kept.append(content[place:end])
        place = end
    return io.BytesIO(b"".join(kept))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels"
    if isinstance(error, MemoryError):
        return "too large for the memory"
    if "truncated" in str(error).lower():
        return "truncated"
    return "corrupt"


def _facts(image: Image.Image, file: BinaryIO) -> Facts:
    width, height = image.size
    if (
        image.format == "TIFF"
    ):  # some versions of Pillow give the size of the upright image, some that of the stored one
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = tags.get(256, width), tags.get(257, height)
    if _says_orientation(image) and _orientation(image) in deep.SIDEWAYS:
        width, height = height, width
    channels, maximum = 1 if _is_grey(image) else 3, 65_535 if _is_deep(image) else 255
    maximum = UNSTATED if image.mode == "F" else maximum
    cut = _cut(file) if image.format == "AVIF" else None
    return Facts(height, width, channels, maximum, *_pictures(image, file), cut)


def _cut(file: BinaryIO) -> int | None:
    """Bits of a value of an AVIF or HEIC file where they are more than the 8 that Pillow reads, by its boxes 'pixi'
    (ISO 23008-12, 6.5.6) and 'av1C' (AV1 in ISOBMFF, 2.3)."""
    file.seek(0)
    start = file.read(HEIF_HEADER) + bytes(8)
    stated = [start[found.end() + 5] for found in re.finditer(b"pixi", start)]
    flags = [start[found.end() + 2] for found in re.finditer(b"av1C", start)]
    coded = [8 + 2 * (flag >> 6 & 1) + 2 * (flag >> 5 & 1) for flag in flags]
    bits = max([8, *(each for each in (*stated, *coded) if each <= 16)])
    return bits if bits > 8 else None


def _says_orientation(image: Image.Image) -> bool:
    """Asking a PNG without the note would decode all of it."""
    return image.format != "PNG" or "exif" in image.info


def _orientation(image: Image.Image) -> int:
    """1 where the note cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # junk in a note is no reason to leave the pixels
        return 1
    return found if isinstance(found, int) else 1


def _pictures(image: Image.Image, file: BinaryIO) -> tuple[int, bool]:
    """Pages or frames, and whether they are a stack; the second picture of a telephone's photograph (MPO) is a view of
    the first."""
    if image.format == "TIFF":
        import tifffile

        file.seek(0)
        with tifffile.TiffFile(file) as opened:
            return deep.stack_of(opened, opened.pages.first)
    return (getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "PNG", "AVIF") else 1), False


def _is_deep(image: Image.Image) -> bool:
    return image.mode == "I" or image.mode.startswith("I;16")


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.asarray(image.getpalette() or [0, 0, 0]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in GREY_MODES or _is_deep(image)


def _picture(image: Image.Image, file: BinaryIO) -> Picture:
    if image.mode == "RGBX":
        raise BadImageError("4 bands, of which the last is not said to be transparency")
    grey, frames = _is_grey(image), _pictures(image, file) if image.format == "TIFF" else (1, False)
    image.load()
    if _is_deep(image) or image.mode == "F":
        values, maximum = np.asarray(image), 65_535 if _is_deep(image) else UNSTATED
        if maximum and (values.min() < 0 or values.max() > maximum):
            raise BadImageError("values outside 0..65535")
        values = values.astype(np.int32 if maximum else np.float32)[..., None]
    else:
        values, maximum = np.asarray(_without_alpha(image).convert("L" if grey else "RGB")), 255
        values = values[..., None] if grey else values
    # Of a TIFF, Pillow has turned the pixels at loading, and forgotten the note.
    turn = deep.TURNS.get(_orientation(image) if _says_orientation(image) else 1)
    return Picture(np.ascontiguousarray(turn(values)) if turn else values, maximum, *frames)


def _without_alpha(image: Image.Image) -> Image.Image:
    """What is transparent shows white paper, as in most viewers, not the colour hidden beneath."""
    if "A" not in image.getbands() and "a" not in image.getbands() and "transparency" not in image.info:
        return image
    layered = image.convert("RGBA")
    paper = Image.new("RGBA", layered.size, (255, 255, 255, 255))
    return Image.alpha_composite(paper, layered).convert("RGB")


def _numpy_values(path: Path) -> tuple[np.ndarray, int]:
    """A .npy file with one image, [H, W] or [H, W, C] of integers, or of floating-point numbers."""
    values = load_array(path)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[-1] not in (1, 3) or 0 in values.shape:
        raise BadImageError(f"an array of shape {values.shape}; one image is H x W, H x W x 1 or H x W x 3")
    check_size(values.shape[0], values.shape[1], values.shape[2] * values.itemsize)
    return as_integers(values)


def load_array(path: Path) -> np.ndarray:
    """A .npy file, memory-mapped; nothing in it is executed. Raises BadImageError."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises ValueError, EOFError, SyntaxError, ... on damaged headers
        empty = path.is_file() and path.stat().st_size == 0
        raise BadImageError("empty" if empty else "not a .npy array, or truncated") from error


def as_integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Values and the value of white: 255 for uint8 and for wider integers that stay below 256, else 65,535; `UNSTATED`
    for floating-point numbers. Raises BadImageError."""
    if values.dtype == np.uint8:
        return values, 255
    if values.dtype == np.bool_:
        return values.astype(np.uint8), 1
    if np.issubdtype(values.dtype, np.floating):
        return np.asarray(values, np.float64), UNSTATED
    if not np.issubdtype(values.dtype, np.integer):
        raise BadImageError(f"{values.dtype} values; integers are needed")
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65_535:
        raise BadImageError("values outside 0..65535")
    return values.astype(np.int32), 255 if highest <= 255 and values.dtype != np.uint16 else 65_535
