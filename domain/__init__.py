"""The rules of the registry, as pure functions over plain values.

The nouns, once:

- *message*: what Kafka carries; *command* and *decision* are the two messages of a context.
- *command*: a request to change something, with its actor; it lies on ``muniment.<context>.commands``.
- *decision*: what became of one command, either events or a refusal; it lies on ``muniment.<context>.events``.
- *event*: a fact about the registry that happened; it never changes.
- *refusal*: a closed code and its details; the command changed nothing.
- *decider*: ``Decider(initial, decide, evolve)``; its hosts only run it.
- *state*: the fold of a decider over the events of one partition, a mapping from key to entry.
- *offset*: where Kafka put a message; *position*: (context, partition, offset) of a decision.
- *token*: an opaque set of positions.
- *fact*: a signed statement by an *issuer* about a *subject*; *signer*: a DID that has roles.
- *catalog*: the table of our message types.
"""
