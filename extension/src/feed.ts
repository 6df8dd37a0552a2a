/** The page's one WebSocket: comes back by itself for as long as it is wanted. */

import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';

import type { FeedMessage } from './protocol';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** Whom the feed tells what happens to it. */
export type FeedListener = {
  readonly opened: () => void;
  readonly said: (message: FeedMessage) => void;
  /** It ended without being asked to, and will be tried again after a pause. */
  readonly lost: () => void;
};

/** Something that can be opened and closed as often as one likes. */
export interface Feed {
  open(listener: FeedListener): void;
  close(): void;
  /** Try again now, without the rest of the pause. */
  retry(): void;
}

export class SocketFeed implements Feed {
  private socket: WebSocket | null = null;
  private listener: FeedListener | null = null;
  private pause = FIRST_PAUSE_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly settings: ServerConnection.ISettings) {}

  open(listener: FeedListener): void {
    this.close();
    this.listener = listener;
    this.pause = FIRST_PAUSE_MS;
    this.connect(listener);
  }

  close(): void {
    this.listener = null;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  retry(): void {
    if (this.listener && this.socket === null) {
      clearTimeout(this.timer);
      this.pause = FIRST_PAUSE_MS;
      this.connect(this.listener);
    }
  }

  private connect(listener: FeedListener): void {
    const socket = new this.settings.WebSocket(this.url());
    this.socket = socket;
    // A socket that was closed may still speak: only the present one is heard.
    const isCurrent = (): boolean => this.socket === socket;
    socket.onopen = () => {
      if (isCurrent()) {
        this.pause = FIRST_PAUSE_MS;
        listener.opened();
      }
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (isCurrent()) {
        listener.said(JSON.parse(event.data) as FeedMessage);
      }
    };
    socket.onclose = () => {
      if (isCurrent()) {
        this.socket = null;
        this.timer = setTimeout(() => this.connect(listener), this.jitter());
        listener.lost();
      }
    };
  }

  /** Longer each time, and not in step with the other pages that lost it too. */
  private jitter(): number {
    const pause = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    return pause;
  }

  private url(): string {
    const { wsUrl, appendToken, token } = this.settings;
    const url = URLExt.join(wsUrl, 'workbench', 'feed');
    // In a page the cookie speaks for the user; the token only where there is none.
    return appendToken && token ? `${url}?token=${encodeURIComponent(token)}` : url;
  }
}
