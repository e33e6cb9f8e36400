"""Every test of the CRF runs on both of its paths: compiled, and in PyTorch."""

import pytest

from spacy_attnner.crf import compiled


@pytest.fixture(params=["compiled", "torch"], autouse=True, scope="module")
def path(request):
    if request.param == "compiled":
        if compiled.loop() is None:
            pytest.skip(compiled.extension_state())
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "loop", lambda: None)
        yield request.param
