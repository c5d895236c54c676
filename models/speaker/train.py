"""Former name of ``python -m training.speaker.train``."""

from models.moved import run_moved

if __name__ == "__main__":
    run_moved("models.speaker.train", "training.speaker.train")
