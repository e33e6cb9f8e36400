"""What surrounds a training: checkpoints, what is logged of it."""
