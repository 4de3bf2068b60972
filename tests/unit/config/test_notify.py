"""Who is told: targets from the file, a variable or a file of their own, and never a URL in what is said of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.config import ConfigError, Settings, summary, warnings
from gateway.config.document import read
from gateway.config.folder import Folder
from gateway.config.load import load_document
from gateway.notify import NotifySettings, Pace
from gateway.notify.problems import Kind

SECRET = "hunter2hunter2"
TELEGRAM = "tgram://123456789:AAabcdefghijklmnopqrstuvwxyzABCDEFG/12345"
NOTIFY = "SIGNAL_GATEWAY_NOTIFY__"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path, tmp_path / "signal-gateway.yml")
    made.secrets.mkdir(mode=0o700)
    for file in (made.broker_password, made.config):
        file.touch(mode=0o600)
    made.broker_password.write_text("sg_own\n")
    return made


def settings_of(text: str, folder: Folder, **environ: str) -> Settings:
    return load_document(read(text, file="c.yml"), folder, environ)


def problems_of(text: str, folder: Folder, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_of(text, folder, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_nobody_is_told_unless_it_is_asked_for(folder: Folder) -> None:
    assert settings_of("", folder).notify == NotifySettings(
        targets=(), pace=Pace(group_for=10, repeat_every=3600, limit=20), broker_away_after=60
    )


def test_a_target_is_a_url_or_a_mapping_and_says_what_it_gets(folder: Folder) -> None:
    (folder.root / "telegram.url").write_text(f"{TELEGRAM}\n")
    text = """\
notify:
  group_for: 5s
  repeat_every: 2h
  limit: 7
  broker_away_after: 3m
  targets:
    - json://127.0.0.1:8000/hook
    - {url: "json://127.0.0.1:8001/", kinds: [refused, bot_dead], sources: [tv], bots: [demo]}
    - url_file: telegram.url
sources: {tv: {expect_every: 1d}, other: {}}
"""
    settings = settings_of(text, folder)
    first, second, third = settings.notify.targets

    assert (first.number, first.url, first.kinds) == (1, "json://127.0.0.1:8000/hook", ())
    assert (second.kinds, second.sources, second.bots) == ((Kind.REFUSED, Kind.BOT_DEAD), ("tv",), ("demo",))
    assert third.url == TELEGRAM
    assert settings.notify.pace == Pace(group_for=5, repeat_every=7200, limit=7)
    assert settings.notify.broker_away_after == 180
    assert settings.expected == {"tv": 86_400}


def test_a_variable_names_targets_whose_urls_may_hold_commas(folder: Folder) -> None:
    urls = "json://127.0.0.1/?+a=1,2,  jsons://example.com/x"
    settings = settings_of("notify: {limit: 3}", folder, **{f"{NOTIFY}TARGETS": urls, f"{NOTIFY}LIMIT": "9"})

    assert [target.url for target in settings.notify.targets] == ["json://127.0.0.1/?+a=1,2", "jsons://example.com/x"]
    assert settings.notify.pace.limit == 9


def test_what_is_wrong_with_targets_is_named_with_its_line_and_without_a_url(folder: Folder) -> None:
    text = f"""\
notify:
  limit: none
  targets:
    - {{url: "jsons://{SECRET}", url_file: x}}
    - {{kinds: [refusd], sources: ["a b"]}}
    - {{url: "jsons://{SECRET}", kind: [refused]}}
    - ["jsons://{SECRET}"]
    - {{url: {{tgram: {SECRET}}}}}
"""
    problems = problems_of(text, folder)

    assert [problem.partition(" ")[0] for problem in problems] == [f"c.yml:{n}:" for n in (2, 4, 5, 5, 6, 7, 8)]
    assert "c.yml:4: notify.targets[0] needs either url or url_file" in problems
    assert any(problem.endswith("did you mean 'refused'?") for problem in problems)
    assert "c.yml:6: notify.targets[2].kind is not a setting; did you mean 'kinds'?" in problems
    assert "c.yml:8: notify.targets[4].url has one value, not a list or a mapping" in problems
    assert SECRET not in "\n".join(problems)


def test_a_url_that_apprise_cannot_use_a_file_that_is_not_there_and_a_source_that_is_none_are_named(
    folder: Folder,
) -> None:
    text = f"""\
notify:
  targets:
    - {SECRET}
    - bogus://{SECRET}
    - tgram://{SECRET}
    - url_file: nowhere
    - {{url: "json://127.0.0.1/", sources: [scalper, scalpr]}}
sources: {{scalper: {{}}}}
"""
    cannot = "is no URL that apprise can use: see docs/notifications.md"

    assert problems_of(text, folder) == [
        f"c.yml:3: notify.targets[0].url {cannot}",
        f"c.yml:4: notify.targets[1].url {cannot}",
        f"c.yml:5: notify.targets[2].url {cannot}",
        f"c.yml:6: notify.targets[3].url_file {folder.root}/nowhere cannot be read or is empty: write the URL into it",
        "c.yml:7: notify.targets[4].sources[1] is no source; did you mean 'scalper'?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"notify: tgram://{SECRET}", "c.yml:1: notify is a section with settings below it"),
        (f"notify: {{targets: {{url: tgram://{SECRET}}}}}", "c.yml:1: notify.targets is a list"),
        (f"notify: [tgram://{SECRET}]", "c.yml:1: notify is a section with settings below it"),
    ],
)
def test_a_url_at_the_wrong_place_is_not_repeated(folder: Folder, text: str, problem: str) -> None:
    assert problems_of(text, folder) == [problem]


def test_an_error_in_a_variable_names_the_variable_and_not_the_url(folder: Folder) -> None:
    assert problems_of("", folder, **{f"{NOTIFY}TARGETS": f"bogus://{SECRET}"}) == [
        f"{NOTIFY}TARGETS: notify.targets[0].url is no URL that apprise can use: see docs/notifications.md"
    ]


def test_without_apprise_the_configuration_says_what_to_install(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert problems_of("notify: {targets: [json://127.0.0.1]}", folder) == [
        "c.yml:1: notify needs the library apprise: pip install 'signal-gateway[notify]'"
    ]
    assert settings_of("notify: {limit: 3}", folder).notify.targets == ()


def test_the_summary_names_the_targets_without_their_urls(folder: Folder) -> None:
    settings = settings_of(f"notify: {{targets: [{TELEGRAM}, 'json://u:{SECRET}@127.0.0.1/{SECRET}']}}", folder)

    assert summary(settings)[-2:] == [
        "notify        target 1, tgram",
        "notify        target 2, json://127.0.0.1",
    ]
    assert SECRET not in f"{settings}"
    assert "AAabc" not in f"{settings}{summary(settings)}"


def test_a_file_with_a_url_that_others_can_read_is_a_warning(folder: Folder) -> None:
    file = folder.root / "telegram.url"
    file.write_text(TELEGRAM)
    file.chmod(0o640)
    settings = settings_of("notify: {targets: [{url_file: telegram.url}]}", folder)
    warned = f"{file}: others can read it: chmod 600 {file}"

    assert warned in warnings(settings, {})
    file.chmod(0o600)
    assert warned not in warnings(settings, {})


def test_a_source_that_is_expected_where_nobody_is_told_is_a_warning(folder: Folder) -> None:
    text = "sources: {tv: {expect_every: 1h}}\n"
    warned = "sources.tv.expect_every: only the log says that it is silent, as notify.targets is empty"

    assert warned in warnings(settings_of(text, folder), {})
    assert warned not in warnings(settings_of(f"{text}notify: {{targets: ['json://127.0.0.1']}}", folder), {})
