"""What a pipeline's entities get right and wrong on annotated documents."""
