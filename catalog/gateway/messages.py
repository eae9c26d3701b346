"""The Flight SQL commands this gateway understands, as protobuf messages. Knows bytes, no meaning.

Field numbers: Apache Arrow, `format/FlightSql.proto`.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

PACKAGE: Final = "arrow.flight.protocol.sql"
_STRING, _BYTES, _UINT32, _BOOL = 9, 12, 13, 8  # FieldDescriptorProto.Type
_ONE, _MANY = 1, 3  # FieldDescriptorProto.Label
_TABLE: Final = (
    ("catalog", 1, _STRING, _ONE),
    ("db_schema", 2, _STRING, _ONE),
    ("table", 3, _STRING, _ONE),
)
_FIELDS: Final[dict[str, tuple[tuple[str, int, int, int], ...]]] = {
    "CommandStatementQuery": (("query", 1, _STRING, _ONE), ("transaction_id", 2, _BYTES, _ONE)),
    "CommandGetSqlInfo": (("info", 1, _UINT32, _MANY),),
    "CommandGetCatalogs": (),
    "CommandGetDbSchemas": (("catalog", 1, _STRING, _ONE), ("db_schema_filter_pattern", 2, _STRING, _ONE)),
    "CommandGetTables": (
        ("catalog", 1, _STRING, _ONE),
        ("db_schema_filter_pattern", 2, _STRING, _ONE),
        ("table_name_filter_pattern", 3, _STRING, _ONE),
        ("table_types", 4, _STRING, _MANY),
        ("include_schema", 5, _BOOL, _ONE),
    ),
    "CommandGetTableTypes": (),
    "CommandGetPrimaryKeys": _TABLE,
    "CommandGetExportedKeys": _TABLE,
    "CommandGetImportedKeys": _TABLE,
    "CommandGetCrossReference": (
        ("pk_catalog", 1, _STRING, _ONE),
        ("pk_db_schema", 2, _STRING, _ONE),
        ("pk_table", 3, _STRING, _ONE),
        ("fk_catalog", 4, _STRING, _ONE),
        ("fk_db_schema", 5, _STRING, _ONE),
        ("fk_table", 6, _STRING, _ONE),
    ),
    "CommandPreparedStatementQuery": (("prepared_statement_handle", 1, _BYTES, _ONE),),
    "ActionCreatePreparedStatementRequest": (
        ("query", 1, _STRING, _ONE),
        ("transaction_id", 2, _BYTES, _ONE),
    ),
    "ActionCreatePreparedStatementResult": (
        ("prepared_statement_handle", 1, _BYTES, _ONE),
        ("dataset_schema", 2, _BYTES, _ONE),
        ("parameter_schema", 3, _BYTES, _ONE),
    ),
    "ActionClosePreparedStatementRequest": (("prepared_statement_handle", 1, _BYTES, _ONE),),
    "DoPutPreparedStatementResult": (("prepared_statement_handle", 1, _BYTES, _ONE),),
}


class NoCommand(Exception):
    """Bytes that are no command of this gateway."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="campus/flight_sql.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label in fields:
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _FIELDS
    }


_CLASSES: Final = _classes()


def decode(command: bytes) -> tuple[str, Any]:
    """Name and message of a packed command.

    Raises
    ------
    NoCommand
        With the name, if the bytes hold one.
    """
    try:
        packed = any_pb2.Any.FromString(command)
        name = packed.type_url.rpartition("/")[2].removeprefix(f"{PACKAGE}.")
        if name not in _CLASSES:
            raise NoCommand(name)
        return name, _CLASSES[name].FromString(packed.value)
    except (DecodeError, UnicodeDecodeError) as error:
        raise NoCommand("") from error


def encode(name: str, **fields: Any) -> bytes:
    """A packed message."""
    packed = any_pb2.Any(
        type_url=f"type.googleapis.com/{PACKAGE}.{name}", value=_CLASSES[name](**fields).SerializeToString()
    )
    return bytes(packed.SerializeToString())


def encode_plain(name: str, **fields: Any) -> bytes:
    """A message by itself."""
    return bytes(_CLASSES[name](**fields).SerializeToString())
