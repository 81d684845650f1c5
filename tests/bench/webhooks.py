"""How soon a receiver hears of a fact, from the log's time of its decision."""

import asyncio
import json
import statistics
import time
from datetime import datetime

from aiohttp import web

from muniment import Client, SigningKey
from tests.end_to_end.registry import Registry, free_port

SETTLED_S = 3.0


async def dispatch_ms(registry: Registry, stars: int = 201) -> tuple[float, float, float]:
    """Star one playlist after the other.

    Gives in ms what the first took, right after the endpoint was registered, and the median and the 99th percentile of
    the others.
    """
    heard: dict[str, float] = {}

    async def hear(request: web.Request) -> web.Response:
        now = time.time()
        heard.setdefault(json.loads(await request.read())["id"], now)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    key = SigningKey.generate()
    decided: dict[str, float] = {}
    async with Client(registry.url, SigningKey.load(registry.data / "operator.json")) as admin:
        await admin.signers.add(key.did, ["curator"])
        webhook = await admin.webhooks.create(f"http://127.0.0.1:{port}/")
        async with Client(registry.url, key) as curator:
            for number in range(stars):
                fact = await curator.facts.star(f"webhook_{number}")
                decided[fact.id] = datetime.fromisoformat(fact.json["created_at"]).timestamp()
                # The first waits until the reactor has looked behind the registration, the others show what is usual.
                await asyncio.sleep(0.05 if number else SETTLED_S)
        async with asyncio.timeout(30):
            while decided.keys() - heard.keys():
                await asyncio.sleep(0.05)
        await admin.webhooks.delete(webhook.id)
    await runner.cleanup()
    first, *taken = [(heard[name] - at) * 1000 for name, at in decided.items()]
    taken.sort()
    return first, statistics.median(taken), taken[int(len(taken) * 0.99)]
