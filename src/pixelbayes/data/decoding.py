"""One image file -> its values, at the file's own depth."""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from . import deep
from .formats import BY_EXTRA, PILLOW, advice, is_installed
from .raw import UNSTATED, BadImageError, Facts, Picture, check_size, check_values

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


@dataclass(frozen=True)
class Reader:
    """How files of one kind are read; `header` says what they hold without decoding them, where it can."""

    picture: Callable[[BinaryIO], Picture]
    header: Callable[[BinaryIO], Facts] | None = None

    def facts(self, file: BinaryIO) -> Facts:
        return self.picture(file).facts if self.header is None else self.header(file)


def read_picture(source: Source) -> Picture:
    """Decode a file, or a file's bytes. Raises BadImageError with the reason."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source))
    return _read(source, lambda reader, file: reader.picture(file))


def read_facts(source: Source) -> Facts:
    """Size, channels and depth from the header alone. Raises BadImageError."""
    if isinstance(source, Path) and source.suffix.lower() == ".npy":
        return Picture(*_numpy_values(source)).facts
    return _read(source, Reader.facts)


def _read(source: Source, how: Callable[[Reader, BinaryIO], T]) -> T:
    with _opened(source) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd metadata is no reason to speak
                reader = _reader_of(file)
                file.seek(0)
                return how(reader, file)
        except BadImageError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged files
            raise BadImageError(_reason(error)) from error


def _reader_of(file: BinaryIO) -> Reader:
    """By the beginning of the file; Pillow reads what is of 8 bits, and all that no other is for."""
    start = file.read(512)
    file.seek(0)
    if (png := deep.png_facts(start)) is not None:
        return Reader(deep.read_png, lambda _: png)
    if deep.is_deep_pnm(start):
        return Reader(deep.read_pnm, lambda pnm: deep.open_pnm(pnm)[1])
    if start[128:132] == b"DICM":
        return _by_extra(".dcm", Reader(deep.read_dicom))
    if start.startswith(b"SIMPLE  ="):
        return _by_extra(".fits", Reader(deep.read_fits))
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS and b"avif" not in start[8:64]:
        reader = Reader(_read_heif, lambda heif: replace(_read_heif(heif).facts, cut=_cut(heif)))
        return _by_extra(".heic", reader)
    if start[:4] in TIFF_MARKS and (tiff := deep.tiff_facts(file)) is not None:
        return Reader(deep.read_tiff, lambda _: tiff)
    file.seek(0)
    if start.startswith(JP2_MARKS) and deep.jp2_bits(content := file.read()) > 8:
        with _by_pillow(io.BytesIO(content)):  # whose header says the size
            return Reader(deep.read_jp2)
    return Reader(partial(_asked_of_pillow, _picture), partial(_asked_of_pillow, _facts))


def _by_extra(suffix: str, reader: Reader) -> Reader:
    """The reader of a kind that needs an extra. Raises BadImageError, saying which, where it is not installed."""
    if not is_installed(suffix):
        raise BadImageError(f"{BY_EXTRA[suffix][0].upper()}: {advice(suffix)}")
    return reader


def _asked_of_pillow(how: Callable[[Image.Image, BinaryIO], T], file: BinaryIO) -> T:
    """What `how` says of the opened image; of a PNG once more without its notes, which may be the trouble."""
    try:
        with _by_pillow(file) as image:
            return how(image, file)
    except Exception:
        file.seek(0)
        if file.read(4) != b"\x89PNG":
            raise
    with _by_pillow(_without_text(file)) as image:
        return how(image, file)


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
    chunks, start = [content[:8]], 8
    while start + 12 <= len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        if content[start + 4 : start + 8] not in TEXT_CHUNKS:
            chunks.append(content[start:end])
        start = end
    return io.BytesIO(b"".join(chunks))


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
    ):  # some versions of Pillow give the upright image's size, some that of the stored one
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = tags.get(256, width), tags.get(257, height)
    if _orientation(image) in deep.SIDEWAYS:
        width, height = height, width
    maximum = UNSTATED if image.mode == "F" else 65_535 if _is_deep(image) else 255
    cut = _cut(file) if image.format == "AVIF" else None
    return Facts(height, width, 1 if _is_grey(image) else 3, maximum, *_pictures(image, file), cut)


def _cut(file: BinaryIO) -> int | None:
    """Bits of a value of an AVIF or HEIC file where they are more than the 8 that Pillow reads, by its boxes 'pixi'
    (ISO 23008-12, 6.5.6) and 'av1C' (AV1 in ISOBMFF, 2.3)."""
    file.seek(0)
    start = file.read(HEIF_HEADER) + bytes(8)
    stated = [start[box.end() + 5] for box in re.finditer(b"pixi", start)]
    flags = [start[box.end() + 2] for box in re.finditer(b"av1C", start)]
    coded = [8 + 2 * (flag >> 6 & 1) + 2 * (flag >> 5 & 1) for flag in flags]
    bits = max([8, *(each for each in (*stated, *coded) if each <= 16)])
    return bits if bits > 8 else None


def _orientation(image: Image.Image) -> int:
    """1 where the note cannot be read."""
    if image.format == "PNG" and "exif" not in image.info:  # asking would decode all of it
        return 1
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # junk in a note is no reason to leave the pixels
        return 1
    return orientation if isinstance(orientation, int) else 1


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
    values = np.asarray(image if image.mode == "F" or _is_deep(image) else _as_8_bit(image, grey))
    maximum = UNSTATED if image.mode == "F" else 65_535 if _is_deep(image) else 255
    if maximum == 65_535:
        check_values(values, maximum)
        values = values.astype(np.int32)
    values = values[..., None] if values.ndim == 2 else values
    # Of a TIFF, Pillow has turned the pixels at loading, and forgotten the note.
    return Picture(deep.upright(values, _orientation(image)), maximum, *frames)


def _as_8_bit(image: Image.Image, grey: bool) -> Image.Image:
    """What is transparent shows white paper, as in most viewers, not the colour hidden beneath."""
    if {"A", "a"} & {*image.getbands()} or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        image = Image.alpha_composite(paper, layered).convert("RGB")
    return image.convert("L" if grey else "RGB")


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
    check_values(values, 65_535)
    return values.astype(np.int32), 255 if values.max() <= 255 and values.dtype != np.uint16 else 65_535
