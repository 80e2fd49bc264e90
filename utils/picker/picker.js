(function enhance(element, tries) {
  const picker = element.closest('.steam-banner-picker');
  const input = picker?.querySelector('.sbp-search input');
  if (!input) return tries && setTimeout(enhance, 50, element, tries - 1);
  if (picker.dataset.lmSuppressShortcuts) return;
  picker.dataset.lmSuppressShortcuts = 'true'; /* JupyterLab leaves the keys alone */
  const set = (each, attributes) => Object.entries(attributes).forEach(pair => each.setAttribute(...pair));
  const search = picker.querySelector('.sbp-search');
  const list = search.querySelector('.sbp-list');
  const open = isOpen => {
    search.classList.toggle('sbp-closed', !isOpen);
    input.setAttribute('aria-expanded', isOpen);
  };
  set(picker, { role: 'group', 'aria-label': 'Pick a game' });
  set(list, { id: 'sbp-' + Math.random().toString(36).slice(2), role: 'listbox', 'aria-label': 'Games found' });
  set(input, { role: 'combobox', 'aria-controls': list.id, 'aria-autocomplete': 'list' });
  for (const each of list.querySelectorAll('button')) set(each, { role: 'option', tabindex: -1 });
  open(false);
  input.addEventListener('input', () => open(true));
  input.addEventListener('click', () => open(true));
  list.addEventListener('mousedown', event => event.preventDefault()); /* the box keeps the focus, the list stays */
  list.addEventListener('click', () => { input.focus(); open(false); });
  search.addEventListener('focusout', event => { if (!search.contains(event.relatedTarget)) open(false); });
  search.addEventListener('keydown', event => {
    const all = [...list.querySelectorAll('button')].filter(each => each.style.display != 'none');
    const at = all.indexOf(document.activeElement);
    if (event.key == 'Escape' || event.key == 'Enter' && at < 0) open(false);
    if (event.key == 'Escape') input.focus({ preventScroll: true });
    if (event.key != 'ArrowDown' && event.key != 'ArrowUp' || !all.length) return;
    event.preventDefault();
    open(true);
    const next = at + (event.key == 'ArrowDown' ? 1 : -1);
    (next < 0 ? input : all[Math.min(next, all.length - 1)]).focus();
  }, true);
  picker.addEventListener('click', event => {
    if (!event.target.closest('.sbp-banner')) return;
    picker.querySelector('.sbp-grid').scrollTo({ top: 0 });
    picker.querySelector('.sbp-query').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  });
  picker.addEventListener('keydown', event => event.stopPropagation()); /* other front ends too */
})(this, 100)
