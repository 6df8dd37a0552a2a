/** The panel's first line: what is served, in what state, where. */

import { h } from '../charts/dom';
import type { ApplicationStatus, ApplicationStatusOverview } from '../protocol';

type Sign = 'good' | 'busy' | 'bad' | 'idle';

const SIGNS: Readonly<Record<ApplicationStatus, Sign>> = {
  NOT_STARTED: 'idle',
  DEPLOYING: 'busy',
  DEPLOY_FAILED: 'bad',
  RUNNING: 'good',
  UNHEALTHY: 'bad',
  DELETING: 'idle'
};

/** Colour and form, so that either alone is enough. */
const MARKS: Readonly<Record<Sign, string>> = {
  good: '●',
  busy: '◐',
  bad: '✕',
  idle: '○'
};

export class Header {
  private readonly mark = h('span', 'wb-mark');
  private readonly state = h('span', 'wb-soft');
  private readonly url = h('a', 'wb-url');
  readonly node: HTMLElement;

  constructor(app: string) {
    this.mark.setAttribute('aria-hidden', 'true');
    this.url.target = '_blank';
    this.url.rel = 'noopener noreferrer';
    this.node = h('div', 'wb-title', this.mark, h('b', '', app), this.state, this.url);
    this.show(undefined);
  }

  show(found: ApplicationStatusOverview | undefined): void {
    const sign = found ? SIGNS[found.status] : 'idle';
    this.mark.textContent = MARKS[sign];
    this.mark.className = `wb-mark wb-is-${sign}`;
    this.state.textContent = found
      ? found.status.toLowerCase().replace(/_/g, ' ')
      : 'not served';
    const url = webUrl(found?.url);
    this.url.hidden = !url;
    this.url.textContent = url;
    if (url) {
      this.url.href = url;
    } else {
      this.url.removeAttribute('href');
    }
  }
}

/** Only what leads to the web becomes a link. */
function webUrl(url: string | null | undefined): string {
  return url && /^https?:\/\//.test(url) ? url : '';
}
