import dataclasses

import pytest

from zoo.config import GANConfig, RecipeConfig, hyperparameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RecipeConfig):
    width: int = hyperparameter(8, "Channels.", minimum=1)
    rate: float = hyperparameter(0.5, "A rate.", below=3)
    norm: str = hyperparameter("none", "A norm.", choices=("none", "layer"))


def test_dict_round_trip():
    config = Config(width=3, norm="layer")
    assert config.to_dict() == {"width": 3, "rate": 0.5, "norm": "layer"}
    assert Config.from_dict(config.to_dict()) == config


def test_an_integer_is_a_float_but_not_the_reverse():
    assert Config(rate=2).rate == 2.0
    assert isinstance(Config(rate=2).rate, float)
    with pytest.raises(ValueError, match=r"^width must be of type int, but is 2\.5\.$"):
        Config(width=2.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widht": 3}, r"^Unknown hyperparameter 'widht'; did you mean 'width'\?"),
        ({"width": 0}, "^width must be at least 1, but is 0"),
        ({"width": True}, "^width must be of type int, but is True"),
        ({"width": "8"}, "^width must be of type int, but is '8'"),
        ({"rate": 3}, "^rate must be less than 3, but is 3.0"),
        ({"rate": float("nan")}, "^rate must be a finite number"),
        ({"norm": "batch"}, "^norm must be one of 'none', 'layer', but is 'batch'"),
    ],
)
def test_bad_values_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        Config.from_dict(values)


def test_a_changed_default_keeps_help_and_limits():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(Config):
        width: int = 32

    assert Wider().width == 32
    assert Wider.__dataclass_fields__["width"].metadata["help"] == "Channels."
    with pytest.raises(ValueError, match="width must be at least 1"):
        Wider(width=0)


def test_image_shape():
    assert GANConfig(image_size=32, channels=3).image_shape == (32, 32, 3)
