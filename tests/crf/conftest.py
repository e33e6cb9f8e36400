"""Every test of the CRF runs on both of its paths: compiled, and in PyTorch."""

import pytest

from spacy_attnner import native
from spacy_attnner.crf.recursions import LOOP


@pytest.fixture(params=["compiled", "torch"], autouse=True, scope="module")
def path(request):
    if request.param == "compiled":
        if native.extension(LOOP) is None:
            pytest.skip(native.extension_state(LOOP))
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_find", lambda name: (None, "chosen"))
        yield request.param
