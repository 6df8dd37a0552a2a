/** What keys do in the tree, as in every tree (ARIA's pattern). Pure. */

import type { Row } from './rows';

/** Go to a line, or open or close it. */
export type Move = { readonly to: Row; readonly open?: boolean };

/** What `key` does at the line `current`; null if nothing. */
export function move(rows: readonly Row[], current: string, key: string): Move | null {
  const index = rows.findIndex(row => row.key === current);
  const row = rows[index];
  if (!row) {
    return null;
  }
  switch (key) {
    case 'ArrowDown':
      return go(rows[index + 1]);
    case 'ArrowUp':
      return go(rows[index - 1]);
    case 'Home':
      return go(rows[0]);
    case 'End':
      return go(rows[rows.length - 1]);
    case 'ArrowRight':
      return row.isOpen === false ? { to: row, open: true } : go(child(rows, index));
    case 'ArrowLeft':
      return row.isOpen ? { to: row, open: false } : go(parent(rows, index));
    case 'Enter':
    case ' ':
      return row.isOpen === null ? null : { to: row, open: !row.isOpen };
    default:
      return null;
  }
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
