"""Verbs on developers and their agents: register, offer an agent by its A2A card, find one."""

import argparse

from muniment.cli_amounts import avt
from muniment.cli_given import file_argument
from muniment.cli_options import Verbs
from muniment.cli_output import add_limit, print_result, print_results, taken
from muniment.cli_reach import add_client_verb, reached, signed_in


def add_verbs(ledger: Verbs) -> None:
    """Add ``ledger register``, ``agent`` and ``agents``."""
    register = add_client_verb(ledger, "register", _register, "register as a developer, with an account and its grant")
    register.add_argument("registry_id", metavar="REGISTRY", help="the registry's id")
    register.add_argument("developer_name", metavar="NAME", help="the developer's name")
    register.add_argument("--did", help="whom to register, as an admin [the key's own DID]")
    register.add_argument("--email", help="where the developer can be reached")
    register.add_argument("--invite", metavar="CODE", help="the code of an invite, where the registry asks for one")
    agent = add_client_verb(ledger, "agent", _agent, "register an agent of one's own, as its developer")
    agent.add_argument("registry_id", metavar="REGISTRY", help="the registry's id")
    agent.add_argument("did", metavar="DID", help="the agent's own DID")
    agent.add_argument("card", type=file_argument, metavar="FILE", help="its A2A card in JSON, - for standard input")
    agent.add_argument("--origin", metavar="URL", help="where the agent's registry is [this one's address]")
    agents = add_client_verb(ledger, "agents", _agents, "list the agents that developers offer")
    agents.add_argument("query", nargs="?", metavar="WORDS", help="only those whose card has these words")
    agents.add_argument("--skill", help="only those with a skill of this id or tag")
    add_limit(agents)


async def _register(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        developer = await client.ledger.developers.register(
            args.registry_id, args.developer_name, did=args.did, email=args.email, invite=args.invite
        )
        granted = f" with a grant of {avt(developer.grant)}" if developer.grant else ""
        print_result(args, developer, f"registered {developer.did}: account {developer.account_id}{granted}")


async def _agent(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        signed_in(client)
        origin = client.url if args.origin is None else args.origin
        agent = await client.ledger.agents.register(args.registry_id, args.did, args.card, origin)
        print_result(args, agent, f"registered {agent.agent_id}: account {agent.account_id}")


async def _agents(args: argparse.Namespace) -> None:
    async with reached(args) as client:
        found = await taken(args, client.ledger.agents.list(args.query, skill=args.skill))
        columns = {
            "id": "agent_id",
            "name": "card.name",
            "did": "did",
            "developer": "developer_did",
            "registry": "registry_id",
            "account": "account_id",
        }
        print_results(args, found, columns)
