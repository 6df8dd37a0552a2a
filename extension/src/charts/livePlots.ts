/** Live plots of one application, for a notebook's output and the main area alike. */

import type { Sample, ServeStatus } from '../protocol';
import { Chart, momentLabel } from './chart';
import { copyable, h, prose, style } from './dom';
import { paletteOf } from './looks';
import { reasonFor, type Reason } from './reason';
import { deploymentNames } from './rows';
import { STYLES } from './styles';
import { hasTraffic, hasValues, tables } from './tables';
import { watchTheme } from './theme';
import { thinned } from './thinning';
import { SampleWindow, spanOf } from './window';

export interface LivePlotsOptions {
  readonly app: string;
  /** Shown first; the reader may choose another, or the application. */
  readonly deployment?: string;
  /** Lower charts. */
  readonly compact?: boolean;
  /** Told when the plots come into view or leave it. */
  readonly onVisible?: (isVisible: boolean) => void;
}

const AS_CLIENTS_SEE_IT = '';

/**
 * Draws at most once in an animation frame, and nothing while out of sight.
 *
 * `reset` gives the history, `push` each new sample, `setStatus` what runs.
 */
export class LivePlots {
  private readonly root = h('div', 'wb-plots');
  private readonly bar = h('div', 'wb-plots-bar wb-none');
  private readonly choice = h('select', 'wb-select');
  private readonly moment = h('span', 'wb-moment');
  private readonly reason = h('div', 'wb-reason');
  private readonly grid = h('div', 'wb-charts');
  private readonly samples: SampleWindow;
  private charts: Chart[] = [];
  private status: ServeStatus | undefined;
  private away: Reason | null = null;
  private said = '';
  private chosen = false;
  private frame = 0;
  private isVisible = false;
  private inView = false;
  private readonly undo: (() => void)[] = [];

  constructor(
    host: HTMLElement,
    private readonly options: LivePlotsOptions
  ) {
    this.chosen = options.deployment !== undefined;
    this.samples = new SampleWindow({
      app: options.app,
      deployment: options.deployment ?? null
    });
    host.append(this.root);
    style(this.root, 'plots', STYLES);
    this.choice.setAttribute('aria-label', 'What the charts show');
    this.choice.addEventListener('change', () => this.choose());
    this.reason.setAttribute('role', 'status');
    this.bar.append(this.choice, this.moment);
    this.root.append(this.bar, this.reason, this.grid);
    this.follow();
    this.schedule();
  }

  reset(samples: readonly Sample[]): void {
    this.samples.reset(samples);
    this.schedule();
  }

  push(sample: Sample): void {
    this.samples.push(sample);
    this.schedule();
  }

  setStatus(status: ServeStatus): void {
    this.status = status;
    this.schedule();
  }

  /** Say why nothing comes any more; null when it does again. */
  setAway(reason: Reason | null): void {
    this.away = reason;
    this.schedule();
  }

  /** The page's theme changed. */
  redraw(): void {
    const palette = paletteOf(this.root);
    this.charts.forEach(chart => chart.repaint(palette));
    this.schedule();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.undo.forEach(undo => undo());
    this.charts.forEach(chart => chart.dispose());
    this.root.remove();
  }

  /** Know when to draw: in view, resized, another theme. */
  private follow(): void {
    const seen = new IntersectionObserver(entries => {
      this.inView = entries[entries.length - 1]?.isIntersecting ?? false;
      this.look();
    });
    seen.observe(this.root);
    const sized = new ResizeObserver(() => this.charts.forEach(chart => chart.fit()));
    sized.observe(this.root);
    const look = (): void => this.look();
    document.addEventListener('visibilitychange', look);
    this.undo.push(
      () => seen.disconnect(),
      () => sized.disconnect(),
      () => document.removeEventListener('visibilitychange', look),
      watchTheme(() => this.redraw())
    );
  }

  private look(): void {
    const isVisible = this.inView && !document.hidden;
    if (isVisible !== this.isVisible) {
      this.isVisible = isVisible;
      this.options.onVisible?.(isVisible);
      this.schedule();
    }
  }

  private schedule(): void {
    if (this.isVisible && this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
  }

  private draw(): void {
    this.offer();
    const rows = this.samples.rows();
    const first = rows[0]?.at ?? 0;
    const span = spanOf(first, this.samples.last?.at_s ?? 0);
    const drawn = tables(thinned(rows, span));
    this.say(hasTraffic(rows));
    const isEmpty = !drawn.some(hasValues);
    this.grid.classList.toggle('wb-none', isEmpty);
    this.bar.classList.toggle('wb-none', isEmpty);
    if (isEmpty) {
      return;
    }
    if (this.charts.length === 0) {
      const palette = paletteOf(this.root);
      const height = this.options.compact ? 120 : 154;
      this.charts = drawn.map(
        table => new Chart(table, palette, height, at => this.point(at))
      );
      this.grid.replaceChildren(...this.charts.map(chart => chart.node));
    }
    this.charts.forEach((chart, index) => {
      const table = drawn[index];
      if (table) {
        chart.show(table);
      }
    });
  }

  /** Values of one moment in all legends. */
  private point(at: number | null): void {
    this.charts.forEach(chart => chart.point(at));
    this.moment.textContent = momentLabel(at, this.samples.last?.at_s ?? 0);
  }

  private say(isCalled: boolean): void {
    const { app } = this.options;
    const found = reasonFor({
      app,
      status: this.status,
      away: this.away,
      hasTraffic: isCalled
    });
    const said = JSON.stringify(found);
    if (said === this.said) {
      return;
    }
    this.said = said;
    this.reason.classList.toggle('wb-bad', found?.tone === 'bad');
    this.reason.replaceChildren(...(found ? sentences(found) : []));
  }

  /** What the reader can choose to look at, as far as it is known. */
  private offer(): void {
    const { app } = this.options;
    const overview = this.status?.applications[app];
    const last = this.samples.last;
    const names = overview
      ? Object.keys(overview.deployments)
      : last
        ? deploymentNames(last, app)
        : [];
    if (!this.chosen && overview && !overview.route_prefix && overview.ingress) {
      // Without a route there is no HTTP to look at; its first deployment is called.
      this.samples.subject = { app, deployment: overview.ingress };
      this.chosen = true;
    }
    const wanted = [AS_CLIENTS_SEE_IT, ...names];
    const offered = [...this.choice.options].map(option => option.value);
    if (wanted.join('\n') !== offered.join('\n')) {
      this.choice.replaceChildren(...wanted.map(choiceOf));
    }
    this.choice.value = this.samples.subject.deployment ?? AS_CLIENTS_SEE_IT;
  }

  private choose(): void {
    this.chosen = true;
    const deployment = this.choice.value || null;
    this.samples.subject = { app: this.options.app, deployment };
    this.schedule();
  }
}

function choiceOf(name: string): HTMLOptionElement {
  const label =
    name === AS_CLIENTS_SEE_IT ? 'Whole application (HTTP)' : `Deployment ${name}`;
  const option = h('option', '', label);
  option.value = name;
  return option;
}

function sentences({ sentence, remedy, command }: Reason): Node[] {
  const first = h('b', '');
  first.append(...prose(sentence));
  const rest = h('span', '');
  rest.append(...prose(remedy));
  return [
    first,
    rest,
    ...(command ? [document.createTextNode(' '), copyable(command)] : [])
  ];
}
