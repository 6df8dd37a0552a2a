/** One chart: its title, a legend with values, and the plot. */

import uPlot from 'uplot';

import { h } from './dom';
import { ago, clock, short, ticks } from './format';
import { faded, type Look, type Palette } from './looks';
import { hasValues, type Line, type Table } from './tables';
import { spanOf } from './window';

/** Told that the reader points at the moment `at`, or at none. */
export type Pointer = (at: number | null) => void;

const SVG = 'http://www.w3.org/2000/svg';
const HOVER = 'wb-plots';

export class Chart {
  readonly node: HTMLElement;
  private readonly legend = h('div', 'wb-legend');
  private readonly plotNode = h('div', 'wb-plot');
  private readonly note = h('div', 'wb-plot-note');
  private plot: uPlot | null = null;
  private shape = '';
  private values: HTMLElement[] = [];

  constructor(
    private table: Table,
    private palette: Palette,
    private readonly height: number,
    private readonly onPoint: Pointer
  ) {
    const { title, unit } = table.kind;
    const head = h('div', 'wb-chart-head', h('b', '', title), this.legend);
    this.plotNode.style.height = `${height}px`;
    this.plotNode.append(h('span', 'wb-unit', unit), this.note);
    this.node = h('section', 'wb-chart', head, this.plotNode);
    this.node.setAttribute('aria-label', `${title}, ${unit}`);
    this.node.dataset.chart = table.kind.id;
  }

  show(table: Table): void {
    this.table = table;
    const shape = JSON.stringify(table.lines.map(line => [line.label, line.look]));
    if (!this.plot || shape !== this.shape) {
      this.shape = shape;
      this.build();
    } else {
      this.plot.setData(this.data());
    }
    const empty = !hasValues(table);
    this.note.textContent = empty ? table.empty : '';
    this.legend.classList.toggle('wb-none', empty);
    this.point(null);
  }

  repaint(palette: Palette): void {
    this.palette = palette;
    this.drawLegend();
    this.plot?.redraw(false);
  }

  fit(): void {
    const width = this.plotNode.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.height });
    }
  }

  /** Show the values of a moment in the legend; of the newest for null. */
  point(at: number | null): void {
    const { times, lines } = this.table;
    const index = at === null ? times.length - 1 : nearest(times, at);
    lines.forEach((line, i) => {
      const value = line.values[index];
      const cell = this.values[i];
      const text = value === null || value === undefined ? '–' : short(value);
      if (cell && cell.textContent !== text) {
        cell.textContent = text;
      }
    });
  }

  dispose(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private build(): void {
    this.plot?.destroy();
    this.drawLegend();
    this.plot = new uPlot(this.options(), this.data(), this.plotNode);
    // From its element, for tests: what is drawn, in numbers.
    Object.assign(this.plotNode, { uPlot: this.plot });
  }

  private data(): uPlot.AlignedData {
    return [this.table.times, ...this.table.lines.map(line => line.values)];
  }

  private drawLegend(): void {
    this.values = this.table.lines.map(() => h('span', 'wb-value'));
    const items = this.table.lines.map((line, index) =>
      h(
        'span',
        'wb-key',
        this.swatch(line.look),
        h('span', 'wb-label', line.label),
        this.values[index] ?? null
      )
    );
    this.legend.replaceChildren(...items);
  }

  /** A piece of the line as it is drawn. */
  private swatch({ colour, width, dash }: Look): Node {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 20 8');
    svg.setAttribute('class', 'wb-swatch');
    svg.setAttribute('aria-hidden', 'true');
    const line = document.createElementNS(SVG, 'path');
    line.setAttribute('d', 'M0 4H20');
    line.setAttribute('stroke', this.palette.lines[colour]);
    line.setAttribute('stroke-width', String(width));
    line.setAttribute('stroke-dasharray', dash.join(' '));
    svg.append(line);
    return svg;
  }

  private options(): uPlot.Options {
    const { counts, least } = this.table.kind;
    const font = `11px ${getComputedStyle(this.plotNode).fontFamily}`;
    const common = {
      font,
      stroke: () => this.palette.ink,
      grid: { stroke: () => this.palette.grid, width: 1 },
      ticks: { show: false },
      gap: 4
    };
    return {
      width: this.plotNode.clientWidth || 300,
      height: this.height,
      padding: [20, 14, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 6 },
        sync: { key: HOVER, setSeries: false }
      },
      scales: {
        x: {
          time: false,
          // Not by what uPlot found: it widens the range of a single sample by years.
          range: () => this.span()
        },
        y: {
          range: (_, __, highest: number | null) => [
            0,
            Math.max(least, (highest ?? 0) * 1.08)
          ]
        }
      },
      axes: [
        {
          ...common,
          size: 22,
          splits: plot => moments(plot.scales.x?.min ?? 0, plot.scales.x?.max ?? 0),
          values: (plot, splits) => labels(splits, plot.scales.x?.max ?? 0)
        },
        {
          ...common,
          size: 42,
          space: 32,
          ...(counts ? { incrs: COUNTS } : {}),
          values: (_, splits) => ticks(splits)
        }
      ],
      series: [{}, ...this.table.lines.map(line => this.series(line))],
      hooks: { setCursor: [plot => this.onPoint(pointed(plot))] }
    };
  }

  private span(): [number, number] {
    const { times } = this.table;
    const newest = times[times.length - 1] ?? 0;
    return [newest - spanOf(times[0] ?? newest, newest), newest];
  }

  private series({ label, look }: Line): uPlot.Series {
    const colour = (): string => this.palette.lines[look.colour];
    const stepped = this.table.kind.counts
      ? uPlot.paths.stepped?.({ align: 1 })
      : undefined;
    return {
      label,
      stroke: colour,
      width: look.width,
      dash: [...look.dash],
      ...(look.fill ? { fill: () => faded(colour(), look.fill) } : {}),
      ...(stepped ? { paths: stepped } : {}),
      // A value alone between gaps makes no line; without a point it would not be seen.
      points: { show: true, size: 4, fill: colour, filter: alone }
    };
  }
}

const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

/** Four or five parts of the axis: whole minutes, or 15 or 30 seconds. */
function moments(oldest: number, newest: number): number[] {
  const parts = newest - oldest > 120 ? 5 : 4;
  const step = (newest - oldest) / parts;
  return Array.from({ length: parts + 1 }, (_, i) => oldest + i * step);
}

/** The oldest has none: it would run into the other axis. */
function labels(splits: readonly number[], newest: number): string[] {
  return splits.map((at, index) => (index === 0 ? '' : ago(at, newest)));
}

function pointed(plot: uPlot): number | null {
  const index = plot.cursor.idx;
  return index === null || index === undefined ? null : (plot.data[0][index] ?? null);
}

function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const indices: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (isGap(values[i - 1]) && !isGap(values[i]) && isGap(values[i + 1])) {
      indices.push(i);
    }
  }
  return indices;
}

function isGap(value: number | null | undefined): boolean {
  return value === null || value === undefined;
}

function nearest(times: readonly number[], at: number): number {
  let found = times.length - 1;
  while (
    found > 0 &&
    Math.abs((times[found - 1] ?? 0) - at) <= Math.abs((times[found] ?? 0) - at)
  ) {
    found--;
  }
  return found;
}

/** When the legends show another moment than the newest, this says which. */
export function momentLabel(at: number | null, newest: number): string {
  return at === null || at >= newest ? '' : `${clock(at)} (${ago(at, newest)})`;
}
