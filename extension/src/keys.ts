/** What keys do in the tree, as in every tree (ARIA's pattern). Pure. */

import type { Row } from './rows';

/** Go to a line, or open or close it. */
export type Move = { readonly to: Row; readonly open?: boolean };

type Way = (rows: readonly Row[], index: number, row: Row) => Move | null;

const WAYS: Readonly<Record<string, Way>> = {
  ArrowDown: (rows, index) => go(rows[index + 1]),
  ArrowUp: (rows, index) => go(rows[index - 1]),
  Home: rows => go(rows[0]),
  End: rows => go(rows[rows.length - 1]),
  ArrowRight: (rows, index, row) =>
    row.isOpen === false ? { to: row, open: true } : go(child(rows, index)),
  ArrowLeft: (rows, index, row) =>
    row.isOpen ? { to: row, open: false } : go(parent(rows, index)),
  Enter: (_rows, _index, row) => toggle(row),
  ' ': (_rows, _index, row) => toggle(row)
};

/** What `key` does at the line `current`; null if nothing. */
export function move(rows: readonly Row[], current: string, key: string): Move | null {
  const index = rows.findIndex(row => row.key === current);
  const row = rows[index];
  return row ? (WAYS[key]?.(rows, index, row) ?? null) : null;
}

function toggle(row: Row): Move | null {
  return row.isOpen === null ? null : { to: row, open: !row.isOpen };
}

function go(to: Row | undefined): Move | null {
  return to ? { to } : null;
}

function child(rows: readonly Row[], index: number): Row | undefined {
  const below = rows[index + 1];
  return below && below.level > (rows[index]?.level ?? 0) ? below : undefined;
}

function parent(rows: readonly Row[], index: number): Row | undefined {
  const level = rows[index]?.level ?? 0;
  return rows
    .slice(0, index)
    .reverse()
    .find(row => row.level < level);
}
