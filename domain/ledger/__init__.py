"""The ledger: one token, AVT, whose every movement is balanced postings.

The nouns, once:

- *frame*: one economy and one total order; *registry*: an operator's shop in a frame, with its terms and its treasury.
- *account*: what an owner has in a registry, in three parts: available, staked and held.
- *posting*: a signed amount (micro-AVT) on a part of an account or on a counter; those of one event sum to zero.
- *counter*: where tokens come from and go to: ``issued``, ``destroyed`` and ``transit``.
- *transfer*: money from one account to another; *transit*: one that crosses registries, in two phases.
- *payment*: a hold of an amount for one payee; *stake*: an amount locked for a reward and for voting power.
"""
