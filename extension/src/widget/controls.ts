/** Buttons that change what is served: replicas of each deployment, and delete. */

import { button, h, prose } from '../charts/dom';
import type { ApplicationStatusOverview, DeploymentStatusOverview } from '../protocol';

export interface Orders {
  scale(deployment: string, count: number): void;
  delete(): void;
}

export class Controls {
  readonly node = h('div', 'wb-controls');
  readonly deletion: Deletion;
  private readonly rows = new Map<string, ScaleRow>();

  constructor(
    app: string,
    private readonly orders: Orders
  ) {
    this.deletion = new Deletion(app, () => orders.delete());
  }

  /** `why` the buttons do nothing now; empty if they do. */
  show(found: ApplicationStatusOverview | undefined, why: string): void {
    const deployments = Object.entries(found?.deployments ?? {});
    const names = deployments.map(([name]) => name);
    if (names.join('\n') !== [...this.rows.keys()].join('\n')) {
      this.rebuild(names);
    }
    deployments.forEach(([name, one]) => this.rows.get(name)?.show(one, why));
    this.deletion.show(Boolean(found), why);
  }

  private rebuild(names: readonly string[]): void {
    const old = new Map(this.rows);
    this.rows.clear();
    for (const name of names) {
      const row =
        old.get(name) ?? new ScaleRow(name, count => this.orders.scale(name, count));
      this.rows.set(name, row);
    }
    this.node.replaceChildren(...[...this.rows.values()].map(row => row.node));
  }
}

/** One deployment: how many replicas run, and a stepper for how many should. */
export class ScaleRow {
  readonly node: HTMLElement;
  private readonly running = h('span', 'wb-soft');
  private readonly input = h('input', '');
  private readonly less = button('−', 'wb-button', () => this.step(-1));
  private readonly more = button('+', 'wb-button', () => this.step(1));
  private readonly apply = button('Scale', 'wb-button', () => this.send());
  private target = 1;
  private why = '';

  constructor(
    name: string,
    private readonly onScale: (count: number) => void
  ) {
    this.input.type = 'number';
    this.input.min = '1';
    this.input.setAttribute('aria-label', `Replicas of ${name}`);
    this.less.setAttribute('aria-label', `One replica of ${name} less`);
    this.more.setAttribute('aria-label', `One replica of ${name} more`);
    this.apply.setAttribute('aria-label', `Scale ${name}`);
    this.input.addEventListener('input', () => this.refresh());
    this.input.addEventListener('keydown', event => {
      if (event.key === 'Enter' && !this.apply.disabled) {
        this.send();
      }
    });
    const stepper = h('span', 'wb-stepper', this.less, this.input, this.more);
    this.node = h('div', 'wb-scale', h('span', 'wb-name', name), this.running, stepper);
    this.node.append(this.apply);
    this.node.dataset.deployment = name;
  }

  show(one: DeploymentStatusOverview, why: string): void {
    this.running.textContent = `${one.replica_states.RUNNING ?? 0} of ${one.target_num_replicas} running`;
    const isEdited = this.input.value !== '' && this.wanted !== this.target;
    this.target = one.target_num_replicas;
    this.why = why;
    if (!isEdited) {
      this.input.value = String(this.target);
    }
    this.refresh();
  }

  private get wanted(): number {
    return Number(this.input.value);
  }

  private step(by: number): void {
    this.input.value = String(Math.max(1, this.wanted + by));
    this.refresh();
  }

  private send(): void {
    this.onScale(this.wanted);
  }

  private refresh(): void {
    const isCount = Number.isInteger(this.wanted) && this.wanted >= 1;
    const isAway = this.why !== '';
    this.input.disabled = isAway;
    this.less.disabled = isAway || this.wanted <= 1;
    this.more.disabled = isAway;
    this.apply.disabled = isAway || !isCount || this.wanted === this.target;
    this.node.title = this.why;
  }
}

/** Asks before it deletes. */
export class Deletion {
  readonly node = h('div', 'wb-deletion');
  private readonly ask = button('Delete …', 'wb-button', () => this.open());
  private readonly question: HTMLElement;
  private readonly keep = button('Keep', 'wb-button', () => this.close());
  private readonly confirm: HTMLButtonElement;

  constructor(app: string, onDelete: () => void) {
    this.ask.setAttribute('aria-label', `Delete ${app}`);
    this.confirm = button('Delete', 'wb-button wb-danger', () => {
      this.close();
      onDelete();
    });
    const text = h('span', '');
    text.append(...prose(`Delete \`${app}\` and stop its replicas?`));
    this.question = h('span', 'wb-question', text, this.confirm, this.keep);
    this.question.setAttribute('role', 'group');
    this.node.append(this.ask);
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        this.close();
      }
    });
  }

  show(isServed: boolean, why: string): void {
    this.node.hidden = !isServed;
    this.ask.disabled = this.confirm.disabled = why !== '';
    this.node.title = why;
    if (!isServed) {
      this.close();
    }
  }

  private open(): void {
    this.node.replaceChildren(this.question);
    this.keep.focus();
  }

  private close(): void {
    if (this.question.isConnected) {
      const hadFocus = this.question.contains(document.activeElement);
      this.node.replaceChildren(this.ask);
      if (hadFocus) {
        this.ask.focus();
      }
    }
  }
}
