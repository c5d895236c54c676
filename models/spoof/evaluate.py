"""Former name of ``python -m training.spoof.evaluate``."""

from models.moved import run_moved

if __name__ == "__main__":
    run_moved("models.spoof.evaluate", "training.spoof.evaluate")
