"""Postgres's only door: transactions over a few connections, with names for what goes wrong.

Nothing here is trusted to last: every table but that of the vaults' keys is a fold of the log, so commits don't wait
for the disk (``synchronous_commit = off``), unless a transaction says so. A crash loses the newest commits as a whole,
rows and marks alike.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias

import psycopg
from prometheus_client import Gauge
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Loader

Row: TypeAlias = tuple[Any, ...]

connect_timeout_s = 3
checkout_timeout_s = 5.0
read_statement_timeout_ms = 10_000
lost_peer_timeout_ms = 10_000
stream_rows = 2_000
connections_limit = 8
PROBE = "SELECT 1"
READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}"
READ_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
CONNECTION_ERRORS: Final = Gauge(
    "database_connection_errors", "How often Postgres could not be reached, or was lost, since this process began."
)
"""A gauge that only grows: a counter's name would have to end in ``_total``."""


class PostgresUnavailable(ConnectionError):
    """Postgres can't be reached, or has no room or time for this; nothing of the transaction was kept."""


class TableGone(LookupError):
    """A table isn't there: not made yet, or dropped with its generation."""


class WholeNumber(Loader):
    """Reads a ``numeric`` as an integer: those in the tables are amounts that may pass 64 bits in sum."""

    def load(self, data: Buffer) -> int:
        """Give the number."""
        return int(bytes(data))


@contextmanager
def _named_errors() -> Iterator[None]:
    """Give Postgres's errors our names; a name never says where Postgres is."""
    try:
        yield
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn) as error:
        raise TableGone("this table is not there") from error
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
        raise PostgresUnavailable(f"Postgres did not do this: {type(error).__name__}") from error


def _bound(parameters: tuple[Any, ...]) -> Any:
    """Give parameters as the driver takes them: none, one mapping, or a sequence."""
    if len(parameters) == 1 and isinstance(parameters[0], dict):
        return parameters[0]
    return parameters or None


async def _let_go(connection: psycopg.AsyncConnection[Row]) -> None:
    """Close a connection; one that the other side ended is an error of the connection, whatever was asked over it."""
    if connection.broken:
        CONNECTION_ERRORS.inc()
    await connection.close()


class CopyIn:
    """An open ``COPY … FROM STDIN``; Postgres takes in what is written while the next rows are made."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], statement: str) -> None:
        self._cursor = connection.cursor()
        self._opening = self._cursor.copy(statement.encode())
        self._copy: psycopg.AsyncCopy | None = None

    async def write(self, block: bytes) -> None:
        """Send rows in Postgres's text format."""
        with _named_errors():
            if self._copy is None:
                self._copy = await self._opening.__aenter__()
            await self._copy.write(block)

    async def close(self) -> None:
        """End the statement. Raises PostgresUnavailable, DatabaseError."""
        if self._copy is not None:
            with _named_errors():
                await self._opening.__aexit__(None, None, None)
                await self._cursor.close()
            self._copy = None


class Transaction:
    """One transaction: all of it or nothing."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection

    async def rows(self, query: str, *parameters: Any) -> list[Row]:
        """Give the rows of a query; its parameters in their order, or one mapping by name."""
        with _named_errors():
            cursor = await self._connection.execute(query.encode(), _bound(parameters))
            return await cursor.fetchall()

    async def run(self, statement: str, *parameters: Any) -> int:
        """Run a statement and count the rows that it touched."""
        with _named_errors():
            cursor = await self._connection.execute(statement.encode(), _bound(parameters))
            return cursor.rowcount

    def copy(self, target: str, null: str) -> CopyIn:
        """Open a COPY into ``table (columns)``, with the text that stands for null."""
        return CopyIn(self._connection, f"COPY {target} FROM STDIN WITH (FORMAT text, NULL E'\\x{ord(null):02x}')")

    async def stream(self, query: str, *parameters: Any) -> AsyncIterator[Row]:
        """Give the rows of a query as they come, whatever their number."""
        with _named_errors():
            async with self._connection.cursor(name="stream") as cursor:
                cursor.itersize = stream_rows
                await cursor.execute(query.encode(), _bound(parameters))
                async for row in cursor:
                    yield row


class Postgres:
    """A database by its connection string; connections are opened when they are wanted and kept while they work."""

    def __init__(self, dsn: str, connections: int = connections_limit) -> None:
        self._dsn = dsn
        self._room = asyncio.Semaphore(connections)
        self._idle: list[psycopg.AsyncConnection[Row]] = []

    def __repr__(self) -> str:
        return "Postgres()"

    async def _connect(self) -> psycopg.AsyncConnection[Row]:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=connect_timeout_s,
                tcp_user_timeout=lost_peer_timeout_ms,
                application_name="muniment",
            )
        except psycopg.Error as error:
            CONNECTION_ERRORS.inc()
            # ``from None``: the driver's text names the host.
            raise PostgresUnavailable(f"Postgres can't be reached: {type(error).__name__}") from None
        connection.adapters.register_loader("numeric", WholeNumber)
        try:
            await connection.execute("SET synchronous_commit = off")
        except BaseException:
            await _let_go(connection)
            raise
        return connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
        try:
            # Not wait_for, which in Python 3.11 loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout(checkout_timeout_s):
                await self._room.acquire()
        except TimeoutError:
            raise PostgresUnavailable("every connection to Postgres is in use") from None
        try:
            with _named_errors():
                connection = await self._working()
                try:
                    yield connection
                except BaseException:
                    # Its transaction is unfinished: closing rolls it back, whatever state it is in.
                    await _let_go(connection)
                    raise
                self._idle.append(connection)
        finally:
            self._room.release()

    async def _working(self) -> psycopg.AsyncConnection[Row]:
        """Give an idle connection that still answers, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            try:
                await connection.execute(PROBE)
            except psycopg.Error:
                await _let_go(connection)
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        return await self._connect()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction that commits on leaving, and is rolled back where an error leaves.

        Raises PostgresUnavailable, TableGone.
        """
        async with self._connection() as connection:
            await connection.execute(READ_WRITE)
            yield Transaction(connection)
            # Visible from here; a crash of Postgres may lose it, rows and marks together.
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def snapshot(self, statement_timeout_ms: int = read_statement_timeout_ms) -> AsyncIterator[Transaction]:
        """Open a read of one moment. Raises PostgresUnavailable, TableGone."""
        async with self._connection() as connection:
            await connection.execute(READ_ONLY.format(int(statement_timeout_ms)).encode())
            yield Transaction(connection)
            await connection.execute("COMMIT")

    async def close(self) -> None:
        """Let go of every idle connection."""
        while self._idle:
            await self._idle.pop().close()
