import { describe, expect, it } from 'vitest';

import { facts } from '../src/facts';
import { History } from '../src/history';
import { move } from '../src/keys';
import type { Known } from '../src/model';
import { place } from '../src/place';
import type { Instance, ServeStatus } from '../src/protocol';
import { rowsOf, type Opening, type Row } from '../src/rows';
import {
  application,
  deployment,
  digits,
  instance,
  replica,
  sample,
  status
} from './fakes';

const AS_USUAL: Opening = { isOpen: (_, usual) => usual, openReplicasUpTo: 8 };

function known(runs?: ServeStatus, parts: Partial<Instance> = {}): Known {
  const history = new History(() => 300);
  history.reset([sample(1, 12)]);
  return { instance: instance(parts), status: runs, history };
}

function lines(one: Known, opening = AS_USUAL): Row[] {
  return rowsOf([one], opening).flat();
}

describe('the lines of the tree', () => {
  it('go from the instance down to its replicas', () => {
    const shown = lines(known(digits()));
    expect(shown.map(row => [row.level, row.name])).toEqual([
      [1, 'This machine'],
      [2, 'digits'],
      [3, 'Model'],
      [4, 'r0'],
      [4, 'r1']
    ]);
    expect(shown.map(row => [row.position, row.siblings])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 2],
      [2, 2]
    ]);
  });

  it('leave out many replicas until they are asked for', () => {
    const closed = lines(known(digits(300)));
    expect(closed).toHaveLength(3);
    expect(closed[2]?.isOpen).toBe(false);
    const open: Opening = { ...AS_USUAL, isOpen: () => true };
    expect(lines(known(digits(300)), open)).toHaveLength(303);
  });

  it('say what is not as usual', () => {
    const replicas = [
      replica('r0'),
      replica('r1', { state: 'STARTING', version: 'v2' })
    ];
    const runs = status({
      digits: application(
        { Model: deployment(replicas, { status: 'UPDATING', target_num_replicas: 3 }) },
        { status: 'DEPLOYING', route_prefix: null }
      )
    });
    const [, app, model, first, second] = lines(known(runs));
    expect(app).toMatchObject({ mark: 'busy', note: 'deploying · no route' });
    expect(model).toMatchObject({ mark: 'busy', note: 'updating · 1/3 · v1' });
    expect(first).toMatchObject({ mark: 'good', name: 'r0' });
    expect(second).toMatchObject({ mark: 'busy', name: 'r1 · starting · v2' });
  });

  it('name the notebook that deployed', () => {
    const owner = { notebook: '/home/ada/first.ipynb', cell: 'c1' };
    const runs = status({ digits: application({}, { owner }) });
    expect(lines(known(runs))[1]?.note).toBe('/ · first.ipynb');
  });

  it('show an instance with a problem, and one that has not spoken', () => {
    const problem = { kind: 'wrong_token', sentence: 'No.', remedy: '' } as const;
    const [refused] = lines(known(undefined, { problem, is_remote: true }));
    expect(refused).toMatchObject({ mark: 'bad', name: '127.0.0.1:40123' });
    expect(lines(known())[0]).toMatchObject({ mark: 'busy', isOpen: null });
  });
});

describe('keys', () => {
  const rows = lines(known(digits()));
  const key = (index: number): string => rows[index]?.key ?? '';
  const names = (index: number, pressed: string): unknown => {
    const step = move(rows, key(index), pressed);
    return step && [step.to.name, step.open];
  };

  it('walk up and down, to both ends, and no further', () => {
    expect(names(0, 'ArrowDown')).toEqual(['digits', undefined]);
    expect(names(1, 'ArrowUp')).toEqual(['This machine', undefined]);
    expect(names(0, 'End')).toEqual(['r1', undefined]);
    expect(names(4, 'Home')).toEqual(['This machine', undefined]);
    expect(names(0, 'ArrowUp')).toBeNull();
    expect(names(4, 'ArrowDown')).toBeNull();
  });

  it('open, close, go in and go out', () => {
    expect(names(2, 'ArrowLeft')).toEqual(['Model', false]);
    expect(names(3, 'ArrowLeft')).toEqual(['Model', undefined]);
    expect(names(2, 'ArrowRight')).toEqual(['r0', undefined]);
    expect(names(4, 'ArrowRight')).toBeNull();
    expect(names(2, 'Enter')).toEqual(['Model', false]);
    expect(names(3, 'Enter')).toBeNull();
    expect(names(3, 'x')).toBeNull();
  });
});

describe('details', () => {
  const runs = digits();
  const of = (...parts: [string?, string?, string?]): Record<string, string> => {
    const found = facts(known(runs), place('here', ...parts));
    return Object.fromEntries(
      (found?.facts ?? []).map(fact => [fact.name, fact.value])
    );
  };

  it('say everything that was measured, with units', () => {
    expect(of('digits')).toMatchObject({
      Requests: '12/s',
      p50: '1.2 ms',
      p99: '4.2 ms'
    });
    expect(of('digits', 'Model')).toMatchObject({ Ongoing: '1', Queued: '0' });
    expect(of('digits', 'Model', 'r0')).toMatchObject({
      CPU: '0.50 cores',
      Memory: '100 MB',
      Process: '7'
    });
    expect(of()).toMatchObject({ Ray: '2.60.0', Lives: 'until it is stopped' });
  });

  it('say that an instance has no HTTP', () => {
    const { instance: about, ...rest } = status({});
    const without = known({ ...rest, instance: about && { ...about, http_url: '' } });
    const said = facts(without, place('here'))?.facts.map(fact => fact.value);
    expect(said).toContain('by handles only: it has no HTTP');
    expect(lines(without)[0]?.note).toContain('no HTTP');
  });

  it('are none of what is gone', () => {
    expect(facts(known(runs), place('here', 'other'))).toBeUndefined();
    expect(facts(known(runs), place('here', 'digits', 'Model', 'r9'))).toBeUndefined();
  });

  it('carry what went wrong', () => {
    const failed = status({ digits: application({}, { message: 'Traceback …\n' }) });
    expect(facts(known(failed), place('here', 'digits'))?.message).toBe('Traceback …');
  });
});
