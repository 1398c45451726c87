"""CelebA's text files: attributes, identities, partition; also as the .csv that some mirrors made of them."""

from pathlib import Path

from ...errors import UserError, unknown


def attribute_table(path: Path, wanted: list[str]) -> dict[str, tuple[bool, ...]]:
    """File name -> whether it has each wanted attribute. Raises UserError for unknown attributes and bad rows."""
    rows = _rows(path)
    known = _attribute_names(rows, path)
    if not wanted:
        raise UserError(f"no attribute is named; known are {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise unknown("attribute", name, known)
    columns = [known.index(name) + 1 for name in wanted]
    table = {}
    for number, row in enumerate(rows, start=1):
        if len(row) != len(known) + 1 or row[1] not in ("1", "-1", "0"):
            continue
        table[row[0]] = tuple(row[column] == "1" for column in columns)
        if any(row[column] not in ("1", "-1", "0") for column in columns):
            raise UserError(f"{path}, line {number}: attributes are 1 or -1, not '{' '.join(row[:4])} ...'")
    stated = int(rows[0][0]) if len(rows[0]) == 1 and rows[0][0].isdecimal() else len(table)
    if len(table) < stated or not table:
        raise UserError(f"{path} is truncated: {len(table):,} rows of {stated:,}")
    return table


def _attribute_names(rows: list[list[str]], path: Path) -> list[str]:
    """The header: 40 names, after a line with the count; a .csv has 'image_id' before them."""
    for row in rows[:2]:
        if len(row) > 1 and "Male" in row:
            return [ascii(name)[1:-1] for name in (row[1:] if row[0] == "image_id" else row)]
    raise UserError(f"{path} is no attribute file of CelebA: its first lines do not name the attributes")


def keyed_rows(path: Path) -> dict[str, str]:
    """A file of rows 'name value'."""
    rows = [row for row in _rows(path) if len(row) == 2]
    if not rows:
        raise UserError(f"{path} has no rows 'file number'")
    return {row[0]: row[1] for row in rows}


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text: {error}") from error
    rows = [line.replace(",", " ").split() for line in lines if line.strip()]
    if not rows:
        raise UserError(f"{path} is empty")
    return rows
