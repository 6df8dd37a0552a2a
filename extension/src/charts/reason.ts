/** Why there is little or nothing to see, and what to do about it. Pure. */

import type { ApplicationStatusOverview, ServeStatus } from '../protocol';

/** `code` in backquotes; `command` stands on a line of its own, to be copied. */
export interface Reason {
  readonly tone: 'calm' | 'bad';
  readonly sentence: string;
  readonly remedy: string;
  readonly command?: string;
}

export interface Known {
  readonly app: string;
  /** Undefined until the first one came. */
  readonly status: ServeStatus | undefined;
  /** Set by whoever feeds the plots, when nothing comes any more. */
  readonly away: Reason | null;
  readonly hasTraffic: boolean;
}

/** What to say above the charts; null where they speak for themselves. */
export function reasonFor({ app, status, away, hasTraffic }: Known): Reason | null {
  if (away) {
    return away;
  }
  if (!status) {
    return calm('Waiting for the first measurement …', '');
  }
  if (!status.instance) {
    return calm(
      'Nothing runs.',
      'A cell that begins with `%%serve` starts an instance.'
    );
  }
  const found = status.applications[app];
  if (!found) {
    return notServed(app, Object.keys(status.applications));
  }
  return troubleOf(app, found) ?? (hasTraffic ? null : noTraffic(app, found));
}

function notServed(app: string, others: string[]): Reason {
  const remedy = others.length
    ? `Served are: ${others.map(name => `\`${name}\``).join(', ')}.`
    : 'Put `%%serve` above a cell that defines a deployment, and run it.';
  return calm(`Nothing is served as \`${app}\`.`, remedy);
}

function troubleOf(app: string, found: ApplicationStatusOverview): Reason | null {
  const messages = [found, ...Object.values(found.deployments)].map(one => one.message);
  const said = lastLine(messages.find(message => message.trim()) ?? '');
  switch (found.status) {
    case 'DEPLOY_FAILED':
      return bad(failure(app, found), said);
    case 'UNHEALTHY':
      return bad(`\`${app}\` is unhealthy.`, said || 'Its logs may say why.');
    case 'DELETING':
      return calm(`\`${app}\` is being deleted.`, '');
    case 'NOT_STARTED':
    case 'DEPLOYING':
      return calm(`\`${app}\` is being deployed …`, said);
    default:
      return null;
  }
}

function failure(app: string, found: ApplicationStatusOverview): string {
  const isServing = Object.values(found.deployments).some(
    one => (one.replica_states.RUNNING ?? 0) > 0
  );
  const rest = isServing ? '; what served before still does' : '';
  return `The last deploy of \`${app}\` failed${rest}.`;
}

function noTraffic(app: string, found: ApplicationStatusOverview): Reason {
  const sentence = 'No request in the last 5 minutes.';
  if (!found.url) {
    const command = `serve.get_app_handle(${JSON.stringify(app)}).remote()`;
    return { ...calm(sentence, 'It has no URL; its handle calls it:'), command };
  }
  return { ...calm(sentence, 'Send one:'), command: `curl ${quoted(found.url)}` };
}

/** Fit for a shell: in single quotes where it holds more than plain characters. */
function quoted(url: string): string {
  return /^[\w.:/%-]+$/.test(url) ? url : `'${url.replace(/'/g, "'\\''")}'`;
}

function lastLine(text: string): string {
  return text.trim().split('\n').pop()?.trim() ?? '';
}

function calm(sentence: string, remedy: string): Reason {
  return { tone: 'calm', sentence, remedy };
}

function bad(sentence: string, remedy: string): Reason {
  return { tone: 'bad', sentence, remedy };
}
