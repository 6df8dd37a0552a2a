/** Notices when the page changes between light and dark. */

/** What JupyterLab, VS Code and others change on a page's root or body. */
const MARKS = ['class', 'data-jp-theme-name', 'data-vscode-theme-kind', 'data-theme'];

/** A theme's style sheet may arrive after the page says that it is there. */
const SETTLED_MS = 400;

/** Call back when the theme has changed; the function given back ends that. */
export function watchTheme(onChange: () => void): () => void {
  let timer = 0;
  const changed = (): void => {
    clearTimeout(timer);
    onChange();
    timer = window.setTimeout(onChange, SETTLED_MS);
  };
  const observer = new MutationObserver(changed);
  const filter = { attributes: true, attributeFilter: MARKS };
  observer.observe(document.body, filter);
  observer.observe(document.documentElement, filter);
  const preference = window.matchMedia('(prefers-color-scheme: dark)');
  preference.addEventListener('change', changed);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    preference.removeEventListener('change', changed);
  };
}
