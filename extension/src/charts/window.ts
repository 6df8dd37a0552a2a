/** The last minutes of samples, as rows of the subject that is looked at. Pure. */

import type { Sample } from '../protocol';
import { gapAt, rowOf, type Row, type Subject } from './rows';

export const WINDOW_S = 300;

/** Shorter spans for the first minutes, so that a new line is not a speck at the edge. */
const SPANS_S = [60, 120, WINDOW_S];

/** How many seconds an axis shows that begins at `oldest` and ends at `newest`. */
export function spanOf(oldest: number, newest: number): number {
  return SPANS_S.find(span => newest - oldest <= span) ?? WINDOW_S;
}

/** Longer without a sample is shown as a gap; samples come each half second. */
const GAP_S = 3;

export class SampleWindow {
  private samples: Sample[] = [];
  private made = new WeakMap<Sample, Row>();

  constructor(private watched: Subject) {}

  get subject(): Subject {
    return this.watched;
  }

  set subject(subject: Subject) {
    this.watched = subject;
    this.made = new WeakMap();
  }

  get last(): Sample | undefined {
    return this.samples[this.samples.length - 1];
  }

  reset(samples: readonly Sample[]): void {
    this.samples = [...samples];
    this.trim();
  }

  /** Take a sample; one that is not newer than the last is left out. */
  push(sample: Sample): void {
    if (this.last && sample.at_s <= this.last.at_s) {
      return;
    }
    this.samples.push(sample);
    this.trim();
  }

  rows(): Row[] {
    const rows: Row[] = [];
    for (const sample of this.samples) {
      const before = rows[rows.length - 1];
      if (before && sample.at_s - before.at > GAP_S) {
        rows.push(gapAt((before.at + sample.at_s) / 2));
      }
      rows.push(this.rowOf(sample));
    }
    return rows;
  }

  private rowOf(sample: Sample): Row {
    let row = this.made.get(sample);
    if (row === undefined) {
      row = rowOf(sample, this.watched);
      this.made.set(sample, row);
    }
    return row;
  }

  private trim(): void {
    const oldest = (this.last?.at_s ?? 0) - WINDOW_S;
    const first = this.samples.findIndex(sample => sample.at_s >= oldest);
    if (first > 0) {
      this.samples.splice(0, first);
    }
  }
}
