"""Files of more than 8 bits, or with bands of any kind, by the libraries that keep their depth."""

import io
import logging
from typing import Any, BinaryIO

import numpy as np

from .raw import UNSTATED, BadImageError, Facts, Picture, check_size, check_values

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # a damaged file is told by its error

PNG_CHANNELS = {2: 3, 4: 2, 6: 4}
"""Of the colour types that Pillow would cut to 8 bits: RGB, grey with alpha, RGB with alpha."""
TURNS = {
    2: lambda v: v[:, ::-1],
    3: lambda v: v[::-1, ::-1],
    4: lambda v: v[::-1],
    5: lambda v: v.swapaxes(0, 1),
    6: lambda v: np.rot90(v, -1),
    7: lambda v: v[::-1, ::-1].swapaxes(0, 1),
    8: lambda v: np.rot90(v),
}
"""What makes an image upright that was stored in one of EXIF's orientations but the first."""
SIDEWAYS = (5, 6, 7, 8)
ALPHA = (1, 2)
"""Kinds of a TIFF's extra sample that are transparency: the colours multiplied by it already, or not."""


def png_facts(start: bytes) -> Facts | None:
    """What a file that begins so says where it is a PNG of 16 bits that Pillow would cut to 8; else None.

    Raises BadImageError where it is too large.
    """
    if start[:8] != b"\x89PNG\r\n\x1a\n" or start[12:16] != b"IHDR" or len(start) < 26:
        return None
    depth, colour = start[24], start[25]
    if depth != 16 or colour not in PNG_CHANNELS:
        return None
    height, width = int.from_bytes(start[20:24]), int.from_bytes(start[16:20])
    check_size(height, width, 2 * PNG_CHANNELS[colour])
    return Facts(height, width, 1 if PNG_CHANNELS[colour] == 2 else 3, 65_535)


def read_png(file: BinaryIO) -> Picture:
    """Values 0..65,535, of a file whose size was checked. Raises what the library raises."""
    import imagecodecs

    return Picture(on_paper(imagecodecs.png_decode(file.read()), 65_535), 65_535)


