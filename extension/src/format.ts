/** Values as the sidebar writes them, each with its unit. Pure. */

import { short } from './charts/format';

const NONE = '–';

/** Requests per second: `12.3/s`; a dash where nothing was measured. */
export function rate(perSecond: number | undefined): string {
  return perSecond === undefined ? NONE : `${short(perSecond)}/s`;
}

/** A latency: `4.2 ms`, `1.3 s`; a dash where no request ended. */
export function latency(ms: number | null | undefined): string {
  if (ms === undefined || ms === null) {
    return NONE;
  }
  return ms < 999.5 ? `${short(ms)} ms` : `${short(ms / 1000)} s`;
}

/** Memory: `116 MB`, `1.24 GB`. */
export function memory(bytes: number): string {
  return bytes < 999.5e6
    ? `${Math.round(bytes / 1e6)} MB`
    : `${(bytes / 1e9).toFixed(bytes < 9.995e9 ? 2 : 1)} GB`;
}

/** CPU use: `0.42 cores`. */
export function cores(value: number): string {
  return `${value.toFixed(2)} cores`;
}

/** A number with its noun: `1 replica`, `2 replicas`. */
export function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}

/** A version as short as it can still be told from others. */
export function shortVersion(version: string): string {
  return version.slice(0, 7);
}

/** The last part of a path, whatever its slashes. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).pop() ?? path;
}

/** The last part of a replica's id: what differs between its siblings. */
export function shortReplica(id: string): string {
  return id.split('#').pop() ?? id;
}

/** Host and port of a URL; the URL itself where it is none. */
export function host(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** Text with `code` in backquotes, as parts. */
export function prose(
  text: string
): { readonly text: string; readonly isCode: boolean }[] {
  return text
    .split('`')
    .map((part, index) => ({ text: part, isCode: index % 2 === 1 }))
    .filter(part => part.text !== '');
}
