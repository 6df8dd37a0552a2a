import { describe, expect, it } from 'vitest';

import { rowOf, type Subject } from '../../src/charts/rows';
import { hasTraffic, hasValues, tables, type Table } from '../../src/charts/tables';
import type { Sample } from '../../src/protocol';
import { deployment, replica, sample, traffic } from './samples';

const whole: Subject = { app: 'default', deployment: null };

function drawn(samples: Sample[], subject = whole): Record<string, Table> {
  const rows = samples.map(one => rowOf(one, subject));
  return Object.fromEntries(tables(rows).map(table => [table.kind.id, table]));
}

function valuesOf(table: Table | undefined): Record<string, (number | null)[]> {
  return Object.fromEntries(
    (table?.lines ?? []).map(line => [line.label, line.values])
  );
}

describe('tables', () => {
  it('show an application as its HTTP clients see it', () => {
    const found = drawn([
      sample(1, {
        applications: {
          default: traffic({
            requests_per_s: 9,
            errors_per_s: 1,
            p50_ms: 2,
            p99_ms: 8
          }),
          other: traffic({ requests_per_s: 1000 })
        }
      })
    ]);

    expect(valuesOf(found.latency)).toEqual({ p50: [2], p95: [null], p99: [8] });
    expect(valuesOf(found.traffic)).toEqual({ all: [9], errors: [1] });
  });

  it('add up the calls and replicas of its deployments', () => {
    const found = drawn([
      sample(1, {
        deployments: {
          'default#A': deployment({ ongoing: 2, queued: 1, replicas: 1, target: 2 }),
          'default#B': deployment({ ongoing: 3, replicas: 4, target: 4 }),
          'defaults#C': deployment({ ongoing: 100 })
        }
      })
    ]);

    expect(valuesOf(found.calls)).toEqual({ ongoing: [5], queued: [1] });
    expect(valuesOf(found.replicas)).toEqual({ running: [5], target: [6] });
  });

  it('have no value for times before an application was there', () => {
    const found = drawn([sample(1, { applications: {}, deployments: {} }), sample(2)]);

    expect(valuesOf(found.traffic).all).toEqual([null, 0]);
    expect(valuesOf(found.replicas).running).toEqual([null, 1]);
  });

  it('have a line for each replica, in MiB, with gaps in the past', () => {
    const found = drawn([
      sample(1),
      sample(2, { replicas: { a1b2c3d4: replica({ memory_bytes: 3 * 1024 * 1024 }) } })
    ]);

    expect(valuesOf(found.memory)).toEqual({ a1b2c3d4: [null, 3] });
  });

  it('name the deployment of a replica where there are several', () => {
    const found = drawn([
      sample(1, {
        replicas: { a1: replica(), b2: replica({ deployment: 'default#Other' }) }
      })
    ]);

    expect(Object.keys(valuesOf(found.cpu))).toEqual(['Doubler a1', 'Other b2']);
  });

  it('sum up more replicas than can be told apart', () => {
    const cores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    const replicas = Object.fromEntries(
      cores.map((cpu_cores, index) => [`r${index}`, replica({ cpu_cores })])
    );

    const found = drawn([sample(1), sample(2, { replicas })]);

    expect(valuesOf(found.cpu)).toEqual({
      highest: [null, 0.7],
      median: [null, 0.4],
      lowest: [null, 0.1]
    });
  });

  it('show one deployment as its replicas see it', () => {
    const given = {
      deployments: {
        'default#A': deployment({ requests_per_s: 4, ongoing: 1 }),
        'default#B': deployment({ ongoing: 5 })
      }
    };

    const found = drawn([sample(1, given)], { app: 'default', deployment: 'A' });

    expect(valuesOf(found.traffic).all).toEqual([4]);
    expect(valuesOf(found.calls).ongoing).toEqual([1]);
  });

  it('know whether there is anything to see', () => {
    const quiet = rowOf(sample(1), whole);
    const busy = rowOf(
      sample(2, { applications: { default: traffic({ requests_per_s: 1 }) } }),
      whole
    );

    expect([hasTraffic([quiet]), hasTraffic([quiet, busy])]).toEqual([false, true]);
    expect(tables([]).some(hasValues)).toBe(false);
  });
});
