# SPDX-License-Identifier: MIT OR Apache-2.0
"""ClickHouse's engine (chdb) with the schema and the questions of dist/sql."""

import pathlib
import re

from chdb import session

SQL = pathlib.Path(__file__).resolve().parents[2] / "dist/sql"
SCHEMA, QUESTIONS = SQL / "clickhouse-schema.sql", SQL / "clickhouse-questions.sql"
LOAD = (
    "insert into lines select * from file('{}', JSONEachRow) "
    "settings input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort'"
)


def statements(text: str) -> list[str]:
    code = re.sub(r"--.*", "", text)
    return [part.strip() for part in code.split(";") if part.strip()]


def database(directory: str) -> session.Session:
    base = session.Session(directory)
    for statement in statements(SCHEMA.read_text()):
        base.query(statement)
    # Else 64-bit numbers come as text, because JavaScript could not hold them.
    base.query("set output_format_json_quote_64bit_integers = 0")
    return base


def questions() -> dict[str, str]:
    _, *parts = re.split(r"^-- (\w+): .*\n", QUESTIONS.read_text(), flags=re.MULTILINE)
    return {name: statements(body)[0] for name, body in zip(parts[::2], parts[1::2])}
