"""The table of settings."""

from pathlib import Path

import pytest

from muniment.settings import TABLE, InvalidSetting, Settings, read_settings, unknown_variables


def test_a_flag_goes_before_its_variable_and_a_variable_before_the_default() -> None:
    environment = {"MUNIMENT_PORT": "8081", "MUNIMENT_HOST": "10.0.0.1"}
    settings = read_settings({"port": "9000"}, environment)
    assert (settings.port, settings.host, settings.partitions) == (9000, "10.0.0.1", 4)


def test_an_empty_variable_counts_as_absent() -> None:
    assert read_settings({}, {"MUNIMENT_PORT": "", "MUNIMENT_KAFKA": ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MUNIMENT_PORT", "0"),
        ("MUNIMENT_PORT", "65536"),
        ("MUNIMENT_PORT", "tcp://10.0.0.1:8080"),
        ("MUNIMENT_PARTITIONS", "-1"),
        ("MUNIMENT_URL", "localhost:8080"),
        ("MUNIMENT_WEBHOOK_TARGETS", "all"),
        ("MUNIMENT_NAME", "../api"),
        ("MUNIMENT_SUBJECT_TYPES", "playlist,,asset"),
        ("MUNIMENT_LOG_LEVEL", "loud"),
        ("MUNIMENT_AUDIT_EVERY", "0"),
        ("MUNIMENT_AUDIT_EVERY", "3601"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=variable):
        read_settings({}, {variable: value})


def test_a_secret_is_in_no_flag_and_in_no_text() -> None:
    for setting in TABLE:
        if setting.name in {"hook_secret", "webhook_key", "service_key", "bsv_private_key"}:
            assert setting.flag is None
    environment = {
        f"MUNIMENT_{name}": "s3cret"
        for name in ("HOOK_SECRET", "WEBHOOK_KEY", "SERVICE_KEY", "BSV_PRIVATE_KEY", "POSTGRES")
    }
    assert "s3cret" not in repr(read_settings({}, environment))


def test_settings_survive_the_way_to_another_process() -> None:
    given = {
        "MUNIMENT_PORT": "8081",
        "MUNIMENT_SUBJECT_TYPES": "playlist,work",
        "MUNIMENT_DATA": "a b",
        "MUNIMENT_NAME": "x",
        "MUNIMENT_AUDIT_EVERY": "2",
    }
    settings = read_settings({}, given)
    assert settings.environment() == given
    assert read_settings({}, settings.environment()) == settings


def test_a_variable_that_nothing_reads_is_named_with_the_one_that_may_be_meant() -> None:
    found = unknown_variables({"MUNIMENT_PROT": "1", "MUNIMENT_KEY": "k", "MUNIMENT_PORT": "1", "PATH": "/"})
    assert found == {"MUNIMENT_PROT": "MUNIMENT_PORT"}


def test_state_lies_under_the_name_or_else_the_role() -> None:
    assert Settings(data=Path("d")).state("api") == Path("d/state/api")
    assert Settings(data=Path("d"), name="api-2").state("api") == Path("d/state/api-2")
    assert Settings().process_name("api").startswith("api-")
