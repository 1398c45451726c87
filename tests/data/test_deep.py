"""Files of more than 8 bits and of odd kinds: their depth, or one clear line; nothing large is unpacked unasked."""

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from pixelbayes.data import DataConfig, open_dataset, raw
from pixelbayes.data.decoding import read_facts, read_picture
from pixelbayes.data.raw import BadImageError, Facts
from pixelbayes.errors import UserError

from .conftest import noise


def deep(*shape: int, top: int = 65_535, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(np.uint16)


def png(height: int, width: int, depth: int, colour: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of the chunks given after its header."""
    out = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    for kind, content in [(b"IHDR", head), *chunks, (b"IEND", b"")]:
        out += (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )
    return out


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_of_sixteen_bits_in_colour(tmp_path: Path, compression, planar: str) -> None:
    values = deep(6, 9, 3)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression)
    assert read_facts(path) == read_picture(path).facts == Facts(6, 9, 3, 65_535)
    assert (read_picture(path).values == values).all()


def test_tiff_with_transparency_and_with_white_as_zero(tmp_path: Path) -> None:
    values = deep(4, 5, 4)
    values[..., 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    assert (read_picture(tmp_path / "a.tif").values == 65_535).all()
    tifffile.imwrite(tmp_path / "b.tif", deep(4, 5), photometric="miniswhite")
    assert (read_picture(tmp_path / "b.tif").values[..., 0] == 65_535 - deep(4, 5).astype(int)).all()


def test_bands_are_refused(tmp_path: Path) -> None:
    for count, kind in ((5, np.uint16), (5, np.uint8), (2, np.uint16)):
        tifffile.imwrite(
            tmp_path / "x.tif", np.zeros((6, 7, count), kind), photometric="minisblack", planarconfig="contig"
        )
        for read in (read_facts, read_picture):
            with pytest.raises(BadImageError, match=f"{count} bands"):
                read(tmp_path / "x.tif")


def test_floating_point_files_need_the_value_of_white(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((5, 6)).astype(np.float32)
    for name in ("0.tif", "1.tif"):
        tifffile.imwrite(tmp_path / name, values)
    with pytest.raises(UserError, match=r"2 image files .*0\.tif \(floating-point values; .*--data\.white"):
        open_dataset(tmp_path, DataConfig(validation_share=0))
    data = open_dataset(tmp_path, DataConfig(validation_share=0, white=2))
    assert data.shape.levels == 65_536
    assert (data.train.levels[0, 0].numpy() == np.floor(values / 2 * 65_535.0 + 0.5)).all()
    with pytest.raises(UserError, match=r"accepted are 0 to 0\.5"):
        open_dataset(tmp_path, DataConfig(validation_share=0, white=0.5))


def test_twelve_bits_of_sixteen_are_told_and_white_can_be_said(tmp_path: Path) -> None:
    for row in range(3):
        Image.fromarray(deep(6, 6, top=4095, seed=row)).save(tmp_path / f"{row}.png")
    data = open_dataset(tmp_path, DataConfig(validation_share=0))
    assert any("--data.white 4095 makes 4,096 levels" in notice for notice in data.notices)
    data = open_dataset(tmp_path, DataConfig(validation_share=0, white=4095))
    assert data.shape.levels == 4096
    assert (data.train.levels[1, 0].numpy() == deep(6, 6, top=4095, seed=1)).all()
    with pytest.raises(UserError, match="above the white of 1000"):
        open_dataset(tmp_path, DataConfig(validation_share=0, white=1000))


@pytest.mark.parametrize("magic", ["P5", "P6"])
@pytest.mark.parametrize("top", [1023, 65_535])
def test_ppm_and_pgm_keep_their_depth(tmp_path: Path, magic: str, top: int) -> None:
    values = deep(4, 7, *([3] if magic == "P6" else []), top=top)
    path = tmp_path / "x.ppm"
    path.write_bytes(f"{magic}\n# by hand\n7 4\n{top}\n".encode() + values.astype(">u2").tobytes())
    assert read_facts(path) == read_picture(path).facts == Facts(4, 7, 3 if magic == "P6" else 1, top)
    assert (read_picture(path).values.squeeze() == values).all()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadImageError):
        read_picture(path)


def test_jpeg_2000_keeps_its_depth(tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    content = imagecodecs.jpeg2k_encode(deep(32, 40, 3), level=0)
    assert read_facts(content) == Facts(32, 40, 3, 65_535)
    assert (read_picture(content).values == imagecodecs.jpeg2k_decode(content)).all()


def test_pages_of_one_size_are_refused_unless_the_first_will_do(tmp_path: Path) -> None:
    stack = np.stack([noise(1, 8, 8), noise(2, 8, 8), noise(3, 8, 8)])
    tifffile.imwrite(tmp_path / "x.tif", stack, photometric="rgb")
    with pytest.raises(UserError, match=r"x\.tif \(3 pages; .*--data\.pages first"):
        open_dataset(tmp_path)
    data = open_dataset(tmp_path, DataConfig(pages="first"))
    assert (data.train.levels[0].permute(1, 2, 0).numpy() == stack[0]).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_turned_once(tmp_path: Path, kind, orientation: int) -> None:
    values = noise(3, 4, 6).astype(kind)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, values, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "x.png", exif=exif)
    upright = read_picture(tmp_path / "x.png").values
    assert read_facts(path).height == upright.shape[0]
    assert (read_picture(path).values == upright).all()


def test_limits_come_before_unpacking(tmp_path: Path) -> None:
    bomb = [(b"IDAT", zlib.compress(b"\0" * 1_000_000))]
    for depth, colour in ((8, 2), (16, 2), (16, 6), (16, 0)):
        with pytest.raises(BadImageError, match="pixels"):
            read_picture(png(40_000, 40_000, depth, colour, bomb))
    (tmp_path / "x.ppm").write_bytes(b"P6 90000 90000 65535\n" + bytes(100))
    with pytest.raises(BadImageError, match="pixels"):
        read_picture(tmp_path / "x.ppm")


def test_a_deep_tiff_that_says_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "x.tif", deep(20, 20, 3), photometric="rgb")
    monkeypatch.setattr(raw, "MOST_BYTES", 1000)
    with pytest.raises(BadImageError, match="20 x 20 pixels; at most 166 pixels"):
        read_picture(tmp_path / "x.tif")


def test_a_png_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep(2, 3, 3))
    content = png(2, 3, 16, 2, [(b"IDAT", zlib.compress(lines + bytes(50_000_000)))])
    assert (read_picture(content).values == deep(2, 3, 3)).all()


def test_long_and_broken_notes_do_not_spoil_the_pixels(tmp_path: Path) -> None:
    values = noise(5, 3, 4)
    lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    notes = [
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000))),
        (b"eXIf", b"MM junk"),
        (b"tEXt", b"x" * 100),
    ]
    content = png(3, 4, 8, 2, [*notes, (b"IDAT", lines)])
    assert read_facts(content) == Facts(3, 4, 3, 255)
    assert (read_picture(content).values == values).all()
    Image.fromarray(values).save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(9))
    assert read_facts(tmp_path / "x.jpg") == Facts(3, 4, 3, 255)
    assert read_picture(tmp_path / "x.jpg").values.shape == (3, 4, 3)


def test_a_file_of_another_kind_by_the_name_of_an_image_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(BadImageError, match="not an image"):
        read_picture(tmp_path / "x.png")


def test_wide_integers_below_256_are_eight_bits(tmp_path: Path) -> None:
    for row in range(3):
        np.save(tmp_path / f"{row}.npy", noise(row, 5, 5).astype(np.int64))
    data = open_dataset(tmp_path, DataConfig(validation_share=0))
    assert data.shape.levels == 256
    assert (data.train.levels[1].permute(1, 2, 0).numpy() == noise(1, 5, 5)).all()


def test_a_fourth_band_of_8_bits_is_refused_unless_it_is_transparency(tmp_path: Path) -> None:
    values = deep(6, 5, 4, top=255).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(BadImageError, match="4 bands"):
        read_picture(path)
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unassalpha"])
    assert read_picture(path).values.shape == (6, 5, 3)


def test_bits_that_are_cut_off_are_said(tmp_path: Path) -> None:
    values = (np.random.default_rng(0).integers(0, 4, (12, 12, 3)) * 300).astype(np.uint16)
    for bits in (8, 10, 12):
        content = imagecodecs.avif_encode(
            values.astype(np.uint8) if bits == 8 else values, bitspersample=bits
        )
        (tmp_path / str(bits)).mkdir()
        (tmp_path / str(bits) / "a.avif").write_bytes(content)
    data = open_dataset(tmp_path)
    said = [notice for notice in data.notices if "bits a value" in notice]
    assert said == ["2 of 3 files (AVIF, HEIC) hold 10/12 bits a value; 8 of them are read"]
    assert data.shape.levels == 256


@pytest.mark.parametrize("suffix", [".avif", ".jp2", ".tga", ".qoi", ".bmp", ".webp", ".pcx", ".sgi"])
def test_what_pillow_reads_is_read(tmp_path: Path, suffix: str) -> None:
    try:
        Image.fromarray(noise(1, 16, 16)).save(
            tmp_path / f"x{suffix}", **({"lossless": True} if suffix == ".webp" else {})
        )
    except (KeyError, OSError, ValueError):
        pytest.skip(f"this Pillow writes no {suffix}")
    data = open_dataset(tmp_path, DataConfig(validation_share=0))
    assert (
        data.train.levels[0].permute(1, 2, 0).numpy() == np.asarray(Image.open(tmp_path / f"x{suffix}"))
    ).all()


def test_what_an_extra_reads_is_named_with_it(tmp_path: Path) -> None:
    for name, start in (("x.heic", b"\0\0\0\x18ftypheic"), ("x.fits", b"SIMPLE  =                    T")):
        (tmp_path / name).write_bytes(start + bytes(600))
        with pytest.raises(BadImageError):
            read_picture(tmp_path / name)
