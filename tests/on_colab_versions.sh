#!/usr/bin/env bash
# Both notebooks, and the tests of all families of networks, on Python 3.13 with the packages that Colab has: theirs
# first, then our requirements on top, as on Colab.
# Skips, saying so, where no Python 3.13 is found.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-colab

find_python() {
    if command -v pyenv >/dev/null; then
        local version
        version=$(pyenv versions --bare 2>/dev/null | grep -m 1 '^3\.13' || true)
        [ -z "$version" ] || echo "$(pyenv root)/versions/$version/bin/python3.13"
    fi
    command -v python3.13 || true
}

for candidate in $(find_python); do
    if "$candidate" --version >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "skipped: no python3.13 on this machine, so Colab's versions were not tried"
    exit 0
fi

if [ ! -e $venv/done ] || [ requirements.txt -nt $venv/done ] || [ tests/colab.txt -nt $venv/done ] ||
    [ tests/on_colab_versions.sh -nt $venv/done ]; then
    "$python" -m venv $venv
    pip="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
    $pip -r tests/colab.txt
    $pip -r requirements.txt
    $venv/bin/python -m pip check
    $pip -c constraints.txt pytest pytest-httpserver hypothesis
    touch $venv/done
fi
if [ "${1:-}" != "--install-only" ]; then
    $venv/bin/python -m pytest -q tests/test_encoder.py tests/test_explain.py
    STEAM_BANNERS_SOURCE=sample STEAM_BANNERS_DATA=$venv/data $venv/bin/python -m tools.run_notebooks $venv/out
fi
