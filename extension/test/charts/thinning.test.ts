import { describe, expect, it } from 'vitest';

import { gapAt, rowOf } from '../../src/charts/rows';
import { thinned } from '../../src/charts/thinning';
import { sample, traffic } from './samples';

const whole = { app: 'default', deployment: null };
const row = (at: number, requests_per_s: number, p99_ms: number | null = null) =>
  rowOf(
    sample(at, { applications: { default: traffic({ requests_per_s, p99_ms }) } }),
    whole
  );

describe('thinned', () => {
  it('leaves short spans alone', () => {
    const rows = [row(1, 1), row(1.2, 2), row(1.4, 3)];

    expect(thinned(rows, 60)).toEqual(rows);
  });

  it('keeps highs of latencies and means of rates', () => {
    const rows = [row(3, 1, 5), row(3.5, 2, 90), row(4, 3, 7), row(4.5, 10)];

    const [first, newest] = thinned(rows, 300);

    expect([first?.at, first?.requests, first?.p99]).toEqual([4, 2, 90]);
    expect(newest).toBe(rows[3]);
  });

  it('does not change points as the window moves', () => {
    const rows = Array.from({ length: 20 }, (_, i) => row(i / 2, i));

    const before = thinned(rows, 300).map(one => one.at);
    const after = thinned([...rows.slice(3), row(10, 0)], 300).map(one => one.at);

    expect(after).toEqual(expect.arrayContaining(before.slice(1, -2)));
  });

  it('keeps gaps', () => {
    const rows = [row(0, 1), gapAt(15), row(30, 1), row(30.5, 1)];

    expect(thinned(rows, 300).map(one => one.requests)).toEqual([1, null, 1, 1]);
  });
});
