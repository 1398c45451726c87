"""Kinds of image files: by their names, and what has to be installed for some."""

from importlib.util import find_spec
from pathlib import PurePath

PILLOW = {
    "PNG": "png apng",
    "JPEG": "jpg jpeg jpe jfif jif mpo",
    "BMP": "bmp",
    "DIB": "dib",
    "GIF": "gif",
    "TIFF": "tif tiff",
    "WEBP": "webp",
    "PPM": "ppm pgm pbm pnm pfm",
    "AVIF": "avif avifs",
    "JPEG2000": "jp2 j2k jpx j2c jpc jpf",
    "TGA": "tga icb vda vst",
    "PCX": "pcx",
    "SGI": "sgi rgb rgba bw",
    "SUN": "ras",
    "QOI": "qoi",
    "DDS": "dds",
    "ICO": "ico",
    "XBM": "xbm",
    "PSD": "psd",
}
"""Formats that Pillow may open, and their names' endings. Not those that start another program (PostScript)."""
EXTRAS = {
    "heic heif hif": ("heic", "pillow_heif"),
    "dcm dicom": ("dicom", "pydicom"),
    "fits fit fts": ("fits", "astropy"),
}
"""Names' endings -> the extra of ours that reads such files, and the module that it installs."""


def _dotted(endings: str) -> list[str]:
    return [f".{ending}" for ending in endings.split()]


BY_EXTRA = {ending: extra for endings, extra in EXTRAS.items() for ending in _dotted(endings)}
ALWAYS = frozenset([".npy", *(ending for endings in PILLOW.values() for ending in _dotted(endings))])


def is_image_name(name: str | PurePath) -> bool:
    """Whether a file's name says that it is an image that is read here.

    >>> is_image_name("a/b.JPG"), is_image_name("b.txt"), is_image_name(".hidden.png")
    (True, False, False)
    """
    path = PurePath(name)
    suffix = path.suffix.lower()
    return (suffix in ALWAYS or is_installed(suffix)) and not path.name.startswith(".")


def is_installed(suffix: str) -> bool:
    """Whether the extra that reads files with such an ending is there."""
    return suffix in BY_EXTRA and find_spec(BY_EXTRA[suffix][1]) is not None


def advice(suffix: str) -> str:
    """What reads files with such an ending, for the user; '' where nothing does.

    >>> advice(".txt")
    ''
    """
    return f"pip install {BY_EXTRA[suffix][1].replace('_', '-')} reads them" if suffix in BY_EXTRA else ""
