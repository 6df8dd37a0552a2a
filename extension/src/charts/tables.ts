/** What each chart draws: its lines, their values, and why there is nothing. Pure. */

import {
  FIRST,
  GOAL,
  PLAIN,
  SECOND,
  TELLABLE,
  THIRD,
  WARNING,
  nth,
  type Look
} from './looks';
import type { Load, Row } from './rows';

/** What stays the same about a chart. */
export interface Kind {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** The axis reaches at least here, so that noise does not fill the chart. */
  readonly least: number;
  /** Counts: steps from value to value, and whole numbers on the axis. */
  readonly counts?: boolean;
}

export interface Line {
  readonly label: string;
  readonly look: Look;
  readonly values: (number | null)[];
}

export interface Table {
  readonly kind: Kind;
  readonly times: number[];
  readonly lines: Line[];
  /** Said in the chart's middle when no line has a value. */
  readonly empty: string;
}

const LATENCY: Kind = { id: 'latency', title: 'Latency', unit: 'ms', least: 1 };
const TRAFFIC: Kind = {
  id: 'traffic',
  title: 'Requests',
  unit: 'per second',
  least: 1
};
const CALLS: Kind = {
  id: 'calls',
  title: 'Calls',
  unit: 'count',
  least: 2,
  counts: true
};
const REPLICAS: Kind = {
  id: 'replicas',
  title: 'Replicas',
  unit: 'count',
  least: 2,
  counts: true
};
const CPU: Kind = { id: 'cpu', title: 'CPU by replica', unit: 'cores', least: 0.1 };
const MEMORY: Kind = {
  id: 'memory',
  title: 'Memory by replica',
  unit: 'MiB',
  least: 50
};

/** The six charts of one subject. */
export function tables(rows: readonly Row[]): Table[] {
  const times = rows.map(row => row.at);
  const column = (pick: (row: Row) => number | null): (number | null)[] =>
    rows.map(pick);
  const table = (kind: Kind, empty: string, lines: Line[]): Table => ({
    kind,
    times,
    lines,
    empty
  });
  return [
    table(LATENCY, 'No request ended yet', [
      { label: 'p50', look: PLAIN, values: column(row => row.p50) },
      { label: 'p95', look: SECOND, values: column(row => row.p95) },
      { label: 'p99', look: THIRD, values: column(row => row.p99) }
    ]),
    table(TRAFFIC, 'No request yet', [
      { label: 'all', look: FIRST, values: column(row => row.requests) },
      { label: 'errors', look: WARNING, values: column(row => row.errors) }
    ]),
    table(CALLS, 'No call yet', [
      { label: 'ongoing', look: FIRST, values: column(row => row.ongoing) },
      { label: 'queued', look: WARNING, values: column(row => row.queued) }
    ]),
    table(REPLICAS, 'No replica yet', [
      { label: 'running', look: FIRST, values: column(row => row.replicas) },
      { label: 'target', look: GOAL, values: column(row => row.target) }
    ]),
    table(CPU, 'No replica measured yet', loadLines(rows, 'cores')),
    table(MEMORY, 'No replica measured yet', loadLines(rows, 'mib'))
  ];
}

/** Whether any request was seen in these rows. */
export function hasTraffic(rows: readonly Row[]): boolean {
  return rows.some(
    row => row.p50 !== null || (row.requests ?? 0) > 0 || (row.errors ?? 0) > 0
  );
}

/** Whether a table has anything to draw. */
export function hasValues(table: Table): boolean {
  return table.lines.some(line => line.values.some(value => value !== null));
}

function loadLines(rows: readonly Row[], what: 'cores' | 'mib'): Line[] {
  const seen = replicasOf(rows);
  if (seen === null) {
    return summaryLines(rows, what);
  }
  const several = new Set(seen.values()).size > 1;
  return [...seen].map(([id, deployment], index) => ({
    label: several ? `${deployment} ${id.slice(0, 8)}` : id.slice(0, 8),
    look: nth(index),
    values: rows.map(row => {
      const load = row.load.get(id);
      return load ? load[what] : null;
    })
  }));
}

/** All replicas seen and their deployments, as they came; null: more than can be told apart. */
function replicasOf(rows: readonly Row[]): Map<string, string> | null {
  const seen = new Map<string, string>();
  for (const row of rows) {
    for (const [id, load] of row.load) {
      seen.set(id, load.deployment);
      if (seen.size > TELLABLE) {
        return null;
      }
    }
  }
  return seen;
}

/** Of more replicas than can be told apart: the highest, the middle, the lowest. */
function summaryLines(rows: readonly Row[], what: 'cores' | 'mib'): Line[] {
  const sorted = rows.map(row => sortedBy(row.load, what));
  const at = (share: number): (number | null)[] =>
    sorted.map(values => values[Math.round(share * (values.length - 1))] ?? null);
  return [
    { label: 'highest', look: THIRD, values: at(1) },
    { label: 'median', look: PLAIN, values: at(0.5) },
    { label: 'lowest', look: SECOND, values: at(0) }
  ];
}

const sortings = new WeakMap<
  ReadonlyMap<string, Load>,
  Map<string, readonly number[]>
>();

/** Sorted once: 300 replicas over five minutes are 60,000 values, looked at twice a second. */
function sortedBy(
  load: ReadonlyMap<string, Load>,
  what: 'cores' | 'mib'
): readonly number[] {
  const known = sortings.get(load) ?? new Map<string, readonly number[]>();
  sortings.set(load, known);
  const sorted =
    known.get(what) ?? [...load.values()].map(one => one[what]).sort((a, b) => a - b);
  known.set(what, sorted);
  return sorted;
}
