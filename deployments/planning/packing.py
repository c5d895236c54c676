"""Placement of replicas as Ray does it: on nodes as Serve packs them, on a node's GPUs as its resource manager does.

Serve packs with RAY_SERVE_USE_PACK_SCHEDULING_STRATEGY=1 in the environment of its controller; without it, replicas
are spread over the nodes there are. Packing takes the largest replicas first (by GPU, then CPU), and puts each on that
node in use that it leaves the least room on, else on an empty one (``ray.serve._private.deployment_scheduler``). On a
node, a share of a GPU lies on one device, on that which it leaves the least of; whole GPUs take free devices. Ray
counts in steps of 1/10000.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

STEPS = 10_000
"""Parts of a GPU or CPU that Ray tells apart."""


@dataclass(frozen=True)
class Replica:
    """One replica to place.

    Attributes:
        deployment: Whose it is.
        gpus: That it asks for, in steps.
        cpus: Likewise.
        memory: Bytes of host memory that it reserves; summed up, not compared with what a node has.
    """

    deployment: str
    gpus: int
    cpus: int = 0
    memory: float = 0.0

    @classmethod
    def of(cls, deployment: str, gpus: float, cpus: float = 0.0, memory: float = 0.0) -> "Replica":
        """Make one from numbers as a configuration has them."""
        return cls(deployment, round(gpus * STEPS), round(cpus * STEPS), memory)


@dataclass(frozen=True)
class NodeKind:
    """Nodes of one kind.

    Attributes:
        name: What they are called.
        gpus: GPUs of one.
        cpus: CPUs of one; None where they are not known, and not counted. Replicas without a GPU are then not put
            where there are GPUs.
        most: Nodes that there may be; None for any number.
    """

    name: str
    gpus: int
    cpus: float | None = None
    most: int | None = None


@dataclass
class Node:
    """A node in use.

    Attributes:
        kind: What it is.
        devices: What is free of each GPU, in steps.
        cpus: Free CPUs, in steps; None where they are not counted.
        placed: The replicas on it, and each one's devices.
    """

    kind: NodeKind
    devices: list[int]
    cpus: int | None
    placed: list[tuple[Replica, tuple[int, ...]]] = field(default_factory=list)

    @classmethod
    def empty(cls, kind: NodeKind) -> "Node":
        """Return a node of a kind with nothing on it."""
        return cls(kind, [STEPS] * kind.gpus, None if kind.cpus is None else round(kind.cpus * STEPS))

    def devices_for(self, replica: Replica) -> tuple[int, ...] | None:
        """Return the GPUs that a replica would get; None where it does not fit or is not put."""
        if self.cpus is None and self.devices and not replica.gpus:
            return None
        if self.cpus is not None and replica.cpus > self.cpus:
            return None
        if replica.gpus >= STEPS:
            free = [device for device, room in enumerate(self.devices) if room == STEPS]
            wanted = replica.gpus // STEPS
            return tuple(free[:wanted]) if len(free) >= wanted and replica.gpus % STEPS == 0 else None
        if replica.gpus == 0:
            return ()
        fitting = [(room, device) for device, room in enumerate(self.devices) if room >= replica.gpus]
        return (min(fitting)[1],) if fitting else None

    def splintered(self, replica: Replica) -> bool:
        """Tell whether the room is there, but in pieces: Ray sends a replica to such a node, and there it waits."""
        room = self.cpus is None or replica.cpus <= self.cpus
        return replica.gpus > 0 and room and sum(self.devices) >= replica.gpus and self.devices_for(replica) is None

    def place(self, replica: Replica, devices: tuple[int, ...]) -> None:
        """Put a replica onto GPUs that ``devices_for`` returned."""
        for device in devices:
            self.devices[device] -= min(replica.gpus, STEPS)
        if self.cpus is not None:
            self.cpus -= replica.cpus
        self.placed.append((replica, devices))

    @property
    def room(self) -> tuple[int, int]:
        """Free resources, in the order in which Serve compares them."""
        return sum(self.devices), self.cpus or 0


@dataclass(frozen=True)
class Packing:
    """Placement of replicas on nodes.

    Attributes:
        nodes: Nodes in use.
        unplaced: Replicas that no node has room for.
        splintered: Replicas that Ray may send to a node where they wait for a GPU that others share.
    """

    nodes: tuple[Node, ...]
    unplaced: tuple[Replica, ...] = ()
    splintered: tuple[Replica, ...] = ()

    @property
    def gpus_used(self) -> int:
        """GPUs with anything on them."""
        return sum(room < STEPS for node in self.nodes for room in node.devices)

    def fits_besides(self, replica: Replica) -> bool:
        """Tell whether one more replica fits onto the nodes in use."""
        return any(node.devices_for(replica) is not None for node in self.nodes)


def pack(replicas: Iterable[Replica], kinds: Sequence[NodeKind]) -> Packing:
    """Place replicas on as many nodes as they take.

    Args:
        replicas: All that are to run.
        kinds: What nodes there may be; of those that would do for a replica, the first comes.
    """
    nodes: list[Node] = []
    unplaced: list[Replica] = []
    splintered: list[Replica] = []
    for replica in sorted(replicas, key=lambda replica: (-replica.gpus, -replica.cpus)):
        if any(node.splintered(replica) for node in nodes):
            splintered.append(replica)
        fitting = [node for node in nodes if node.devices_for(replica) is not None]
        node = min(fitting, key=lambda node: node.room) if fitting else _another(replica, nodes, kinds)
        devices = node.devices_for(replica) if node is not None else None
        if node is None or devices is None:
            unplaced.append(replica)
        else:
            node.place(replica, devices)
    return Packing(tuple(nodes), tuple(unplaced), tuple(splintered))


def _another(replica: Replica, nodes: list[Node], kinds: Sequence[NodeKind]) -> Node | None:
    """Add a node of the first kind that would do, without GPUs where none are wanted."""
    for kind in sorted(kinds, key=lambda kind: kind.gpus > 0 and replica.gpus == 0):
        node = Node.empty(kind)
        if node.devices_for(replica) is None:
            continue
        if kind.most is None or sum(other.kind is kind for other in nodes) < kind.most:
            nodes.append(node)
            return node
    return None
