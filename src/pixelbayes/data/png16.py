"""PNG with 16 bits for each of several channels, which Pillow would cut to 8.

PNG specification, third edition: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from .raw import BadImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 4: 2, 6: 4}  # colour types: RGB, grey with alpha, RGB with alpha


def header(start: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) when the first 33 bytes are those of such a file."""
    if len(start) < 29 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", start[16:29])
    if depth != 16 or colour not in CHANNELS or interlaced:
        return None
    return height, width, CHANNELS[colour]


def decode(content: bytes) -> np.ndarray:
    """Values 0..65,535, `[H, W, 1 or 3]`; what is transparent shows white paper. Raises BadImageError."""
    found = header(content)
    if found is None:
        raise BadImageError("not a PNG of 16 bits")
    height, width, channels = found
    try:
        raw = zlib.decompress(b"".join(_chunks(content, b"IDAT")))
    except (zlib.error, struct.error) as error:
        raise BadImageError("truncated or corrupt") from error
    stride = width * channels * 2
    if len(raw) != height * (stride + 1):
        raise BadImageError("truncated")
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride + 1)
    pixels = _unfiltered(lines, channels * 2).view(">u2").reshape(height, width, channels).astype(np.int64)
    if channels in (2, 4):
        alpha = pixels[..., -1:]
        pixels = (pixels[..., :-1] * alpha + 65_535 * (65_535 - alpha) + 32_767) // 65_535
    return pixels.astype(np.int32)


def encode(values: np.ndarray) -> bytes:
    """An RGB image `[H, W, 3]` of uint16 as a PNG file."""
    height, width, _ = values.shape
    rows = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(height, -1)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(content: bytes, wanted: bytes) -> Iterator[bytes]:
    place = len(SIGNATURE)
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == wanted:
            yield content[place + 8 : place + 8 + length]
        place += 12 + length


def _unfiltered(lines: np.ndarray, step: int) -> np.ndarray:
    """Undo the filter of each line (section 9); `step` is the bytes of a pixel."""
    out = np.zeros((len(lines), lines.shape[1] - 1), np.uint8)
    above = np.zeros(out.shape[1], np.uint8)
    for row, line in enumerate(lines):
        above = out[row] = _unfiltered_line(int(line[0]), line[1:], above, step)
    return out


def _unfiltered_line(kind: int, line: np.ndarray, above: np.ndarray, step: int) -> np.ndarray:
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line.reshape(-1, step), axis=0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return line + above
    if kind not in (3, 4):
        raise BadImageError("corrupt")
    pixels, up = line.reshape(-1, step).astype(int), above.reshape(-1, step).astype(int)
    left, corner = np.zeros(step, int), np.zeros(step, int)
    for column, pixel in enumerate(pixels):
        guess = (left + up[column]) // 2 if kind == 3 else _paeth(left, up[column], corner)
        left, corner = (pixel + guess) % 256, up[column]
        pixels[column] = left
    return pixels.astype(np.uint8).reshape(-1)


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    nearest = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