def is_deep_pnm(start: bytes) -> bool:
    """Whether it is a PPM or PGM of more than 8 bits (or of odd depth: the file says what white is)."""
    if start[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        return False
    words = b" ".join(line.partition(b"#")[0] for line in start.split(b"\n")).split()
    return len(words) > 3 and words[3].isdigit() and int(words[3]) > 255


def read_pnm(file: BinaryIO) -> Picture:
    opened, facts = open_pnm(file)
    values = opened.asarray()
    if int(values.max()) > facts.maximum:
        raise BadImageError("corrupt")
    return Picture(values.astype(np.int32).reshape(facts.height, facts.width, facts.channels), facts.maximum)


def open_pnm(file: BinaryIO) -> tuple[Any, Facts]:
    """The opened file, and what its header says. Raises BadImageError where it is too large."""
    import netpbmfile

    opened = netpbmfile.NetpbmFile(file)
    channels = 3 if opened.magicnumber in ("P3", "P6") else 1
    height, width = opened.shape[-3:-1] if channels == 3 else opened.shape[-2:]
    check_size(height, width, 2 * channels)
    return opened, Facts(height, width, channels, int(opened.maxval))


def jp2_bits(content: bytes) -> int:
    """Bits of a sample of a JPEG 2000 file (SIZ, ISO 15444-1 A.5.1); 8 where it does not say."""
    at = content.find(b"\xff\x4f\xff\x51") + 42
    return (content[at] & 127) + 1 if 42 <= at < len(content) else 8


def read_jp2(file: BinaryIO) -> Picture:
    import imagecodecs

    content = file.read()
    maximum = 2 ** jp2_bits(content) - 1
    return Picture(on_paper(imagecodecs.jpeg2k_decode(content), maximum), maximum)


def tiff_facts(file: BinaryIO) -> Facts | None:
    """What the first page says; None for one of 8 bits, which Pillow reads."""
    import tifffile

    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        plain = page.bitspersample <= 8 and page.sampleformat == 1 and page.imagedepth == 1
        if plain and page.samplesperpixel <= 4 and set(page.extrasamples) <= set(ALPHA):
            return None
        return _page_facts(opened, page)


def read_tiff(file: BinaryIO) -> Picture:
    """The first page, upright. Raises BadImageError for bands, for depths and for colours that are not read."""
    import tifffile

    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        facts = _page_facts(opened, page)
        values = page.asarray()
    values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values
    values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    if facts.maximum != UNSTATED:
        check_values(values, facts.maximum)
        if page.photometric == 0:
            values = facts.maximum - values.astype(np.int64)
        values = on_paper(values, facts.maximum, multiplied=ALPHA[0] in page.extrasamples)
    return Picture(upright(values, _orientation(page)), facts.maximum, facts.pictures, facts.stacked)


def _page_facts(opened: Any, page: Any) -> Facts:
    channels, bits = page.samplesperpixel, page.bitspersample
    check_size(page.imagelength, page.imagewidth, channels * max(1, bits // 8))
    kinds = tuple(page.extrasamples)
    colours = channels - len(kinds)
    if colours not in (1, 3) or len(kinds) > 1 or (kinds and kinds[0] not in ALPHA) or page.imagedepth != 1:
        raise BadImageError(f"{channels} bands; grey (1) and RGB (3) are read, with transparency or without")
    if page.photometric not in (0, 1, 2):
        colours_name = getattr(page.photometric, "name", page.photometric)
        raise BadImageError(f"{bits} bits in the colours {colours_name}")
    if page.sampleformat not in (1, 2, 3) or (page.sampleformat == 3 and kinds):
        raise BadImageError(
            "values that are neither integers nor floating-point numbers, or floating-point transparency"
        )
    sideways = _orientation(page) in SIDEWAYS
    height, width = (page.imagewidth, page.imagelength) if sideways else (page.imagelength, page.imagewidth)
    maximum = {1: 2 ** min(bits, 16) - 1, 2: 65_535, 3: UNSTATED}[page.sampleformat]
    return Facts(height, width, colours, maximum, *stack_of(opened, page))


def stack_of(opened: Any, page: Any) -> tuple[int, bool]:
    """How many pages a TIFF holds, and whether they are a stack (of one size; a smaller one is a thumbnail)."""
    size = (page.imagelength, page.imagewidth)
    others = [each for each in opened.pages[1:] if not each.is_reduced]
    alike = any((each.imagelength, each.imagewidth) == size for each in others)
    return len(opened.pages), alike


def _orientation(page: Any) -> int:
    orientation = page.tags.valueof(274)
    return orientation if isinstance(orientation, int) else 1


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values `[H, W, C]` that were stored in one of EXIF's orientations."""
    turn = TURNS.get(orientation)
    return np.ascontiguousarray(turn(values)) if turn else values


def on_paper(values: np.ndarray, maximum: int, multiplied: bool = False) -> np.ndarray:
    """Integers `[H, W, 1 or 3]` of `[H, W]` or `[H, W, C]`; what is transparent shows white paper."""
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[-1] in (1, 3):
        return values.astype(np.int32)
    pixels = values.astype(np.int64)
    colours, alpha = pixels[..., :-1], pixels[..., -1:]
    if multiplied:
        return np.minimum(colours + maximum - alpha, maximum).astype(np.int32)
    return ((colours * alpha + maximum * (maximum - alpha) + maximum // 2) // maximum).astype(np.int32)


def read_dicom(file: BinaryIO) -> Picture:
    """One frame; white is that of the bits that are stored."""
    import pydicom

    data = pydicom.dcmread(file)
    frames = int(getattr(data, "NumberOfFrames", 1) or 1)
    channels = int(getattr(data, "SamplesPerPixel", 1))
    check_size(data.Rows, data.Columns, frames * channels * data.BitsAllocated // 8)
    values = data.pixel_array
    values = values[0] if frames > 1 else values
    maximum = 2**data.BitsStored - 1
    if data.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2", "RGB"):
        raise BadImageError(f"DICOM in the colours {data.PhotometricInterpretation}")
    check_values(values, maximum, " (a signed DICOM)")
    if data.PhotometricInterpretation == "MONOCHROME1":
        values = maximum - values.astype(np.int32)
    return Picture(on_paper(values, maximum), maximum, frames, frames > 1)


def read_fits(file: BinaryIO) -> Picture:
    """The first image of two axes, in the order of its rows; floating-point ones do not say what white is."""
    from astropy.io import fits

    with fits.open(io.BytesIO(file.read())) as units:
        images = [unit for unit in units if getattr(unit, "is_image", False) and unit.header.get("NAXIS")]
        if not images:
            raise BadImageError("a FITS file without an image")
        shape = images[0].shape
        if len(shape) != 2:
            raise BadImageError(f"a FITS image of {len(shape)} axes {shape}; two are read")
        check_size(shape[0], shape[1], abs(images[0].header["BITPIX"]) // 8)
        values = np.asarray(images[0].data)
    if np.issubdtype(values.dtype, np.floating):
        return Picture(values[..., None], UNSTATED)
    check_values(values, 65_535)
    maximum = 255 if values.dtype == np.uint8 else 65_535
    return Picture(values.astype(np.int32)[..., None], maximum)
