import type { ServerConnection } from '@jupyterlab/services';
import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';

import { ServerApi } from '../src/api';
import { SocketFeed } from '../src/feed';
import type { FeedMessage } from '../src/protocol';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }
}

function settings(parts: object = {}): ServerConnection.ISettings {
  return {
    baseUrl: 'http://hub/user/x/',
    wsUrl: 'ws://hub/user/x/',
    token: 'secret',
    appendToken: false,
    WebSocket: FakeSocket,
    ...parts
  } as unknown as ServerConnection.ISettings;
}

describe('the feed', () => {
  let said: FeedMessage[];
  let lost: number;
  let feed: SocketFeed;

  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    said = [];
    lost = 0;
    feed = new SocketFeed(settings());
    feed.open({
      opened: () => undefined,
      said: message => void said.push(message),
      lost: () => void (lost += 1)
    });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('is under the base URL, without the token where a cookie speaks', () => {
    expect(FakeSocket.all[0]?.url).toBe('ws://hub/user/x/workbench/feed');
    new SocketFeed(settings({ appendToken: true })).open({
      opened: () => undefined,
      said: () => undefined,
      lost: () => undefined
    });
    expect(FakeSocket.all[1]?.url).toBe('ws://hub/user/x/workbench/feed?token=secret');
  });

  it('comes back by itself, after longer and longer pauses', () => {
    FakeSocket.all[0]?.onclose?.();
    expect(lost).toBe(1);
    vi.advanceTimersByTime(700);
    expect(FakeSocket.all).toHaveLength(2);
    FakeSocket.all[1]?.onclose?.();
    vi.advanceTimersByTime(700);
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(700);
    expect(FakeSocket.all).toHaveLength(3);
  });

  it('comes back at once when it is told to', () => {
    FakeSocket.all[0]?.onclose?.();
    feed.retry();
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it('is silent once it was closed', () => {
    const socket = FakeSocket.all[0];
    feed.close();
    expect(socket?.isClosed).toBe(true);
    socket?.onmessage?.({ data: '{"kind":"starting","text":"x"}' });
    socket?.onclose?.();
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([]);
    expect(lost).toBe(0);
    expect(FakeSocket.all).toHaveLength(1);
  });
});

describe('the api', () => {
  type Asked = { url: string; method: string; body: string };

  function answering(status: number, body: string): { api: ServerApi; asked: Asked[] } {
    const asked: Asked[] = [];
    const fetch = async (request: Request): Promise<Response> => {
      const { url, method } = request;
      asked.push({ url, method, body: await request.text() });
      return new Response(status === 204 ? null : body, { status });
    };
    const own = { fetch, Request, Headers, init: {} };
    return { api: new ServerApi(settings(own)), asked };
  }

  it('asks under the base URL, whatever names hold', async () => {
    const { api, asked } = answering(200, '{"scaled":true}');
    await api.scale('here', 'a/b', 'Mo del', 3);
    expect(asked).toEqual([
      {
        url: 'http://hub/user/x/workbench/instances/here/applications/a%2Fb/deployments/Mo%20del/scale',
        method: 'PUT',
        body: '{"num_replicas":3}'
      }
    ]);
  });

  it('asks for logs with what is filtered by', async () => {
    const { api, asked } = answering(200, '{"records":[],"next":0,"dropped":0}');
    await api.logs(
      'here',
      { app: 'a', contains: ' x&y' },
      new AbortController().signal
    );
    expect(asked[0]?.url).toContain('/instances/here/logs?app=a&contains=+x%26y');
  });

  it('hands on why the server refuses, and what mends it', async () => {
    const { api } = answering(502, '{"message":"It is away.","remedy":"Wait."}');
    await expect(api.instances()).rejects.toMatchObject({
      status: 502,
      message: 'It is away.',
      remedy: 'Wait.'
    });
  });

  it('has a sentence for answers that are not ours', async () => {
    const { api } = answering(404, '<html>');
    await expect(api.instances()).rejects.toMatchObject({
      status: 404,
      message: "Jupyter's server answers 404."
    });
  });
});
