import { describe, expect, it } from 'vitest';

import { faded, isLight, nth, TELLABLE } from '../../src/charts/looks';

describe('looks', () => {
  it('tell lines of one kind apart without colour, and by colour alone', () => {
    const all = Array.from({ length: TELLABLE }, (_, index) => nth(index));

    expect(new Set(all.map(look => look.colour)).size).toBe(TELLABLE);
    const neighbours = all.slice(1).map((look, index) => [look.dash, all[index]?.dash]);
    expect(neighbours.every(([one, other]) => one !== other)).toBe(true);
  });

  it('know the text of a dark page', () => {
    expect(isLight('rgb(212, 212, 212)')).toBe(true);
    expect(isLight('rgba(0, 0, 0, 0.87)')).toBe(false);
  });

  it('fade only colours that they understand', () => {
    expect(faded('#0072b2', 0.5)).toBe('#0072b280');
    expect(faded('var(--x)', 0.5)).toBe('transparent');
  });
});
