"""Configs that fit: `configs/`, for a task, an encoder, a language and a size."""
