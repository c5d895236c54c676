"""Recipe of the compact spoof detector that ships: synthetic speech, degradations, network and training."""
