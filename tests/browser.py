"""A headless Chromium and a Jupyter server, both on loopback and both gone afterwards."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PLAYWRIGHT = find_spec("playwright")
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
BUSY = ".jp-Notebook-ExecutionIndicator[data-status=busy]"

_ARGUMENTS = [  # no sandbox, as tests may run as root; the rest keeps chromium from calling its maker
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextlib.contextmanager
def opened(folder: Path) -> Iterator:
    """A new page of a browser whose profile is made in `folder`."""
    from playwright.sync_api import sync_playwright

    options = {"executable_path": CHROMIUM, "args": _ARGUMENTS, "viewport": {"width": 1400, "height": 1100}}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch_persistent_context(folder / "profile", **options)
        chromium.set_default_timeout(60_000)
        yield chromium.new_page()
        chromium.close()


def serious(page, within: str = "html") -> list[str]:
    """What axe-core calls serious or critical on a page, or within an element of it, a line each."""
    import axe_playwright_python

    page.evaluate(Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8") + ";0")
    found = page.evaluate("within => axe.run(within, { preload: false })", within)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in ("serious", "critical")]


def run_all(page, address: str, notebook: str) -> None:
    """Open a notebook in JupyterLab and choose Run All Cells, again where a busy machine lost it."""
    from playwright.sync_api import Error

    page.goto(f"{address}/doc/tree/{notebook}")
    page.locator(IDLE).wait_for()
    for _ in range(5):
        page.wait_for_timeout(2_000)  # the kernel says idle a little before it listens
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with contextlib.suppress(Error):
            page.locator(BUSY).wait_for(timeout=20_000)
            return
    raise RuntimeError("no cell has begun to run")


def jupyterlab(folder: Path) -> contextlib.AbstractContextManager[str]:
    """JupyterLab over a folder of notebooks, keeping its own files there too: yields the address."""
    options = ["--ip=127.0.0.1", "--allow-root", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    quiet = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    return serving(folder, "jupyterlab", *options, quiet, f"--ServerApp.root_dir={folder}")


@contextlib.contextmanager
def serving(folder: Path, *words: str) -> Iterator[str]:
    """A module's Jupyter server, keeping its files in `folder`: yields the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    env |= {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(Path(__file__).parent.parent)}
    address, log = f"http://127.0.0.1:{port}", folder / "server.log"
    with log.open("w") as output:
        command = [sys.executable, "-m", *words, "--no-browser", f"--port={port}"]
        server = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        try:
            end = time.monotonic() + 180  # a busy machine takes its time
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"no answer from {address}:\n{log.read_text()}")
                time.sleep(0.1)
            yield address
        finally:
            server.terminate()  # its kernels end with it
            server.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))
