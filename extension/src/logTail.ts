/** Follows the log of an instance: asks, keeps the newest records, asks on. No DOM. */

import { Signal, type ISignal } from '@lumino/signaling';

import { ApiError, type Api } from './api';
import type { LogQuery, LogRecord } from './protocol';

/** What the reader filters by. */
export type Filter = Pick<
  LogQuery,
  'app' | 'deployment' | 'replica' | 'request_id' | 'level' | 'contains'
>;

/** How long the server may wait for a record: a page has few connections. */
const WAIT_S = 20;
const PAUSE_MS = 2000;
const PAGE = 500;

export class LogTail {
  private readonly signal = new Signal<this, void>(this);
  private kept: LogRecord[] = [];
  private wanted: Filter;
  private next = 0;
  private lost = 0;
  private trouble: ApiError | null = null;
  private asked = false;
  private seen = false;
  private paused = false;
  private abort: AbortController | null = null;

  constructor(
    private readonly api: Pick<Api, 'logs'>,
    private readonly instance: string,
    filter: Filter,
    private readonly most: () => number,
    private readonly pause = (ms: number): Promise<void> =>
      new Promise(resolve => setTimeout(resolve, ms))
  ) {
    this.wanted = filter;
  }

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get filter(): Filter {
    return this.wanted;
  }

  /** Oldest first, at most as many as the reader wants kept. */
  get records(): readonly LogRecord[] {
    return this.kept;
  }

  /** Records that the instance has lost for want of room. */
  get dropped(): number {
    return this.lost;
  }

  /** Why nothing comes; null where it does. */
  get error(): ApiError | null {
    return this.trouble;
  }

  /** Whether the first answer has come. */
  get isKnown(): boolean {
    return this.asked;
  }

  /** Whether the reader wants no more for now. */
  get isPaused(): boolean {
    return this.paused;
  }

  setPaused(isPaused: boolean): void {
    this.paused = isPaused;
    this.renew();
  }

  /** Whether anybody looks, and there is somebody to ask. */
  setSeen(isSeen: boolean): void {
    if (isSeen !== this.seen) {
      this.seen = isSeen;
      this.renew();
    }
  }

  /** Ask for other records instead. */
  setFilter(filter: Filter): void {
    this.wanted = filter;
    this.kept = [];
    this.next = 0;
    this.asked = false;
    this.renew();
  }

  /** Forget what is shown; what comes is shown. */
  clear(): void {
    this.kept = [];
    this.signal.emit();
  }

  /** End what is asked; ask anew if anybody wants to know. */
  private renew(): void {
    this.abort?.abort();
    this.abort = null;
    if (this.seen && !this.paused) {
      this.abort = new AbortController();
      void this.run(this.abort.signal);
    }
    this.signal.emit();
  }

  private async run(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted;
    // The first page is what is there; only then is there something to wait for.
    let wait_s = 0;
    while (!isOver()) {
      try {
        await this.ask(wait_s, signal);
        wait_s = WAIT_S;
      } catch (error) {
        if (!isOver()) {
          this.trouble =
            error instanceof ApiError ? error : new ApiError(0, String(error), '');
          this.signal.emit();
          await this.pause(PAUSE_MS);
          // Whether it is back is wanted now, not when something is said.
          wait_s = 0;
        }
      }
    }
  }

  private async ask(wait_s: number, signal: AbortSignal): Promise<void> {
    const query = { ...this.wanted, after: this.next, limit: PAGE, wait_s };
    const page = await this.api.logs(this.instance, query, signal);
    if (signal.aborted) {
      return;
    }
    this.next = page.next;
    this.lost = page.dropped;
    this.trouble = null;
    this.asked = true;
    this.kept = [...this.kept, ...page.records].slice(-this.most());
    this.signal.emit();
  }
}
