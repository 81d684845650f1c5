"""The one error that the embedded stack raises."""

from enum import StrEnum


class StackFault(StrEnum):
    """Names why the embedded stack cannot run; the values are stable."""

    DATA_DIRECTORY_IN_USE = "data_directory_in_use"
    DATA_DIRECTORY_HALF_WRITTEN = "data_directory_half_written"
    DATA_DIRECTORY_NEWER = "data_directory_newer"
    DATA_DIRECTORY_UNUSABLE = "data_directory_unusable"
    PORT_IN_USE = "port_in_use"
    FETCH_FAILED = "fetch_failed"
    BROKER_FAILED = "broker_failed"
    POSTGRES_FAILED = "postgres_failed"
    PROCESS_FAILED = "process_failed"


class StackError(Exception):
    """Says why the embedded stack cannot run, as a stable code and a sentence for people."""

    def __init__(self, code: StackFault, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
