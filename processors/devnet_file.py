"""The devnet's file: its blocks, transactions and outputs in SQLite, which several processes have open at once.

No output is forgotten when it is spent, and none changes when a block comes or goes: only which block a transaction is
in does. A transaction arrives after those whose outputs it spends, so that arrivals are an order that every block has.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from processors.chain import ChainUnavailable

Connection = sqlite3.Connection

FORMAT: Final = 1
BUSY_TIMEOUT_S: Final = 10.0
"""How long a process waits for another one that writes."""
ASK_AGAIN_S: Final = 0.01
PRIMARY: Final = 0xFF
"""The bits of SQLite's error codes that say what kind an error is of."""
TABLES: Final = (
    """CREATE TABLE blocks (
        height INTEGER PRIMARY KEY, hash TEXT NOT NULL, header BLOB NOT NULL, mined_at INTEGER NOT NULL)""",
    """CREATE TABLE transactions (
        arrival INTEGER PRIMARY KEY, txid TEXT NOT NULL UNIQUE, raw BLOB NOT NULL, fee INTEGER NOT NULL,
        line INTEGER NOT NULL, height INTEGER, place INTEGER)""",
    "CREATE UNIQUE INDEX transactions_in_blocks ON transactions (height, place) WHERE height IS NOT NULL",
    "CREATE INDEX transactions_waiting ON transactions (arrival) WHERE height IS NULL",
    """CREATE TABLE outputs (
        outpoint TEXT PRIMARY KEY, satoshis INTEGER NOT NULL, script BLOB NOT NULL, made_by INTEGER NOT NULL,
        spent_by INTEGER) WITHOUT ROWID""",
    "CREATE TABLE mempool (transactions INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO mempool VALUES (0, 0)",
)
"""``mined_at`` is in ms; ``line`` counts the transactions in no block that one stands on along the longest line, and
itself; ``made_by`` and ``spent_by`` are arrivals."""


class ChainFile:
    """A chain's file, of one thread; ``begin`` writes what a new one starts with."""

    def __init__(self, path: Path, begin: Callable[[Connection], None]) -> None:
        self._path, self._begin = path, begin
        self._connection: Connection | None = None

    @contextlib.contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Connection]:
        """Do all of it or nothing, as of one moment. Raises ChainUnavailable: damaged, no room, locked for too long."""
        try:
            connection = self._opened()
            with _whole(connection, writes=writes):
                yield connection
        except ChainUnavailable:
            raise
        except (sqlite3.Error, OSError) as error:
            # Whatever it was may be over by the next time, which opens the file anew.
            self.close()
            raise ChainUnavailable(f"the devnet's file can't be read or written: {_named(error)}") from error

    def close(self) -> None:
        """Let the file go."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _opened(self) -> Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            _keep_a_log(self._connection)
            self._connection.execute("PRAGMA synchronous = FULL")
            if _format(self._connection) == 0:
                self._create(self._connection)
            if _format(self._connection) != FORMAT:
                self.close()
                raise ChainUnavailable("the devnet's file has another format")
        return self._connection

    def _create(self, connection: Connection) -> None:
        with _whole(connection, writes=True):
            if _format(connection) == 0:  # nobody else was first
                for each in TABLES:
                    connection.execute(each)
                self._begin(connection)
                connection.execute(f"PRAGMA user_version = {FORMAT}")


def _format(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _whole(connection: Connection, *, writes: bool) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    # Durable from here: all that was written since BEGIN. A crash before leaves the chain as it was.
    connection.execute("COMMIT")


def _keep_a_log(connection: Connection) -> None:
    """Have SQLite write ahead, so that who reads waits for nobody; a file that is being made says at once it's busy."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(ASK_AGAIN_S)
        else:
            return


def _named(error: sqlite3.Error | OSError) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)
