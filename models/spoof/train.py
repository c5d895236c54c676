"""Former name of ``python -m training.spoof.train``."""

from models.moved import run_moved

if __name__ == "__main__":
    run_moved("models.spoof.train", "training.spoof.train")
