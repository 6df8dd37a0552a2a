/** Why something shows nothing, and what mends it. Pure. */

import { COMMANDS, type CommandId } from './ids';
import type { LogTail } from './logTail';
import type { Known, Link } from './model';
import { place, type Place } from './place';
import { VERSION } from './protocol';

/** A button that mends it. */
export type Remedy = {
  readonly label: string;
  readonly command: CommandId;
  readonly at?: Place;
  readonly text?: string;
};

export type Reason = {
  /** Names the case; for tests. */
  readonly id: string;
  readonly tone: 'calm' | 'bad';
  /** What is so; `code` in backquotes. */
  readonly sentence: string;
  /** What the reader may do. */
  readonly remedy: string;
  readonly remedies: readonly Remedy[];
};

const RETRY: Remedy = { label: 'Try again now', command: COMMANDS.retry };
const RELOAD: Remedy = { label: 'Reload the page', command: COMMANDS.reload };
const START: Remedy = { label: 'Start one here', command: COMMANDS.start };
const CONNECT: Remedy = { label: 'Connect …', command: COMMANDS.connect };
const TEMPLATE: Remedy = {
  label: 'Insert a %%serve cell',
  command: COMMANDS.insertTemplate
};
const CHECK = 'jupyter server extension list';
const INSTALL = 'pip install serve-workbench';

/** Why the page hears nothing from Jupyter's server; null where it does. */
export function linkReason(link: Link): Reason | null {
  switch (link) {
    case 'idle':
    case 'open':
      return null;
    case 'connecting':
      return reason('connecting', "Connecting to Jupyter's server …", '');
    case 'extension_missing':
      return bad(
        link,
        "Jupyter's server does not know Workbench: its server extension is not loaded.",
        `\`${INSTALL}\` in the environment of the server, restart it, and look at ` +
          `\`${CHECK}\`.`,
        [copy('Copy the pip line', INSTALL), RETRY]
      );
    case 'signed_out':
      return bad(
        link,
        "Jupyter's server does not let this page in: you may have been signed out.",
        'Reload the page to sign in again.',
        [RELOAD]
      );
    case 'server_gone':
      return bad(
        link,
        "Jupyter's server does not answer.",
        'What is deployed may well go on answering. This page comes back by itself ' +
          'once the server does.',
        [RETRY]
      );
    case 'socket_refused':
      return bad(
        link,
        "Jupyter's server answers, but lets no WebSocket through.",
        'A proxy between this page and the server may not pass WebSockets on; kernels ' +
          'need them too.',
        [RETRY]
      );
    case 'broken':
      return bad(
        link,
        "Workbench's server extension does not answer as it should.",
        "The log of Jupyter's server says why.",
        [RETRY]
      );
  }
}

/** Page and server are of different versions; null where they are not. */
export function versionReason(serverVersion: string): Reason | null {
  if (serverVersion === '' || serverVersion === VERSION) {
    return null;
  }
  return bad(
    'page_version',
    `This page is of Workbench ${VERSION}, Jupyter's server has ${serverVersion}.`,
    "Reload the page; if that does not help, restart Jupyter's server.",
    [RELOAD]
  );
}

/** Why the tree is empty. */
export function emptyReason(starting: string): Reason {
  if (starting) {
    return reason('starting', 'An instance is starting.', starting);
  }
  return reason(
    'no_instance',
    'No instance runs.',
    'The first `%%serve` cell you run starts one on this machine.',
    [TEMPLATE, START, CONNECT]
  );
}

/** Why an instance shows nothing, or not all; null where it shows what it has. */
export function instanceReason({ instance, status }: Known): Reason | null {
  const at = place(instance.id);
  const { problem } = instance;
  if (problem) {
    const remedies = problemRemedies(problem.kind, instance.is_remote, at);
    return bad(problem.kind, problem.sentence, problem.remedy, remedies);
  }
  if (!status) {
    return reason('waiting', 'Waiting for its first word …', '');
  }
  if (Object.keys(status.applications).length === 0) {
    return reason(
      'nothing_deployed',
      'Nothing is deployed here.',
      'Run a cell that begins with `%%serve`.',
      [TEMPLATE]
    );
  }
  return null;
}

function problemRemedies(
  kind: string,
  isRemote: boolean,
  at: Place
): readonly Remedy[] {
  const forget: Remedy = { label: 'Forget it', command: COMMANDS.disconnect, at };
  const stop: Remedy = { label: 'Stop it …', command: COMMANDS.stop, at };
  const again: Remedy = { label: 'Connect again …', command: COMMANDS.connect, at };
  if (kind === 'version_mismatch') {
    return [copy('Copy the pip line', INSTALL)];
  }
  if (kind === 'restarting') {
    return [];
  }
  return isRemote ? [again, forget] : [stop];
}

function copy(label: string, text: string): Remedy {
  return { label, command: COMMANDS.copyText, text };
}

function reason(
  id: string,
  sentence: string,
  remedy: string,
  remedies: readonly Remedy[] = []
): Reason {
  return { id, tone: 'calm', sentence, remedy, remedies };
}

function bad(
  id: string,
  sentence: string,
  remedy: string,
  remedies: readonly Remedy[]
): Reason {
  return { id, tone: 'bad', sentence, remedy, remedies };
}

/** Why a log shows nothing; null where it shows what there is. */
export function logReason(
  tail: Pick<LogTail, 'error' | 'records' | 'isKnown' | 'filter'>,
  all: readonly Known[] | undefined,
  id: string
): Reason | null {
  const known = all?.find(({ instance }) => instance.id === id);
  if (all && !known) {
    const rest = 'These are the last records that came.';
    return reason(
      'log_gone',
      'The instance has ended.',
      tail.records.length ? rest : ''
    );
  }
  const problem = known?.instance.problem;
  if (problem && problem.kind !== 'version_mismatch') {
    return bad(problem.kind, problem.sentence, problem.remedy, []);
  }
  if (tail.error) {
    const { message, remedy } = tail.error;
    return bad(
      'log_error',
      message,
      remedy || 'It is tried again every few seconds.',
      []
    );
  }
  return tail.records.length > 0 ? null : silence(tail);
}

function silence({ isKnown, filter }: Pick<LogTail, 'isKnown' | 'filter'>): Reason {
  if (!isKnown) {
    return reason('log_waiting', 'Asking for the log …', '');
  }
  if (filter.request_id || filter.level || filter.contains) {
    const all: Remedy = { label: 'Show all', command: COMMANDS.logs };
    return reason('log_filtered', 'No record fits the filters.', '', [all]);
  }
  return reason(
    'log_empty',
    'Nothing has been said yet.',
    'What user code prints or logs comes here, and tracebacks.'
  );
}
