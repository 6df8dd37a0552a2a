/** Code and commands that readers take away. Pure. */

import type { ApplicationStatusOverview } from './protocol';

/** What calls an application from a cell; by handle where it has no URL. */
export function clientCode(name: string, app: ApplicationStatusOverview): string {
  const title = JSON.stringify(name);
  if (app.url === null) {
    return [
      'from workbench import serve',
      '',
      `handle = serve.get_app_handle(${title})`,
      'handle.remote([1, 2, 3]).result()'
    ].join('\n');
  }
  return [
    'import httpx',
    '',
    `response = httpx.post(${JSON.stringify(app.url)}, json=[1, 2, 3])`,
    'response.raise_for_status()',
    'response.json()'
  ].join('\n');
}

/** A line for a shell. */
export function curl(url: string): string {
  return `curl -X POST ${quoted(url)} -H 'content-type: application/json' -d '[1, 2, 3]'`;
}

/** Fit for a shell: in single quotes where it holds more than plain characters. */
function quoted(text: string): string {
  return /^[\w.:/%-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

/** Whether a page at `page` can reach `url`: a loopback address is another there. */
export function isReachable(url: string, page: string): boolean {
  const isLocal = (text: string): boolean =>
    /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(text).hostname);
  return !isLocal(url) || isLocal(page);
}

/** Path of a notebook as Jupyter's server names it, from one on its disk. */
export function serverPath(path: string, root: string): string {
  // The page is told of a root below the home directory as `~/…`.
  const home = /^\/(root|home\/[^/]+|Users\/[^/]+)(?=\/)/.exec(path)?.[0];
  const full = root.replace(/^~/, home ?? '~').replace(/\/+$/, '');
  const below = full.startsWith('~') ? path.indexOf(full.slice(1) + '/') : 0;
  const top = full.startsWith('~') ? full.slice(1) : full;
  return below >= 0 && path.startsWith(`${top}/`, below)
    ? path.slice(below + top.length + 1)
    : path.replace(/^\/+/, '');
}
