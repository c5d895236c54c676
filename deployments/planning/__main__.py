"""Plan a Serve configuration without running it: where its replicas go, and whether they fit.

::

    python -m deployments.planning serve_config.yaml --gpu-memory 22
    python -m deployments.planning serve_config.yaml --gpu-memory 22 --cluster cluster.yaml

Every key is checked, the replicas are placed on GPUs at the least and at the greatest scale as Ray places them, and
what each engine needs is compared with its share. No Ray is started, no weights and no GPU are needed. It ends with 0
where all fits, with 1 where something does not, each with a sentence, and with 2 where the configuration can't be used.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments.planning.cluster import read_node_kinds
from deployments.planning.gpu_memory_needs import GIBIBYTE
from deployments.planning.packing import NodeKind
from deployments.planning.plan import plan
from deployments.planning.replicas import planned_deployments
from deployments.planning.report import as_json, show
from deployments.serve_config import load
from deployments.strict import ConfigError

FITS, DOES_NOT_FIT, CANNOT_BE_USED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m deployments.planning", description=description)
    parser.add_argument("config", type=Path, help="a Serve configuration file")
    parser.add_argument("--gpu-memory", type=_positive, required=True, metavar="GIB", help="memory of one GPU")
    parser.add_argument("--gpus-per-node", type=_count, default=1, metavar="N", help="GPUs of one node (1)")
    parser.add_argument("--nodes", type=_count, metavar="N", help="most nodes with GPUs (any number)")
    parser.add_argument("--cpus-per-node", type=_count, metavar="N", help="CPUs of a node with GPUs (not counted)")
    parser.add_argument("--cluster", type=Path, metavar="FILE", help="a cluster.yaml that says which nodes there are")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    given = parser.parse_args(arguments)
    try:
        if given.cluster:
            kinds = read_node_kinds(given.cluster)
        else:
            kinds = [NodeKind("gpu", given.gpus_per_node, given.cpus_per_node, given.nodes), NodeKind("cpu", 0)]
        planned = plan(planned_deployments(load(given.config)), given.gpu_memory * GIBIBYTE, kinds)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return CANNOT_BE_USED
    if given.json:
        print(json.dumps(as_json(planned), indent=2))
    else:
        show(planned)
    return FITS if planned.fits else DOES_NOT_FIT


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
