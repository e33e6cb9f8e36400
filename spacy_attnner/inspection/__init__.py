"""What annotated documents hold, and what in them is wrong or will hurt a training."""
