"""Prints which GPUs Ray gives to each replica: JSON, by the name of its actor.

Usage: python gpu_ids.py ADDRESS
"""

import json
import sys

import ray


def main(address: str) -> None:
    ray.init(address, namespace="serve", log_to_driver=False, logging_level="error")
    names = [
        name for name in (actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)) if "#" in name
    ]
    asked = {
        name: ray.get_actor(name).__ray_call__.remote(
            lambda _self: ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
        )
        for name in names
    }
    print(json.dumps({name: ray.get(ids) for name, ids in asked.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
