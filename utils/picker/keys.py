"""Keys in the picker stay in the picker.

In JupyterLab a click on a list or a button leaves the notebook in command mode: the next key belongs to the notebook,
and `m` turns the picker's cell into Markdown. JupyterLab leaves elements alone that are marked
`data-lm-suppress-shortcuts`; ipywidgets has no way to mark one, so a few lines of script do, and stop the keys from
reaching other front ends' handlers. They also let the down arrow go from the search box to the list.
"""

CLASS = "steam-banner-picker"

_SCRIPT = """
(function mark(element, tries) {
  const picker = element.closest('.CLASS');
  if (!picker) { if (tries) setTimeout(mark, 50, element, tries - 1); return; }
  if (picker.dataset.lmSuppressShortcuts) return;
  picker.dataset.lmSuppressShortcuts = 'true';
  picker.setAttribute('role', 'group');
  picker.setAttribute('aria-label', 'Pick a game');
  picker.addEventListener('keydown', event => {
    const list = picker.querySelector('select[size]');
    if (event.key == 'ArrowDown' && event.target.matches('.CLASS-search input') && list.options.length) {
      event.preventDefault();
      list.focus();
      if (list.selectedIndex < 0) { list.selectedIndex = 0; list.dispatchEvent(new Event('change', {bubbles: true})); }
    }
  }, true);
  picker.addEventListener('keydown', event => event.stopPropagation());
})(this, 100)
"""


def html() -> str:
    """Return an invisible element that marks the picker around it once it is shown."""
    script = " ".join(_SCRIPT.replace("CLASS", CLASS).split())
    return f'<img alt="" hidden src="data:," onerror="{script.replace(chr(34), "&quot;")}">'
