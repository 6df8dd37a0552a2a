/**
 * What the page knows of all instances, and word of each change. No DOM.
 *
 * Listens only while somebody watches: a page that shows nothing asks for nothing.
 */

import { Signal, type ISignal } from '@lumino/signaling';

import { ApiError, type Api } from './api';
import type { Feed } from './feed';
import { History } from './history';
import { keyOf, type Place } from './place';
import type { Event, FeedMessage, Instance, ServeStatus } from './protocol';

/** How the page stands with Jupyter's server. */
export type Link =
  | 'idle'
  | 'connecting'
  | 'open'
  | 'extension_missing'
  | 'signed_out'
  | 'server_gone'
  | 'socket_refused'
  | 'broken';

/** What one instance is known to run. */
export type Known = {
  readonly instance: Instance;
  readonly status: ServeStatus | undefined;
  readonly history: History;
};

export class Model {
  private readonly statusSignal = new Signal<this, string>(this);
  private readonly sampleSignal = new Signal<this, string>(this);
  private readonly resetSignal = new Signal<this, string>(this);
  private readonly changeSignal = new Signal<this, void>(this);
  private readonly statuses = new Map<string, ServeStatus>();
  private readonly histories = new Map<string, History>();
  private readonly opened = new Map<string, boolean>();
  private listed: readonly Instance[] | null = null;
  private watchers = 0;
  private failures = 0;
  private state: Link = 'idle';
  private place: Place | null = null;
  private version = '';
  private progress = '';

  constructor(
    private readonly api: Pick<Api, 'instances'>,
    private readonly feed: Feed,
    private readonly historySeconds: () => number
  ) {}

  /** Anything but samples: instances, states, the link, what is selected or open. */
  get changed(): ISignal<this, void> {
    return this.changeSignal;
  }

  /** An instance (its id) was measured. */
  get sampled(): ISignal<this, string> {
    return this.sampleSignal;
  }

  /** An instance's history (its id) was replaced. */
  get historyReset(): ISignal<this, string> {
    return this.resetSignal;
  }

  /** What an instance runs (its id) has changed. */
  get statusChanged(): ISignal<this, string> {
    return this.statusSignal;
  }

  get link(): Link {
    return this.state;
  }

  /** Of Workbench in Jupyter's server; '' while unknown. */
  get serverVersion(): string {
    return this.version;
  }

  /** How the start of an instance goes; '' when none starts. */
  get starting(): string {
    return this.progress;
  }

  /** Undefined until the server has said it once. */
  get instances(): readonly Known[] | undefined {
    return this.listed?.map(instance => this.known(instance));
  }

  get selected(): Place | null {
    return this.place;
  }

  instance(id: string): Known | undefined {
    const instance = this.listed?.find(one => one.id === id);
    return instance && this.known(instance);
  }

  select(at: Place | null): void {
    this.place = at;
    this.changeSignal.emit();
  }

  /** Whether a node shows what is below it; `usual` until the reader says. */
  isOpen(at: Place, usual: boolean): boolean {
    return this.opened.get(keyOf(at)) ?? usual;
  }

  open(at: Place, isOpen: boolean): void {
    this.opened.set(keyOf(at), isOpen);
    this.changeSignal.emit();
  }

  /** Listen until the answer is called. */
  watch(): () => void {
    this.watchers += 1;
    if (this.watchers === 1) {
      this.begin();
    }
    let isOver = false;
    return () => {
      if (!isOver) {
        isOver = true;
        this.watchers -= 1;
        this.rest();
      }
    };
  }

  /** Look for the server now, without waiting for the next try. */
  retry(): void {
    this.feed.retry();
  }

  private begin(): void {
    this.setLink('connecting');
    this.feed.open({
      opened: () => this.hearOpened(),
      said: message => this.hear(message),
      lost: () => void this.explain()
    });
  }

  private rest(): void {
    if (this.watchers === 0) {
      this.feed.close();
      this.setLink('idle');
    }
  }

  /** A socket does not say why it failed; a plain question does. */
  private async explain(): Promise<void> {
    this.failures += 1;
    const isStill = this.failures;
    if (this.state === 'open') {
      this.setLink('connecting');
    }
    const link = await this.api.instances().then((): Link => 'open', linkFor);
    if (this.failures !== isStill || this.watchers === 0) {
      return;
    }
    // One lost socket is no news; what answers and lets no socket through is.
    const isShut = link === 'open' && isStill > 2;
    this.setLink(isShut ? 'socket_refused' : link === 'open' ? 'connecting' : link);
  }

  private hearOpened(): void {
    this.failures = 0;
    this.setLink('open');
  }

  private setLink(link: Link): void {
    if (link !== this.state) {
      this.state = link;
      this.changeSignal.emit();
    }
  }

  private hear(message: FeedMessage): void {
    switch (message.kind) {
      case 'instances':
        this.listed = message.instances;
        this.version = message.server_version;
        this.forgetGone();
        this.changeSignal.emit();
        break;
      case 'starting':
        this.progress = message.text;
        this.changeSignal.emit();
        break;
      case 'event':
        this.take(message.instance, message.event);
        break;
    }
  }

  private take(id: string, event: Event): void {
    switch (event.kind) {
      case 'status':
        this.statuses.set(id, event.status);
        this.statusSignal.emit(id);
        this.changeSignal.emit();
        break;
      case 'history':
        this.history(id).reset(event.samples);
        this.resetSignal.emit(id);
        break;
      case 'sample':
        this.history(id).push(event.sample);
        this.sampleSignal.emit(id);
        break;
    }
  }

  private known(instance: Instance): Known {
    return {
      instance,
      status: this.statuses.get(instance.id),
      history: this.history(instance.id)
    };
  }

  private history(id: string): History {
    let history = this.histories.get(id);
    if (!history) {
      history = new History(this.historySeconds);
      this.histories.set(id, history);
    }
    return history;
  }

  private forgetGone(): void {
    const here = new Set(this.listed?.map(instance => instance.id));
    for (const known of [this.statuses, this.histories]) {
      for (const id of known.keys()) {
        if (!here.has(id)) {
          known.delete(id);
        }
      }
    }
    if (this.place && !here.has(this.place.instance)) {
      this.place = null;
    }
  }
}

function linkFor(error: unknown): Link {
  const status = error instanceof ApiError ? error.status : -1;
  switch (status) {
    case 0:
      return 'server_gone';
    case 404:
      return 'extension_missing';
    case 401:
    case 403:
      return 'signed_out';
    default:
      return 'broken';
  }
}
