"""Every kind of file -> its values, at its own depth."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset
from pixelbayes.data.decoding import read_facts, read_picture
from pixelbayes.data.preparation import Preparation
from pixelbayes.data.raw import BadImageError, Facts
from pixelbayes.data.remarks import about_kinds
from pixelbayes.errors import UserError

from .conftest import noise


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def deep(seed: int = 0, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65_536, shape or (7, 5)).astype(np.uint16)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("CMYK", 3)]
)
def test_modes(tmp_path: Path, mode: str, channels: int) -> None:
    image = Image.fromarray(noise(0, 6, 9)).convert(mode)
    path = save(tmp_path / ("x.tif" if mode == "CMYK" else "x.png"), image)
    picture = read_picture(path)
    assert read_facts(path) == picture.facts == Facts(6, 9, channels, 255)
    if mode in ("L", "RGB"):
        assert (picture.values.squeeze() == np.asarray(image)).all()


def test_a_picture_too_large_for_the_memory_is_not_called_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(BadImageError, match="more than 20 pixels"):
        read_picture(tmp_path / "large.png")


def test_a_grey_palette_is_grey(tmp_path: Path) -> None:
    grey = noise(1, 6, 6, channels=1)
    path = save(tmp_path / "x.gif", Image.fromarray(grey))
    assert read_facts(path).channels == 1
    assert (read_picture(path).values[..., 0] == grey).all()


def test_transparent_pixels_show_white_paper(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (read_picture(save(tmp_path / "x.png", image)).values == 255).all()


def test_the_cameras_orientation_is_followed(tmp_path: Path) -> None:
    image = Image.fromarray(noise(2, 8, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "x.png", image, exif=exif)
    assert read_facts(path) == Facts(16, 8, 3, 255)
    assert (read_picture(path).values == np.rot90(np.asarray(image), -1)).all()


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_several_pictures_in_a_file_are_told_and_the_first_is_read(tmp_path: Path, suffix: str) -> None:
    pages = [Image.fromarray(noise(1, 8, 16)), Image.fromarray(noise(2, 8, 16))]
    path = save(tmp_path / f"x{suffix}", pages[0], save_all=True, append_images=pages[1:], lossless=True)
    facts = read_facts(path)
    assert (facts.height, facts.width, facts.pictures) == (8, 16, 2)
    if suffix != ".gif":  # which has 256 colours
        assert (read_picture(path).values == np.asarray(pages[0])).all()
    (notice,) = about_kinds([facts, Facts(8, 16, 3, 255)], Preparation(8, 16, 3))
    assert notice == "1 of 2 files hold several pictures; the first of each is taken"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey(tmp_path: Path, suffix: str) -> None:
    values = deep()
    path = save(tmp_path / f"x{suffix}", Image.fromarray(values))
    assert read_facts(path) == Facts(7, 5, 1, 65_535)
    assert (read_picture(path).values[..., 0] == values).all()


def test_sixteen_bit_npy_and_other_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", deep())
    assert (read_picture(tmp_path / "x.npy").values[..., 0] == deep()).all()
    np.save(tmp_path / "y.npy", np.zeros((4, 4), complex))
    with pytest.raises(BadImageError, match="integers are needed"):
        read_picture(tmp_path / "y.npy")
    np.save(tmp_path / "z.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(BadImageError):
        read_picture(tmp_path / "z.npy")


def test_sixteen_bit_files_become_65536_levels(tmp_path: Path) -> None:
    for row in range(4):
        save(tmp_path / f"{row}.png", Image.fromarray(deep(row)))
    data = open_dataset(tmp_path, DataConfig(validation_share=0))
    assert data.shape.levels == 65_536
    assert (data.train.levels[2, 0].numpy() == deep(2)).all()
    with pytest.raises(UserError, match="deeper than the 256 levels"):
        open_dataset(tmp_path, DataConfig(levels=256))


def test_sixteen_bit_resize_is_at_that_depth(tmp_path: Path) -> None:
    values = deep(0, 8, 8)
    save(tmp_path / "x.png", Image.fromarray(values))
    data = open_dataset(tmp_path, DataConfig(size=4, resize="box"))
    means = values.astype(float).reshape(4, 2, 4, 2).mean((1, 3))
    assert np.abs(data.train.levels[0, 0].numpy() - means).max() <= 0.51


def filtered(values: np.ndarray, kind: int) -> bytes:
    """A 16-bit RGB PNG whose lines all use one filter, made by the definitions of the specification."""
    height, width, channels = values.shape
    raw = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(height, -1).astype(int)
    step = channels * 2
    lines = []
    for row in range(height):
        line = [kind]
        for place in range(raw.shape[1]):
            a = raw[row, place - step] if place >= step else 0
            b = raw[row - 1, place] if row else 0
            c = raw[row - 1, place - step] if row and place >= step else 0
            paeth = min((a, b, c), key=lambda x: abs(a + b - c - x))
            line.append((raw[row, place] - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        lines.append(bytes(int(value) for value in line))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(lines))),
    ]
    out = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        out += (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )
    return out


@pytest.mark.parametrize("kind", range(5))
def test_sixteen_bit_colour_with_every_filter(kind: int) -> None:
    values = deep(kind, 5, 4, 3)
    assert read_facts(filtered(values, kind)) == Facts(5, 4, 3, 65_535)
    assert (read_picture(filtered(values, kind)).values == values).all()


def test_truncated_sixteen_bit_colour() -> None:
    content = filtered(deep(0, 5, 4, 3), 0)
    with pytest.raises(BadImageError):
        read_picture(content[:-40])
