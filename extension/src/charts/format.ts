/** Numbers as a reader takes them in at a glance. Pure. */

/** Three digits, no more: `0.21`, `1.24`, `12.3`, `1,234`, `56.2k`. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 9.995e5) {
    return `${digits(value / 1e6, 3)}M`;
  }
  if (size >= 9999.5) {
    return `${digits(value / 1e3, 3)}k`;
  }
  return size >= 999.5 ? grouped(value) : digits(value, 3);
}

/** Labels of an axis: all with as many decimals as the step between them needs. */
export function ticks(values: readonly number[]): string[] {
  const step = values.length > 1 ? (values[1] ?? 0) - (values[0] ?? 0) : 1;
  const [scale, suffix] = step >= 1e6 ? [1e6, 'M'] : step >= 1e3 ? [1e3, 'k'] : [1, ''];
  const decimals = decimalsOf(step / scale);
  return values.map(value =>
    value === 0 ? '0' : `${(value / scale).toFixed(decimals)}${suffix}`
  );
}

/** Decimals that a number needs: 2 for 0.25, none for 5. */
function decimalsOf(value: number): number {
  let decimals = 0;
  while (decimals < 6 && Math.abs(Number(value.toFixed(decimals)) - value) > 1e-9) {
    decimals++;
  }
  return decimals;
}

/** How long before `now` a moment was: `now`, `−2 min`, `−30 s`. */
export function ago(at: number, now: number): string {
  const seconds = Math.round(now - at);
  if (seconds <= 0) {
    return 'now';
  }
  return seconds % 60 === 0 ? `−${seconds / 60} min` : `−${seconds} s`;
}

/** The reader's own time of day: `14:03:27`. */
export function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString([], { hour12: false });
}

function digits(value: number, count: number): string {
  if (value === 0) {
    return '0';
  }
  const whole = Math.floor(Math.log10(Math.abs(value))) + 1;
  const decimals = Math.min(Math.max(0, count - Math.max(whole, 1)), 2);
  return trimmed(value.toFixed(decimals));
}

function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}
