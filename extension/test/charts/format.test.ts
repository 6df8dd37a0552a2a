import { describe, expect, it } from 'vitest';

import { ago, short, ticks } from '../../src/charts/format';

describe('short', () => {
  it.each([
    [0, '0'],
    [0.004, '0'],
    [0.05, '0.05'],
    [0.5, '0.5'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [999.4, '999'],
    [1234, '1,234'],
    [9999, '9,999'],
    [16965, '17k'],
    [123456, '123k'],
    [2500000, '2.5M']
  ])('shows %d as %s', (value, text) => {
    expect(short(value)).toBe(text);
  });
});

describe('ticks', () => {
  it('gives all labels the decimals of the step between them', () => {
    expect(ticks([0, 0.25, 0.5, 0.75])).toEqual(['0', '0.25', '0.50', '0.75']);
    expect(ticks([0, 5, 10])).toEqual(['0', '5', '10']);
  });

  it('shortens thousands', () => {
    expect(ticks([0, 5000, 10000])).toEqual(['0', '5k', '10k']);
    expect(ticks([0, 2500, 5000])).toEqual(['0', '2.5k', '5.0k']);
  });
});

describe('ago', () => {
  it('says minutes where they are whole, else seconds', () => {
    expect(ago(100, 100)).toBe('now');
    expect(ago(100, 220)).toBe('−2 min');
    expect(ago(100, 115)).toBe('−15 s');
  });
});
