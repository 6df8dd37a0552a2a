import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { PageMessage, PanelMessage } from '../../src/protocol';
import { Link, type Model } from '../../src/widget/link';

class FakeModel implements Model {
  readonly sent: PageMessage[] = [];
  heard: ((message: never) => void) | null = null;

  get(): unknown {
    return undefined;
  }

  send(content: unknown): void {
    this.sent.push(content as PageMessage);
  }

  on(_: string, heard: (message: never) => void): void {
    this.heard = heard;
  }

  off(): void {
    this.heard = null;
  }

  /** What was said since, as `watch+` for a view that is seen. */
  take(): string[] {
    return this.sent
      .splice(0)
      .map(one =>
        one.kind === 'watch' ? `watch${one.is_visible ? '+' : '-'}` : one.kind
      );
  }
}

let model: FakeModel;
let link: Link;
let silences: number;
let messages: PanelMessage[];

beforeEach(() => {
  vi.useFakeTimers();
  model = new FakeModel();
  silences = 0;
  messages = [];
  link = new Link(
    model,
    message => messages.push(message),
    () => silences++
  );
});

afterEach(() => {
  link.dispose();
  vi.useRealTimers();
});

describe('a view', () => {
  it('says that it is there, and again while it is seen', () => {
    link.show(true);
    vi.advanceTimersByTime(20_000);

    expect(model.take()).toEqual(['watch-', 'watch+', 'watch+', 'watch+']);
  });

  it('is silent while hidden, so that a forgotten tab wakes no kernel', () => {
    link.show(true);
    link.show(false);
    model.take();

    vi.advanceTimersByTime(60_000);

    expect(model.take()).toEqual([]);
    expect(silences).toBe(0);
  });

  it('says goodbye once, also when its page is closed', () => {
    model.take();
    window.dispatchEvent(new Event('pagehide'));

    expect(model.take()).toEqual(['leave']);
  });

  it('hears nothing after its end', () => {
    link.dispose();

    expect(model.heard).toBeNull();
  });
});

describe('silence', () => {
  it('is noticed once while somebody looks', () => {
    link.show(true);
    vi.advanceTimersByTime(40_000);

    expect(silences).toBe(1);
  });

  it('ends with the next message', () => {
    link.show(true);
    vi.advanceTimersByTime(13_000);
    vi.advanceTimersByTime(1_000);

    model.heard?.({ kind: 'away', sentence: '', remedy: '' } as never);
    vi.advanceTimersByTime(20_000);

    expect(silences).toBe(2);
    expect(messages).toHaveLength(1);
  });
});
