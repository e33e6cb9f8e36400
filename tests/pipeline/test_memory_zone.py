"""What a memory zone frees is kept nowhere else."""

import pickle


def test_no_model_remembers_the_words_of_a_memory_zone(task, trained):
    model = trained.get_pipe(task.name).model
    size = len(pickle.dumps(model))
    for start in (0, 300, 0):  # the first words come again
        with trained.memory_zone():
            words = (f"w{i}x{i * i}" for i in range(start, start + 300))
            doc = trained(" ".join(words))
            assert all(0.0 <= score <= 1.0 for score in task.found(doc).values())
    assert len(pickle.dumps(model)) == size
