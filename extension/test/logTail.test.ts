import { beforeEach, expect, it } from 'vitest';

import { ApiError } from '../src/api';
import { LogTail } from '../src/logTail';
import { logReason } from '../src/reasons';
import { FakeApi, record, settled } from './fakes';

const ALL = {
  app: 'digits',
  deployment: '',
  replica: '',
  request_id: '',
  level: '',
  contains: ''
};

let api: FakeApi;
let tail: LogTail;

beforeEach(() => {
  api = new FakeApi();
  tail = new LogTail(
    api,
    'here',
    ALL,
    () => 3,
    () => settled()
  );
});

function texts(): string[] {
  return tail.records.map(({ text }) => text);
}

it('asks for what there is, then waits for more', async () => {
  api.lay({ records: [record(1)], next: 1, dropped: 0 });
  tail.setSeen(true);
  await settled();
  expect(texts()).toEqual(['line 1']);
  expect(api.asked).toMatchObject([
    ['logs', 'here', { app: 'digits', after: 0, wait_s: 0 }],
    ['logs', 'here', { after: 1, wait_s: 20 }]
  ]);
  api.lay({ records: [record(2)], next: 2, dropped: 0 });
  await settled();
  expect(texts()).toEqual(['line 1', 'line 2']);
});

it('keeps the newest records, as many as it may', async () => {
  api.lay({ records: [1, 2, 3, 4, 5].map(seq => record(seq)), next: 5, dropped: 7 });
  tail.setSeen(true);
  await settled();
  expect(texts()).toEqual(['line 3', 'line 4', 'line 5']);
  expect(tail.dropped).toBe(7);
});

it('asks nothing while it is not seen, or paused', async () => {
  tail.setPaused(true);
  tail.setSeen(true);
  await settled();
  expect(api.asked).toEqual([]);
  tail.setPaused(false);
  await settled();
  expect(api.asked).toHaveLength(1);
  tail.setSeen(false);
  api.lay({ records: [record(1)], next: 1, dropped: 0 });
  await settled();
  expect(texts()).toEqual([]);
});

it('begins anew with another filter', async () => {
  api.lay({ records: [record(1)], next: 1, dropped: 0 });
  tail.setSeen(true);
  await settled();
  tail.setFilter({ ...ALL, level: 'ERROR' });
  expect(texts()).toEqual([]);
  await settled();
  expect(api.asked.at(-1)).toMatchObject([
    'logs',
    'here',
    { level: 'ERROR', after: 0 }
  ]);
});

it('says why nothing comes, and tries again', async () => {
  api.refusal = new ApiError(502, 'It does not answer.', 'Start it.');
  tail.setSeen(true);
  await settled();
  expect(logReason(tail, undefined, 'here')).toMatchObject({
    id: 'log_error',
    sentence: 'It does not answer.',
    remedy: 'Start it.'
  });
  api.refusal = null;
  api.lay({ records: [record(1)], next: 1, dropped: 0 });
  await settled();
  await settled();
  expect(tail.error).toBeNull();
  expect(texts()).toEqual(['line 1']);
});

it('says why it is empty', async () => {
  expect(logReason(tail, undefined, 'here')?.id).toBe('log_waiting');
  expect(logReason(tail, [], 'here')?.id).toBe('log_gone');
  api.lay({ records: [], next: 0, dropped: 0 });
  tail.setSeen(true);
  await settled();
  expect(logReason(tail, undefined, 'here')?.id).toBe('log_empty');
  api.lay({ records: [], next: 0, dropped: 0 });
  tail.setFilter({ ...ALL, contains: 'x' });
  await settled();
  expect(logReason(tail, undefined, 'here')?.id).toBe('log_filtered');
});
