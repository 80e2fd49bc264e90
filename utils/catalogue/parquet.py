"""A parquet file that anybody may have written, read without swelling."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def read_bounded(file: Path, columns: list[str], *, rows: int, letters: int) -> pa.Table:
    """Return some columns of a file, texts as dictionaries: in parquet, one long text can stand in every row.

    rows: at most, of the file. letters: at most, in bytes, of one text. Raises ValueError beyond these and for a
    missing column, and what Arrow raises for a damaged file.
    """
    texts = _texts(file)
    with pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True) as content:
        if missing := set(columns) - set(content.schema_arrow.names):
            raise ValueError(f"no column {', '.join(sorted(missing))}")
        if content.metadata.num_rows > rows:
            raise ValueError(f"{content.metadata.num_rows:,} rows")
        table = content.read(columns=columns).select(columns)
    table.validate(full=True)
    for column in table.columns:
        if any(_longest(chunk) > letters for chunk in column.chunks):
            raise ValueError(f"a text of more than {letters:,} bytes")
    return table


def _texts(file: Path) -> list[str]:
    """Return the paths of the columns that hold texts."""
    with pq.ParquetFile(file) as content:
        described = map(content.schema.column, range(len(content.schema)))
        return [each.path for each in described if each.physical_type == "BYTE_ARRAY"]


def _longest(column: pa.Array) -> int:
    """Return the bytes of the longest text in a column, of texts or of lists of them; 0 for one of numbers."""
    while pa.types.is_list(column.type):
        column = column.flatten()
    if pa.types.is_dictionary(column.type):
        lengths = pc.call_function("binary_length", [column.dictionary])
        return pc.call_function("max", [lengths]).as_py() or 0
    return 0
