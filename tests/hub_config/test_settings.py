"""Settings: later sources win, and nothing unknown or of the wrong type passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_config.settings import LONGEST_SOCKET_PATH, LONGEST_SOCKET_SUFFIX, SettingsError, load, table


def test_the_file_gives_way_to_the_environment_and_that_to_flags(tmp_path: Path) -> None:
    (tmp_path / "campus.toml").write_text('port = 9001\nhost = "campus.example"\nsession_idle = 60\n')
    settings = load({"state": tmp_path, "port": 9003}, {"CAMPUS_PORT": "9002", "CAMPUS_SESSION_IDLE": "90"})
    assert (settings.port, settings.host, settings.session_idle) == (9003, "campus.example", 90)
    assert settings.url == "http://campus.example:9003"
    assert settings.site_url("s-abc") == "http://s-abc.campus.example:9003"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 9000\n", "'prot'"),
        ('port = "many"\n', "port = 'many'"),
        ('demo = "perhaps"\n', "true or false"),
        ("port = true\n", "of type int"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "campus.toml").write_text(text)
    with pytest.raises(SettingsError, match=said) as refused:
        load({"state": tmp_path}, {})
    assert "campus.toml" in str(refused.value)


def test_sockets_fit_in_an_address_however_deep_the_state_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    run = load({"state": deep}, {}).run
    assert len(str(run)) + LONGEST_SOCKET_SUFFIX <= LONGEST_SOCKET_PATH
    assert run != load({"state": deep / "other"}, {}).run


def test_every_setting_says_what_it_does() -> None:
    assert all(sentence.endswith(".") for _, _, sentence in table())
