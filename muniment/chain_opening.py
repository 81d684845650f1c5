"""Opens the chain that the settings choose."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

from muniment.key_files import KeyFileError, read_private_file
from muniment.settings import InvalidSetting, Settings
from processors.arc_chain import ArcChain, Callback
from processors.chain import Chain
from processors.chain_http import ChainHttp
from processors.chain_place import basic, read_chain_url
from processors.explorer_chain import ExplorerChain, explorer_url
from processors.node_chain import NodeChain

DEVNET: Final = Path("devnet", "chain")
"""Where the devnet's chain lies in the data directory: a folder of its own, since its writers share three files."""


@contextlib.asynccontextmanager
async def opened_chain(settings: Settings, devnet: Callable[[Path], Chain]) -> AsyncIterator[Chain]:
    """Open the chain of a deployment, by ``devnet`` the one that lies in its data directory. Raises InvalidSetting."""
    if settings.chain == "devnet":
        yield devnet(settings.data / DEVNET)
        return
    if settings.chain != "node" and settings.chain_family != "bsv":
        raise InvalidSetting(f"MUNIMENT_CHAIN {settings.chain} takes transactions of MUNIMENT_CHAIN_FAMILY bsv only")
    credentials = _credentials(settings)
    if settings.chain == "node":
        async with _node_http(settings, credentials) as http:
            yield NodeChain(http)
    elif settings.chain == "explorer":
        async with _explorer_http("chain_url", settings.chain_url, credentials) as http:
            yield ExplorerChain(http)
    else:
        callback = _callback(settings)
        arc = _arc_http(settings, credentials)
        explorer = _explorer_http(
            "chain_explorer_url", settings.chain_explorer_url, settings.chain_explorer_credentials
        )
        async with arc, explorer:
            yield ArcChain(arc, ExplorerChain(explorer), callback)


def _credentials(settings: Settings) -> str | None:
    path = settings.chain_credentials_file
    if path is None:
        return settings.chain_credentials
    if settings.chain_credentials is not None:
        raise InvalidSetting("MUNIMENT_CHAIN_CREDENTIALS and MUNIMENT_CHAIN_CREDENTIALS_FILE are set at once")
    try:
        text = read_private_file(path).decode("ascii").strip()
    except KeyFileError as error:
        raise InvalidSetting(f"MUNIMENT_CHAIN_CREDENTIALS_FILE: {error}") from None
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise InvalidSetting("MUNIMENT_CHAIN_CREDENTIALS_FILE: the file has not one line of printable ASCII")
    return text


def _http(name: str, given: str | None, authorization: Callable[[str], str], credentials: str | None) -> ChainHttp:
    if given is None:
        raise InvalidSetting(f"MUNIMENT_{name.upper()} is needed for this MUNIMENT_CHAIN")
    place = read_chain_url(given)
    if place.credentials is not None and credentials is not None:
        raise InvalidSetting(f"MUNIMENT_{name.upper()} has credentials of its own besides those that are set")
    headers: Mapping[str, str] = {}
    if place.credentials is not None:
        headers = {"Authorization": basic(place.credentials)}
    elif credentials is not None:
        headers = {"Authorization": authorization(credentials)}
    return ChainHttp(place.url, headers)


def _node_http(settings: Settings, credentials: str | None) -> ChainHttp:
    return _http("chain_url", settings.chain_url, basic, credentials)


def _arc_http(settings: Settings, credentials: str | None) -> ChainHttp:
    return _http("chain_url", settings.chain_url, lambda key: f"Bearer {key}", credentials)


def _explorer_http(name: str, given: str | None, credentials: str | None) -> ChainHttp:
    return _http(name, None if given is None else explorer_url(given), lambda key: key, credentials)


def _callback(settings: Settings) -> Callback | None:
    url, token = settings.chain_callback_url, settings.chain_callback_token
    if (url is None) != (token is None):
        raise InvalidSetting("MUNIMENT_CHAIN_CALLBACK_URL and MUNIMENT_CHAIN_CALLBACK_TOKEN are set both or neither")
    return None if url is None or token is None else Callback(url, token)
