"""chaoskit: chaos and fault injection for Docker Compose stacks.

A *scenario* is a YAML file: which stack to break, how, and what must hold. A *plan* is a scenario
checked against its stack; a *run* carries it out. The *stack* is the run's own copy of a Compose
project. An *edge* is the path from one service to another; a *proxy* is a Toxiproxy listener on it.
A *fault* changes an edge, a service or a store: it is injected, verified, healed and verified
again; each step returns a *receipt*, which says what was read back. A *canary* is a small exchange
through a proxy; what it feels helps to *prove* that clients could feel the fault. *Probes* observe
the stack at fixed times (*samples*); *workloads* write and read through the app (a *history*). The
*record* is all that a run writes down: events, samples, histories, logs. *Checks* are rules over
it; each gives a *finding*, together they give the *verdict*: pass, fail, or unknown when something
was not seen. The *ledger* lists what must be undone, on disk before it is done; the *guard* is a
process that undoes it when the run is killed. What nothing could undo is a *leftover*.
"""

__version__ = "0.1.0"
