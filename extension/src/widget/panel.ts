/** One view of a panel: header, buttons and live plots, as the kernel says. */

import { LivePlots, type Reason } from '../charts';
import { h, style } from '../charts/dom';
import type { DoneMessage, PanelMessage, ServeStatus } from '../protocol';
import { Controls } from './controls';
import { Header } from './header';
import { Link, type First, type Model } from './link';
import { STYLES } from './styles';

/** After this long without an answer, the kernel is busy with a cell. */
const BUSY_MS = 1_500;

const SILENCE: Reason = {
  tone: 'bad',
  sentence: 'The kernel has said nothing for 12 seconds.',
  remedy: 'If it was restarted or stopped, run this cell again.'
};

export class PanelView {
  private readonly app: string;
  private readonly root = h('div', 'wb-panel');
  private readonly result = h('div', 'wb-result');
  private readonly header: Header;
  private readonly controls: Controls;
  private readonly plots: LivePlots;
  private readonly link: Link;
  private status: ServeStatus | undefined;
  private away: Reason | null = null;
  private ordered = 0;
  private readonly waiting = new Map<string, number>();

  constructor(host: HTMLElement, model: Model) {
    this.app = String(model.get('app'));
    this.header = new Header(this.app);
    this.controls = new Controls(this.app, {
      scale: (deployment, num_replicas) =>
        this.order(`Scaling ${deployment} to ${num_replicas} …`, order => ({
          kind: 'scale',
          order,
          deployment,
          num_replicas
        })),
      delete: () =>
        this.order(`Deleting ${this.app} …`, order => ({ kind: 'delete', order }))
    });
    this.result.setAttribute('role', 'status');
    // Or JupyterLab takes keys typed here for its own, and deletes cells.
    this.root.dataset.lmSuppressShortcuts = 'true';
    const top = h('div', 'wb-top', this.header.node, this.controls.deletion.node);
    this.root.append(top, this.controls.node, this.result);
    host.append(this.root);
    style(this.root, 'panel', STYLES);
    this.plots = new LivePlots(this.root, {
      app: this.app,
      onVisible: isVisible => this.link.show(isVisible)
    });
    this.begin(model.get('first') as First | undefined);
    this.link = new Link(
      model,
      message => this.hear(message),
      () => this.setAway(SILENCE)
    );
  }

  dispose(): void {
    this.waiting.forEach(timer => clearTimeout(timer));
    this.link.dispose();
    this.plots.dispose();
    this.root.remove();
  }

  /** What there was when the panel was made, so that it is never blank. */
  private begin(first: First | undefined): void {
    if (first?.status) {
      this.setStatus(first.status);
    }
    if (first?.samples.length) {
      this.plots.reset(first.samples);
    }
    this.refresh();
  }

  private hear(message: PanelMessage): void {
    switch (message.kind) {
      case 'status':
        this.setAway(null);
        return this.setStatus(message.status);
      case 'history':
        return this.plots.reset(message.samples);
      case 'sample':
        this.setAway(null);
        return this.plots.push(message.sample);
      case 'away':
        return this.setAway({ tone: 'bad', ...message });
      case 'done':
        return this.finish(message);
    }
  }

  private setStatus(status: ServeStatus): void {
    this.status = status;
    this.plots.setStatus(status);
    this.refresh();
  }

  private setAway(away: Reason | null): void {
    if (away?.sentence !== this.away?.sentence) {
      this.away = away;
      this.plots.setAway(away);
      this.refresh();
    }
  }

  private refresh(): void {
    const found = this.status?.applications[this.app];
    this.header.show(found);
    this.controls.show(found, this.away?.sentence ?? '');
  }

  private order<T>(
    text: string,
    make: (order: string) => T & Parameters<Link['send']>[0]
  ): void {
    const order = String(++this.ordered) + Math.random().toString(36).slice(2);
    this.say(text, true);
    this.waiting.set(
      order,
      window.setTimeout(
        () => this.say(`${text} The kernel is busy with a cell; this is next.`, true),
        BUSY_MS
      )
    );
    this.link.send(make(order));
  }

  /** Answers go to all views: only the one that ordered shows them. */
  private finish({ order, is_ok, text }: DoneMessage): void {
    const timer = this.waiting.get(order);
    if (timer !== undefined) {
      clearTimeout(timer);
      this.waiting.delete(order);
      this.say(text, is_ok);
    }
  }

  private say(text: string, isOk: boolean): void {
    this.result.textContent = text;
    this.result.classList.toggle('wb-is-bad', !isOk);
  }
}
