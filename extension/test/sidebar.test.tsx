import * as React from 'react';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Sidebar } from '../src/components/Sidebar';
import { COMMANDS } from '../src/ids';
import { Model } from '../src/model';
import { place } from '../src/place';
import { LivePreferences } from '../src/preferences';
import type { Instance } from '../src/protocol';
import type { Remedy } from '../src/reasons';
import {
  digits,
  event,
  FakeApi,
  FakeFeed,
  instance,
  instances,
  sample,
  status
} from './fakes';

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

let feed: FakeFeed;
let model: Model;
let root: Root;
let host: HTMLElement;
let ran: Remedy[];
let scaled: unknown[];

beforeEach(async () => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  feed = new FakeFeed();
  model = new Model(new FakeApi(), feed, () => 300);
  host = document.body.appendChild(document.createElement('div'));
  root = createRoot(host);
  ran = [];
  scaled = [];
  model.watch();
  await act(async () => {
    root.render(
      <Sidebar
        model={model}
        preferences={new LivePreferences()}
        offers={() => []}
        run={() => undefined}
        scale={(at, to) => scaled.push([at, to])}
        runRemedy={remedy => ran.push(remedy)}
      />
    );
    await frame();
  });
});

afterEach(() => {
  act(() => root.unmount());
  host.remove();
});

function frame(): Promise<unknown> {
  return new Promise(resolve => requestAnimationFrame(resolve));
}

/** Do something, and let the sidebar draw. */
async function then(action: () => void): Promise<void> {
  await act(async () => {
    action();
    await frame();
    await frame();
  });
}

function reasons(): (string | null)[] {
  return [...host.querySelectorAll('[data-testid="wb-notice"]')].map(notice =>
    notice.getAttribute('data-reason')
  );
}

function row(name: string): HTMLElement {
  const found = host.querySelector<HTMLElement>(`[data-name="${name}"]`);
  if (!found) {
    throw new Error(`there is no line ${name}`);
  }
  return found;
}

async function serving(count = 2, parts: Partial<Instance> = {}): Promise<void> {
  await then(() => {
    feed.listener?.opened();
    feed.say(
      instances(instance(parts)),
      event({ kind: 'status', status: digits(count) }),
      event({ kind: 'history', samples: [sample(1, 12, count)] })
    );
  });
}

describe('the sidebar always says why', () => {
  it('it is connecting', () => {
    expect(reasons()).toEqual(['connecting']);
  });

  it('no instance runs, with the buttons that mend it', async () => {
    await then(() => {
      feed.listener?.opened();
      feed.say(instances());
    });
    expect(reasons()).toEqual(['no_instance']);
    host.querySelector<HTMLElement>('[data-testid="wb-remedy-start"]')?.click();
    expect(ran).toMatchObject([{ command: COMMANDS.start }]);
  });

  it('an instance is starting', async () => {
    await then(() => {
      feed.listener?.opened();
      feed.say(instances(), { kind: 'starting', text: 'starting Ray' });
    });
    expect(reasons()).toEqual(['starting']);
    expect(host.textContent).toContain('starting Ray');
  });

  it('nothing is deployed', async () => {
    await then(() => {
      feed.listener?.opened();
      feed.say(instances(instance()), event({ kind: 'status', status: status() }));
    });
    expect(reasons()).toEqual(['nothing_deployed']);
  });

  it.each([
    'wrong_token',
    'unreachable',
    'controller_away',
    'version_mismatch'
  ] as const)('an instance has a problem: %s', async kind => {
    const problem = { kind, sentence: 'It is so.', remedy: 'Do `this`.' };
    await serving(1, { problem, is_remote: true });
    expect(reasons()).toEqual([kind]);
    expect(host.querySelectorAll('.wb-Notice code')[0]?.textContent).toBe('this');
    expect(host.querySelectorAll('[data-testid^="wb-remedy"]').length).toBeGreaterThan(
      0
    );
  });

  it('Ray has ended and is being started again', async () => {
    const sentence = "Ray's raylet was ended by SIGKILL. Nothing here is served.";
    const problem = { kind: 'restarting', sentence, remedy: 'Wait.' } as const;
    await serving(1, { problem });
    expect(reasons()).toEqual(['restarting']);
    expect(host.querySelector('.wb-Notice')?.textContent).toContain(sentence);
    // It mends itself: there is nothing to press.
    expect(host.querySelectorAll('[data-testid^="wb-remedy"]').length).toBe(0);
  });

  it('this page is of another version', async () => {
    await then(() => {
      feed.listener?.opened();
      feed.say({ ...instances(instance()), server_version: '9.9.9' });
    });
    expect(reasons()).toContain('page_version');
  });
});

describe('the tree', () => {
  it('has the roles of a tree, and one stop for the Tab key', async () => {
    await serving();
    const items = [...host.querySelectorAll('[role="tree"] [role="treeitem"]')];
    expect(items.map(item => item.getAttribute('aria-level'))).toEqual([
      '1',
      '2',
      '3',
      '4',
      '4'
    ]);
    expect(items.filter(item => item.getAttribute('tabindex') === '0')).toHaveLength(1);
  });

  it('shows what is measured, live', async () => {
    await serving();
    expect(row('digits').textContent).toContain('12/s');
    expect(row('digits').textContent).toContain('4.2 ms');
    await then(() => feed.say(event({ kind: 'sample', sample: sample(2, 34) })));
    expect(row('digits').textContent).toContain('34/s');
  });

  it('never takes a name for HTML', async () => {
    await then(() => {
      feed.listener?.opened();
      const evil = '<img src=x onerror=alert(1)>';
      const { digits: app } = digits().applications;
      const applications = app ? { [evil]: app } : {};
      feed.say(
        instances(instance()),
        event({ kind: 'status', status: { ...status(), applications } })
      );
    });
    expect(host.querySelector('img')).toBeNull();
    expect(host.textContent).toContain('<img src=x');
  });

  it('walks by arrow keys and takes the focus along', async () => {
    await serving();
    row('This machine').focus();
    await then(() => {
      const key = new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true });
      row('This machine').dispatchEvent(key);
    });
    expect(model.selected).toEqual(place('here', 'digits'));
    expect(document.activeElement).toBe(row('digits'));
  });

  it('draws a few of many replicas', async () => {
    await serving(300);
    await then(() => model.open(place('here', 'digits', 'Model'), true));
    const drawn = host.querySelectorAll('[data-kind="replica"]').length;
    expect(drawn).toBeGreaterThan(10);
    expect(drawn).toBeLessThan(80);
    await then(() => model.select(place('here', 'digits', 'Model', 'r299')));
    expect(row('r299')).toBeDefined();
  });
});

describe('details', () => {
  it('scale a deployment', async () => {
    await serving();
    await then(() => model.select(place('here', 'digits', 'Model')));
    const form = host.querySelector<HTMLFormElement>('[data-testid="wb-scale"]');
    const input = form?.querySelector('input');
    await then(() => {
      // As a browser does: React hears only of values that the prototype was given.
      Reflect.set(HTMLInputElement.prototype, 'value', '5', input);
      input?.dispatchEvent(new Event('input', { bubbles: true }));
    });
    await then(() => form?.requestSubmit());
    expect(scaled).toEqual([[place('here', 'digits', 'Model'), 5]]);
  });

  it('are gone with what they were of', async () => {
    await serving();
    await then(() => model.select(place('here', 'digits')));
    expect(host.querySelector('[data-testid="wb-details"]')).not.toBeNull();
    await then(() => feed.say(event({ kind: 'status', status: status() })));
    expect(host.querySelector('[data-testid="wb-details"]')).toBeNull();
  });
});
