"""Former name of ``python -m deployments.planning``."""

from models.moved import run_moved

if __name__ == "__main__":
    run_moved("deployments.plan", "deployments.planning")
