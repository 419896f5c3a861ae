"""What the README and the pages tell a reader to type is understood."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from interlingua.cli.main import app
from interlingua.runs.experiment import Experiment
from interlingua.runs.run import start
from tests.system.test_pictures import painting
from tests.tiles import write_tiles
from tests.tones import write_melodies

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def fenced(page: Path, language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))


OTHER_PROGRAMS = {"--help", "--logdir", "--speed-only"}

COMMANDS = [
    (page.name, line[line.index("interlingua") :])
    for page in PAGES
    for line in fenced(page, "sh").splitlines()
    if re.match(r"(.*\| )?interlingua ", line)
]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_are_understood(page: str, line: str) -> None:
    _, verb, *arguments = shlex.split(re.split(r"[<>|]", line)[0], comments=True)
    group = typer.main.get_command(app)
    command = group.commands[verb]  # type: ignore[attr-defined]
    command.make_context(verb, arguments)  # parses, refuses unknown options, runs nothing


def test_there_are_commands() -> None:
    assert {page for page, _ in COMMANDS} >= {"README.md", "data.md", "training.md"}


def test_options_named_in_tables_exist() -> None:
    group = typer.main.get_command(app)
    for verb, rest in re.findall(
        r"^\| `interlingua (\w+)` \|(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE
    ):
        command = group.commands[verb]  # type: ignore[attr-defined]
        known = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"`(--[a-z-]+)", rest)) <= known


def test_installing_names_the_version_of_pytorch_that_was_tested() -> None:
    (tested,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert set(re.findall(r"pip install torch==(\S+)", (ROOT / "README.md").read_text())) == {tested}


def test_every_install_from_the_repository_is_constrained() -> None:
    for page in PAGES:
        for line in re.findall(r"pip install .*-e '?\..*", page.read_text()):
            assert "-c constraints.txt" in line, (page.name, line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_named_in_the_pages_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    commands = [group, *group.commands.values()]  # type: ignore[attr-defined]
    parameters = [parameter for command in commands for parameter in command.params]
    known = {name for each in parameters for name in (*each.opts, *each.secondary_opts)}
    for span in re.findall(r"`(--[^`]*)`", page.read_text()):
        assert set(re.findall(r"--[a-z][a-z-]+", span)) <= known | OTHER_PROGRAMS, span


def test_settings_named_in_the_pages_exist() -> None:
    for page in PAGES:
        for section, key in re.findall(
            r"\b(data|tokenizer|training|search)\.(?!md|py)(\w+)", page.read_text()
        ):
            fields = Experiment.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
            assert key in fields, (page.name, section, key)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_are_where_the_links_say(page: Path) -> None:
    for name, target in re.findall(r"\[`(\w+)`[^\]]*\]\((?!http)([^)#]+\.py)\)", page.read_text()):
        assert re.search(
            rf"(class|def) {name}\b|^{name}\b", (page.parent / target).read_text(), re.MULTILINE
        ), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_is_python(page: Path) -> None:
    ast.parse(fenced(page, "python"))


def calls(directory: Path) -> Path:
    """A model of sounds that has learnt nothing, and two sounds beside it."""
    pairs = write_melodies(directory, 40)
    model = {"dim": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1, "decoder_layers": 1}
    training = {"max_steps": 1, "threads": 1, "race": False}
    values = {"data": {"train": str(pairs), "valid_share": 0.3}, "model": model, "training": training}
    list(start({"preset": "speech-small", **values}, directory / "run"))
    for name, number in (("a.wav", 0), ("b.wav", 1)):
        (directory.parent / name).write_bytes((directory / "sounds" / f"0-{number}.wav").read_bytes())
    return directory / "run"


def emoji(directory: Path) -> Path:
    """A model that paints and has learnt nothing."""
    pairs = write_tiles(directory, 40)
    list(start(painting(pairs, max_steps=2), directory / "run"))
    return directory / "run"


def test_python_runs(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "en-de").symlink_to(model)
    (tmp_path / "runs" / "calls").symlink_to(calls(tmp_path / "calls"))
    (tmp_path / "runs" / "emoji").symlink_to(emoji(tmp_path / "emoji"))
    (tmp_path / "in.txt").write_text("1 2 3\n")
    (tmp_path / "pairs.tsv").write_text("".join(f"{n} 1\t1 {n}\n" for n in range(60)))
    monkeypatch.chdir(tmp_path)
    for page in PAGES:
        code = (
            fenced(page, "python")
            .replace('"minutes": 10', '"max_steps": 1')
            .replace('"dim": 128', '"dim": 16')
        )
        exec(compile(code, page.name, "exec"), {})
    assert (tmp_path / "runs" / "mine" / "model.safetensors").exists()
