import { describe, expect, it } from 'vitest';

import { SampleWindow, spanOf } from '../../src/charts/window';
import { deployment, sample, traffic } from './samples';

const subject = { app: 'default', deployment: null };

function windowOf(...samples: ReturnType<typeof sample>[]): SampleWindow {
  const made = new SampleWindow(subject);
  made.reset(samples);
  return made;
}

describe('SampleWindow', () => {
  it('keeps five minutes', () => {
    const samples = windowOf(sample(0), sample(1));

    samples.push(sample(301));

    expect(samples.rows().map(row => row.at)[0]).toBe(1);
  });

  it('leaves out what is not newer, as after a history that overtook a sample', () => {
    const samples = windowOf(sample(10));

    samples.push(sample(10));
    samples.push(sample(9.5));

    expect(samples.rows()).toHaveLength(1);
  });

  it('has a gap where samples stayed away', () => {
    const samples = windowOf(sample(10), sample(20));

    const [before, gap, after] = samples.rows();

    expect(before?.requests).toBe(0);
    expect([gap?.at, gap?.requests, gap?.replicas]).toEqual([15, null, null]);
    expect(after?.requests).toBe(0);
  });

  it('shows another subject from the beginning of the window', () => {
    const given = {
      applications: { default: traffic({ requests_per_s: 7 }) },
      deployments: { 'default#Doubler': deployment({ requests_per_s: 5 }) }
    };
    const samples = windowOf(sample(1, given), sample(2, given));
    expect(samples.rows().map(row => row.requests)).toEqual([7, 7]);

    samples.subject = { app: 'default', deployment: 'Doubler' };

    expect(samples.rows().map(row => row.requests)).toEqual([5, 5]);
  });
});

describe('spanOf', () => {
  it('grows with what there is', () => {
    expect([spanOf(0, 5), spanOf(0, 61), spanOf(0, 150)]).toEqual([60, 120, 300]);
  });
});
