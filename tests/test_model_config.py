"""What a model is built from is plain data in config.json."""

import pytest

import pixelbayes as pb
from pixelbayes.model_config import from_spec, spec


def test_a_configuration_as_plain_data_comes_back() -> None:
    config = pb.create("digits", classes=["a", "b", "c"], filters=2).config
    assert from_spec(spec(config)) == config
    changed = spec(config)
    changed["network"]["filtrs"] = 3
    with pytest.raises(pb.UserError, match="did you mean 'filters'"):
        from_spec(changed)
