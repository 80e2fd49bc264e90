#!/usr/bin/env bash
# What needs no torch (store, catalogue, download, pictures, figures, picker), on Colab's Python 3.13 and the versions it
# has. Skips, saying so, where no Python 3.13 is found.
set -euo pipefail
cd "$(dirname "$0")/.."

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

if [ ! -e .venv-colab/done ] || [ requirements.txt -nt .venv-colab/done ] || [ tests/colab.txt -nt .venv-colab/done ]; then
    "$python" -m venv .venv-colab
    grep -vE '^(torch|transformers)' requirements.txt >.venv-colab/without-torch.txt
    .venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -c tests/colab.txt \
        -r .venv-colab/without-torch.txt pytest
    touch .venv-colab/done
fi
.venv-colab/bin/python -m pytest tests/test_settings.py tests/test_catalogue.py tests/test_banners.py \
    tests/test_sample.py tests/test_show.py tests/test_picker.py tests/test_transfer.py \
    tests/test_snapshot.py::test_shards_are_webdatasets_with_the_appid_in_each_sample \
    tests/test_snapshot.py::test_each_kind_of_picture_and_each_reason tests/test_snapshot.py::test_snapshots_grow_by_what_is_new
