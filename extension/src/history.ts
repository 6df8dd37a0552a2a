/** The last minutes of one instance, for sparklines and plots. No DOM. */

import { deploymentKey, kindOf, type Place } from './place';
import type { Sample } from './protocol';

/** What every kind of node has measured. */
export type Rates = {
  readonly requests_per_s: number;
  readonly errors_per_s: number;
  readonly p99_ms: number | null;
};

/** Samples that keep their replicas: as many as a sparkline shows. */
export const SPARK_SAMPLES = 60;

export class History {
  private samples: Sample[] = [];

  /** Keeps about `seconds`, at two samples a second. */
  constructor(private readonly seconds: () => number) {}

  get all(): readonly Sample[] {
    return this.samples;
  }

  get last(): Sample | undefined {
    return this.samples[this.samples.length - 1];
  }

  reset(samples: readonly Sample[]): void {
    this.samples = [...samples];
    this.trim();
  }

  push(sample: Sample): void {
    this.samples.push(sample);
    // With hundreds of replicas, minutes of them would be most of the page's memory.
    const index = this.samples.length - 1 - SPARK_SAMPLES;
    const old = this.samples[index];
    if (old) {
      this.samples[index] = { ...old, replicas: {} };
    }
    this.trim();
  }

  /** What was measured last at a node; nothing for an instance as a whole. */
  rates(at: Place): Rates | undefined {
    return this.last && ratesIn(this.last, at);
  }

  /** Requests per second of the last half minute; 0 where nothing was measured. */
  trace(at: Place): readonly number[] {
    return this.samples
      .slice(-SPARK_SAMPLES)
      .map(sample => ratesIn(sample, at)?.requests_per_s ?? 0);
  }

  private trim(): void {
    const newest = this.last;
    if (newest === undefined) {
      return;
    }
    const from = newest.at_s - this.seconds();
    const kept = this.samples.findIndex(sample => sample.at_s >= from);
    if (kept > 0) {
      this.samples.splice(0, kept);
    }
  }
}

function ratesIn(sample: Sample, at: Place): Rates | undefined {
  switch (kindOf(at)) {
    case 'application':
      return sample.applications[at.app];
    case 'deployment':
      return sample.deployments[deploymentKey(at)];
    case 'replica':
      return sample.replicas[at.replica];
    case 'instance':
      return undefined;
  }
}

/** A sparkline's path in a box, its top at the highest value; '' if all is zero. */
export function sparkPath(
  values: readonly number[],
  width: number,
  height: number
): string {
  const top = Math.max(...values, 0);
  if (top === 0 || values.length < 2) {
    return '';
  }
  const step = width / (SPARK_SAMPLES - 1);
  const start = width - step * (values.length - 1);
  return values
    .map((value, index) => {
      const x = (start + index * step).toFixed(1);
      const y = (height - 1 - (value / top) * (height - 2)).toFixed(1);
      return `${index === 0 ? 'M' : 'L'}${x} ${y}`;
    })
    .join('');
}
