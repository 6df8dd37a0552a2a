/** How lines look, told apart without colour too, and where colours come from. */

/** One line's look: a colour by name, a width, and dashes (empty: solid). */
export interface Look {
  readonly colour: Colour;
  readonly width: number;
  readonly dash: readonly number[];
  /** Share of the colour with which the area below is filled; 0 for none. */
  readonly fill: number;
}

/** After Okabe and Ito: told apart by people who see no red, green or blue. */
export type Colour = 'blue' | 'green' | 'red' | 'purple' | 'orange' | 'grey';

/** What a chart paints with, as colours that a canvas understands. */
export interface Palette {
  readonly lines: Readonly<Record<Colour, string>>;
  readonly ink: string;
  readonly grid: string;
}

const SOLID: readonly number[] = [];
const DASHED: readonly number[] = [6, 4];
const DOTTED: readonly number[] = [2, 3];

export const FIRST: Look = { colour: 'blue', width: 2, dash: SOLID, fill: 0.12 };
export const PLAIN: Look = { ...FIRST, fill: 0 };
export const SECOND: Look = { colour: 'green', width: 1.75, dash: DASHED, fill: 0 };
export const THIRD: Look = { colour: 'red', width: 1.5, dash: DOTTED, fill: 0 };
export const WARNING: Look = { colour: 'red', width: 2, dash: DASHED, fill: 0 };
export const GOAL: Look = { colour: 'grey', width: 1.5, dash: DASHED, fill: 0 };

const ORDER: readonly Colour[] = ['blue', 'red', 'green', 'purple', 'orange', 'grey'];

/** How many lines of one kind can be told apart. */
export const TELLABLE = ORDER.length;

/** The look of the nth of several lines of one kind. */
export function nth(index: number): Look {
  const colour = ORDER[index % ORDER.length] ?? 'grey';
  const dash = [SOLID, DASHED, DOTTED][index % 3] ?? SOLID;
  return { colour, width: index % 3 === 0 ? 2 : 1.75, dash, fill: 0 };
}

/** On white, with 3:1 contrast or more; variables of a page's own win. */
const LIGHT: Palette = {
  lines: {
    blue: '#0072b2',
    green: '#009e73',
    red: '#d55e00',
    purple: '#b5578f',
    orange: '#b87f00',
    grey: '#767676'
  },
  ink: '#5c5c5c',
  grid: '#e4e4e4'
};

const DARK: Palette = {
  lines: {
    blue: '#56b4e9',
    green: '#1fc795',
    red: '#f0803c',
    purple: '#dc93bb',
    orange: '#e69f00',
    grey: '#a0a0a0'
  },
  ink: '#b4b4b4',
  grid: '#3a3a3a'
};

/** The palette that fits the page around `element`, as its styles stand now. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const standard = isLight(style.color) ? DARK : LIGHT;
  const own = (name: string, fallback: string): string =>
    style.getPropertyValue(`--wb-plot-${name}`).trim() || fallback;
  const lines = Object.fromEntries(
    Object.entries(standard.lines).map(([name, value]) => [name, own(name, value)])
  ) as Record<Colour, string>;
  return { lines, ink: own('ink', standard.ink), grid: own('grid', standard.grid) };
}

/** Whether a computed colour, `rgb(…)`, is a light one: text of a dark page. */
export function isLight(colour: string): boolean {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}

/** `#rrggbb` with a share of opacity. */
export function faded(colour: string, share: number): string {
  const part = Math.round(share * 255)
    .toString(16)
    .padStart(2, '0');
  return /^#[\da-f]{6}$/i.test(colour) ? `${colour}${part}` : 'transparent';
}
