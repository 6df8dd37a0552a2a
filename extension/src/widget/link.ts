/** A view's end of the channel to its panel in the kernel. */

import type { PageMessage, PanelMessage, Sample, ServeStatus } from '../protocol';

/** What a view needs of anywidget's model. */
export interface Model {
  get(name: string): unknown;
  send(content: unknown): void;
  on(event: string, heard: (content: never) => void): void;
  off(event: string, heard: (content: never) => void): void;
}

/** What there was when the panel was made. */
export interface First {
  readonly status: ServeStatus | null;
  readonly samples: readonly Sample[];
}

/** The kernel forgets a view that it has not heard for about two minutes. */
const BEAT_MS = 10_000;
const SILENT_MS = 12_000;
const CHECK_MS = 2_000;

export class Link {
  private readonly view = Math.random().toString(36).slice(2);
  private readonly timers: number[];
  private isVisible = false;
  private heardAt = 0;
  private isSilent = false;

  /** `onSilence` is told when the kernel has gone quiet, though somebody looks. */
  constructor(
    private readonly model: Model,
    private readonly onMessage: (message: PanelMessage) => void,
    private readonly onSilence: () => void
  ) {
    model.on('msg:custom', this.hear);
    // Nothing else tells the kernel that a page is closed.
    window.addEventListener('pagehide', this.leave);
    this.timers = [
      window.setInterval(() => this.beat(), BEAT_MS),
      window.setInterval(() => this.check(), CHECK_MS)
    ];
    this.say();
  }

  send(message: PageMessage): void {
    this.model.send(message);
  }

  show(isVisible: boolean): void {
    this.isVisible = isVisible;
    this.heardAt = performance.now();
    this.say();
  }

  dispose(): void {
    this.timers.forEach(timer => clearInterval(timer));
    window.removeEventListener('pagehide', this.leave);
    this.model.off('msg:custom', this.hear);
    this.leave();
  }

  private readonly hear = (message: PanelMessage): void => {
    this.heardAt = performance.now();
    this.isSilent = false;
    this.onMessage(message);
  };

  private readonly leave = (): void => {
    this.tell({ kind: 'leave', view: this.view });
  };

  private say(): void {
    this.tell({ kind: 'watch', view: this.view, is_visible: this.isVisible });
  }

  /** Where the kernel has ended, there is nobody to be told, and sending fails. */
  private tell(message: PageMessage): void {
    try {
      this.send(message);
    } catch {
      // Silence is noticed by `check`.
    }
  }

  /** A hidden view says nothing: a forgotten tab should not keep a kernel awake. */
  private beat(): void {
    if (this.isVisible) {
      this.say();
    }
  }

  private check(): void {
    if (
      this.isVisible &&
      !this.isSilent &&
      performance.now() - this.heardAt > SILENT_MS
    ) {
      this.isSilent = true;
      this.onSilence();
    }
  }
}
