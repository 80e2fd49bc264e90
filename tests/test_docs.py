"""The README and the docs: links lead to files, commands, settings and tests are there, snippets run."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

import sample
from utils import catalogue, encoder, features, settings, snapshot

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("[st]*/README.md")]


def found(pattern: str) -> set[str]:
    return {text for page in DOCS for text in re.findall(pattern, page.read_text("utf-8"), re.MULTILINE)}


def test_links_commands_settings_and_tests_lead_somewhere():
    links = [(page, link) for page in DOCS for link in re.findall(r"\]\(([^):\s#]+)[)#]", page.read_text("utf-8"))]
    assert len(links) > 30
    assert [link for page, link in links if not (page.parent / link).exists()] == []
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"match", "judge"} <= found(r"(?:`|^|=long )make ([a-z-]+)") <= goals
    modules = found(r"python -m ([\w.]+)")
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []
    scripts = found(r"(?:benchmarks|tools|tests|training|utils|study|share)/\w+\.py")
    assert [script for script in scripts if not (ROOT / script).is_file()] == []
    assert found(r"^\| `([A-Z]+)` \|") == set(settings.known())
    tests = {name for file in ROOT.glob("tests/test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert set() < found(r"`(?:test_\w+\.py)?::(test_\w+)`") <= tests


@pytest.mark.slow
def test_snippets_run_on_what_the_sample_leaves(tmp_path, monkeypatch, sample_store):
    small, data = ROOT / "sample" / "beit-small", tmp_path / "data" / "sample"
    games = catalogue.fetch_catalogue(api_url=sample_store.api_url, assets_url=sample_store.assets_url)
    snapshot.update(games, data / "snapshots", assets_url=sample_store.assets_url)
    features.extract(data / "snapshots", encoder.load(small), data / "features" / "beit-small--squash--pooled")
    shutil.copytree(small, tmp_path / "sample" / "beit-small")
    shutil.copy(sample.DRAFT, tmp_path / "sample")
    monkeypatch.chdir(tmp_path)
    for page in ("README.md", "docs/python.md"):
        code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL))
        code = code.replace("facebook/dinov2-base", str(sample.checkpoint(tmp_path / "dinov2", "dinov2")))
        exec(compile(code, page, "exec"), {})  # noqa: S102
