"""How the compact spoof detector that ships is made: synthetic speech, degradations, network and training."""
