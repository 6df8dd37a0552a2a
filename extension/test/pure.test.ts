import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import * as format from '../src/format';
import { History, SPARK_SAMPLES, sparkPath } from '../src/history';
import { keyOf, kindOf, place, placeFrom } from '../src/place';
import { DEFAULTS } from '../src/preferences';
import { clientCode, curl, isReachable, serverPath } from '../src/snippets';
import { application, sample } from './fakes';

describe('format', () => {
  it.each([
    [undefined, '–'],
    [0, '0/s'],
    [12.34, '12.3/s'],
    [1234, '1,234/s']
  ])('writes a rate of %s as %s', (value, text) => {
    expect(format.rate(value)).toBe(text);
  });

  it.each([
    [null, '–'],
    [4.2, '4.2 ms'],
    [999.6, '1 s'],
    [1300, '1.3 s']
  ])('writes a latency of %s ms as %s', (value, text) => {
    expect(format.latency(value)).toBe(text);
  });

  it.each([
    [116e6, '116 MB'],
    [1.24e9, '1.24 GB'],
    [12e9, '12.0 GB']
  ])('writes %i bytes as %s', (value, text) => {
    expect(format.memory(value)).toBe(text);
  });

  it('takes code out of prose without reading it as anything', () => {
    expect(format.prose('run `%%serve` <b>now</b>')).toEqual([
      { text: 'run ', isCode: false },
      { text: '%%serve', isCode: true },
      { text: ' <b>now</b>', isCode: false }
    ]);
  });

  it('shortens names to what tells them apart', () => {
    expect(format.fileName('/home/ada/a.ipynb')).toBe('a.ipynb');
    expect(format.shortReplica('digits#Model#4f2a')).toBe('4f2a');
    expect(format.host('http://gpu:4000/x')).toBe('gpu:4000');
    expect(format.host('nonsense')).toBe('nonsense');
  });
});

describe('places', () => {
  it('are known by how deep they reach', () => {
    expect(kindOf(place('i'))).toBe('instance');
    expect(kindOf(place('i', 'a'))).toBe('application');
    expect(kindOf(place('i', 'a', 'd'))).toBe('deployment');
    expect(kindOf(place('i', 'a', 'd', 'r'))).toBe('replica');
  });

  it('have keys of their own', () => {
    const all = [place('a'), place('a', 'b'), place('a', 'b', 'c'), place('ab')];
    expect(new Set(all.map(keyOf)).size).toBe(all.length);
  });

  it('come back from a stored layout', () => {
    const at = place('i', 'a', 'd');
    expect(placeFrom({ ...at })).toEqual(at);
    expect(placeFrom({})).toBeNull();
    expect(placeFrom({ instance: 3 })).toBeNull();
  });
});

describe('history', () => {
  it('keeps as many seconds as it should', () => {
    const history = new History(() => 10);
    for (let at = 0; at <= 30; at += 1) {
      history.push(sample(at));
    }
    expect(history.all[0]?.at_s).toBe(20);
    expect(history.last?.at_s).toBe(30);
  });

  it('keeps replicas for as long as a sparkline shows them', () => {
    const history = new History(() => 1000);
    for (let at = 0; at < SPARK_SAMPLES + 10; at += 1) {
      history.push(sample(at));
    }
    const withReplicas = history.all.filter(one => 'r0' in one.replicas);
    expect(withReplicas).toHaveLength(SPARK_SAMPLES);
    expect(history.trace(place('here', 'digits', 'Model', 'r0'))).toHaveLength(
      SPARK_SAMPLES
    );
  });

  it('measures each kind of node, but no instance', () => {
    const history = new History(() => 10);
    history.reset([sample(1, 5)]);
    expect(history.rates(place('here', 'digits'))?.requests_per_s).toBe(5);
    expect(history.rates(place('here', 'digits', 'Model'))?.p99_ms).toBe(4.2);
    expect(history.rates(place('here', 'digits', 'Model', 'r1'))).toBeDefined();
    expect(history.rates(place('here'))).toBeUndefined();
    expect(history.rates(place('here', 'other'))).toBeUndefined();
  });

  it('draws a line that ends at the right and touches the top', () => {
    expect(sparkPath([0, 5, 10], 59, 20)).toBe('M57.0 19.0L58.0 10.0L59.0 1.0');
    expect(sparkPath([0, 0], 44, 16)).toBe('');
  });
});

describe('snippets', () => {
  it('call an application by URL, or by handle if it has none', () => {
    expect(clientCode('digits', application({}))).toContain(
      'httpx.post("http://127.0.0.1:8000/"'
    );
    expect(clientCode('a"b', application({}, { url: null }))).toContain(
      'serve.get_app_handle("a\\"b")'
    );
  });

  it('quote what a shell would take for its own', () => {
    expect(curl('http://h/a')).toContain('POST http://h/a -H');
    expect(curl("http://h/a'; rm x")).toContain("'http://h/a'\\''; rm x'");
  });

  it('know which addresses a page elsewhere cannot reach', () => {
    expect(isReachable('http://127.0.0.1:8000/', 'http://localhost:8888/lab')).toBe(
      true
    );
    expect(isReachable('http://127.0.0.1:8000/', 'https://hub.example/lab')).toBe(
      false
    );
    expect(isReachable('http://gpu:8000/', 'https://hub.example/lab')).toBe(true);
  });

  it.each([
    ['/home/ada/nb/a.ipynb', '/home/ada', 'nb/a.ipynb'],
    ['/home/ada/nb/a.ipynb', '~', 'nb/a.ipynb'],
    ['/mnt/ada/nb/a.ipynb', '~/nb', 'a.ipynb'],
    ['/home/ada/nb/a.ipynb', '~/nb', 'a.ipynb'],
    ['/tmp/a.ipynb', '/home/ada', 'tmp/a.ipynb'],
    ['nb/a.ipynb', '/home/ada', 'nb/a.ipynb']
  ])('name %s below %s as the server does', (path, root, found) => {
    expect(serverPath(path, root)).toBe(found);
  });
});

it('has the same defaults as the settings say', () => {
  const text = readFileSync('schema/sidebar.json', 'utf-8');
  const { properties } = JSON.parse(text) as {
    properties: Record<string, { default: unknown; description?: string }>;
  };
  const said = Object.entries(properties).map(([name, one]) => [name, one.default]);
  expect(Object.fromEntries(said)).toEqual(DEFAULTS);
  for (const { description } of Object.values(properties)) {
    expect(description).toMatch(/\.$/);
  }
});
