/** Fewer points where more could not be seen. Pure. */

import type { Load, Row } from './rows';
import { WINDOW_S } from './window';

/**
 * Samples come each half second, and five minutes of them are two for each pixel of a
 * usual chart. Drawn one by one they took 2.5 % of a core in Chromium without a GPU, in
 * steps of 1.5 s they take 1.7 %.
 */
const STEP_S = 1.5;

/**
 * Rows of one step as one: highs of latencies and queues, so that none is hidden, and
 * means of rates. Steps begin at multiples of their length, so that points do not
 * change as the window moves. The newest row stays as it is.
 */
export function thinned(rows: readonly Row[], span: number): Row[] {
  if (span < WINDOW_S || rows.length === 0) {
    return [...rows];
  }
  const made: Row[] = [];
  let group: Row[] = [];
  let step = NaN;
  for (const row of rows.slice(0, -1)) {
    const next = Math.floor(row.at / STEP_S);
    if (group.length > 0 && next !== step) {
      made.push(merged(group));
      group = [];
    }
    step = next;
    group.push(row);
  }
  if (group.length > 0) {
    made.push(merged(group));
  }
  return [...made, ...rows.slice(-1)];
}

function merged(group: readonly Row[]): Row {
  const last = group[group.length - 1];
  if (group.length === 1 && last) {
    return last;
  }
  const of = (pick: (row: Row) => number | null): number[] =>
    group.map(pick).filter(value => value !== null);
  const high = (pick: (row: Row) => number | null): number | null => {
    const values = of(pick);
    return values.length > 0 ? Math.max(...values) : null;
  };
  const mean = (pick: (row: Row) => number | null): number | null => {
    const values = of(pick);
    return values.length > 0 ? values.reduce((a, b) => a + b) / values.length : null;
  };
  return {
    at: last?.at ?? 0,
    requests: mean(row => row.requests),
    errors: mean(row => row.errors),
    p50: high(row => row.p50),
    p95: high(row => row.p95),
    p99: high(row => row.p99),
    ongoing: high(row => row.ongoing),
    queued: high(row => row.queued),
    replicas: last?.replicas ?? null,
    target: last?.target ?? null,
    load: last?.load ?? NO_LOAD
  };
}

const NO_LOAD: ReadonlyMap<string, Load> = new Map();
