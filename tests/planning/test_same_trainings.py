"""Cells whose losses are one function are named before anything trains."""

import pytest
from support.plans import plan

ALL = "on blobs categorical_crossentropy, sparse_categorical_crossentropy and kl_divergence are one function"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["loss=categorical_crossentropy,sparse_categorical_crossentropy,kl_divergence"], [ALL]),
        (["loss=cce,scce,kl_divergence", "optimizer.learning_rate=0.01,0.1"], [ALL]),
        (["loss=cce,scce,kl_divergence", "trainer=fit"], []),
        (["loss=categorical_crossentropy"], []),
    ],
)
def test_a_line_says_what_is_trained_once(settings, said):
    made = plan("-m", "dataset=blobs", *settings)
    assert [note.partition(":")[0] for note in made.notes if "one function" in note] == said
