import { beforeEach, describe, expect, it } from 'vitest';

import { ApiError } from '../src/api';
import { Model } from '../src/model';
import { place } from '../src/place';
import {
  digits,
  event,
  FakeApi,
  FakeFeed,
  instance,
  instances,
  sample,
  settled
} from './fakes';

let api: FakeApi;
let feed: FakeFeed;
let model: Model;

beforeEach(() => {
  api = new FakeApi();
  feed = new FakeFeed();
  model = new Model(api, feed, () => 300);
});

describe('watching', () => {
  it('listens while anybody watches, and not longer', () => {
    const first = model.watch();
    const second = model.watch();
    expect(feed.opened).toBe(1);
    first();
    first();
    expect(feed.listener).not.toBeNull();
    second();
    expect(feed.listener).toBeNull();
    expect(model.link).toBe('idle');
  });

  it('keeps what it knows while nobody watches', () => {
    const end = model.watch();
    feed.say(instances(instance()));
    end();
    expect(model.instances).toHaveLength(1);
  });
});

describe('what is said', () => {
  beforeEach(() => {
    model.watch();
    feed.listener?.opened();
    feed.say(instances(instance()));
  });

  it('shows what an instance runs, with its history', () => {
    feed.say(
      event({ kind: 'status', status: digits() }),
      event({ kind: 'history', samples: [sample(1), sample(2)] }),
      event({ kind: 'sample', sample: sample(3, 12) })
    );
    const known = model.instance('here');
    expect(known?.status?.applications).toHaveProperty('digits');
    expect(known?.history.trace(place('here', 'digits'))).toEqual([1, 1, 12]);
  });

  it('tells of samples apart from all else', () => {
    const told: string[] = [];
    model.changed.connect(() => void told.push('changed'));
    model.sampled.connect((_, id) => void told.push(`sample of ${id}`));
    feed.say(event({ kind: 'sample', sample: sample(1) }));
    expect(told).toEqual(['sample of here']);
  });

  it('forgets an instance that is gone, and what was selected in it', () => {
    model.select(place('here', 'digits'));
    feed.say(event({ kind: 'status', status: digits() }), instances());
    expect(model.selected).toBeNull();
    feed.say(instances(instance()));
    expect(model.instance('here')?.status).toBeUndefined();
  });

  it('says how the start of an instance goes', () => {
    feed.say({ kind: 'starting', text: 'starting Ray' });
    expect(model.starting).toBe('starting Ray');
  });

  it('remembers what was opened and closed', () => {
    const at = place('here', 'digits');
    expect(model.isOpen(at, true)).toBe(true);
    model.open(at, false);
    expect(model.isOpen(at, true)).toBe(false);
  });
});

describe('a feed that is lost', () => {
  beforeEach(() => {
    model.watch();
  });

  it.each([
    [404, 'extension_missing'],
    [403, 'signed_out'],
    [0, 'server_gone'],
    [500, 'broken']
  ])('is explained by the answer to a plain question: %i', async (status, link) => {
    api.refusal = new ApiError(status, 'no', '');
    feed.listener?.lost();
    await settled();
    expect(model.link).toBe(link);
  });

  it('is no news the first time, if the server answers', async () => {
    feed.listener?.opened();
    feed.listener?.lost();
    await settled();
    expect(model.link).toBe('connecting');
  });

  it('is refused, if the server answers again and again and no socket opens', async () => {
    for (let times = 0; times < 3; times += 1) {
      feed.listener?.lost();
      await settled();
    }
    expect(model.link).toBe('socket_refused');
  });

  it('is forgotten once it is back', async () => {
    api.refusal = new ApiError(0, 'no', '');
    feed.listener?.lost();
    await settled();
    feed.listener?.opened();
    expect(model.link).toBe('open');
  });

  it('keeps what was known on the screen', async () => {
    feed.say(instances(instance()));
    feed.listener?.lost();
    await settled();
    expect(model.instances).toHaveLength(1);
  });

  it('explains nothing to nobody', async () => {
    const end = model.watch();
    const { listener } = feed;
    end();
    listener?.lost();
    await settled();
    expect(model.link).toBe('connecting');
  });
});
