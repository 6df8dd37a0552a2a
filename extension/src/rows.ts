/** The tree as the lines that are seen now, top to bottom. Pure. */

import * as format from './format';
import type { Known } from './model';
import { keyOf, kindOf, place, type Kind, type Place } from './place';
import type {
  ApplicationStatusOverview,
  DeploymentStatusOverview,
  ReplicaStatus
} from './protocol';

/** A state's sign: each has a form and a colour of its own. */
export type Mark = 'good' | 'busy' | 'warning' | 'bad' | 'idle';

/** One line; what is measured is read from the history when it is drawn. */
export type Row = {
  readonly key: string;
  readonly at: Place;
  readonly kind: Kind;
  readonly level: number;
  /** The how manieth child it is, of how many. */
  readonly position: number;
  readonly siblings: number;
  readonly name: string;
  readonly mark: Mark;
  /** The state in words. */
  readonly state: string;
  /** Second line; '' for none. */
  readonly note: string;
  /** Whether it has been, or could be, measured. */
  readonly isMeasured: boolean;
  /** Null where nothing is below. */
  readonly isOpen: boolean | null;
};

/** What decides which lines are seen. */
export type Opening = {
  /** Whether a node shows what is below; `usual` until the reader says. */
  readonly isOpen: (at: Place, usual: boolean) => boolean;
  /** Deployments with more replicas are closed until they are opened. */
  readonly openReplicasUpTo: number;
};

const MARKS: Readonly<Record<string, Mark>> = {
  RUNNING: 'good',
  HEALTHY: 'good',
  DEPLOYING: 'busy',
  NOT_STARTED: 'busy',
  UPDATING: 'busy',
  UPSCALING: 'busy',
  DOWNSCALING: 'busy',
  PLACING: 'busy',
  STARTING: 'busy',
  UNHEALTHY: 'warning',
  DEPLOY_FAILED: 'bad',
  FAILED: 'bad',
  DELETING: 'idle',
  STOPPING: 'idle',
  STOPPED: 'idle'
};

/** A replica in any other state has answered nothing lately. */
const SERVING = new Set(['RUNNING', 'UPDATING', 'STOPPING']);

/** The lines of all instances, one list for each. */
export function rowsOf(all: readonly Known[], opening: Opening): Row[][] {
  return all.map((known, index) => instanceRows(known, index, all.length, opening));
}

/** `DEPLOY_FAILED` as people write it: `deploy failed`. */
export function spoken(state: string): string {
  return state.toLowerCase().replace(/_/g, ' ');
}

function instanceRows(
  known: Known,
  index: number,
  siblings: number,
  opening: Opening
): Row[] {
  const at = place(known.instance.id);
  const apps = Object.entries(known.status?.applications ?? {});
  const isOpen = apps.length === 0 ? null : opening.isOpen(at, true);
  const row = { ...blank(at, index, siblings), ...looks(known, apps.length), isOpen };
  const below = isOpen
    ? apps.map(([name, app], nth) =>
        applicationRows(place(at.instance, name), app, nth, apps.length, opening)
      )
    : [];
  return [row, ...below.flat()];
}

function looks(
  { instance, status }: Known,
  apps: number
): Pick<Row, 'name' | 'mark' | 'state' | 'note'> {
  const name = instance.is_remote ? format.host(instance.url) : 'This machine';
  const version = instance.version && `Workbench ${instance.version}`;
  if (instance.problem && instance.problem.kind !== 'version_mismatch') {
    const state = spoken(instance.problem.kind);
    return { name, mark: 'bad', state, note: state };
  }
  if (!status) {
    return { name, mark: 'busy', state: 'connecting', note: version };
  }
  const note = joined(
    version,
    status.instance?.http_url === '' ? 'no HTTP' : '',
    format.count(apps, 'application')
  );
  if (instance.problem) {
    return { name, mark: 'warning', state: spoken(instance.problem.kind), note };
  }
  return { name, mark: 'good', state: 'running', note };
}

function applicationRows(
  at: Place,
  app: ApplicationStatusOverview,
  index: number,
  siblings: number,
  opening: Opening
): Row[] {
  const deployments = Object.entries(app.deployments);
  const isOpen = deployments.length === 0 ? null : opening.isOpen(at, true);
  const row: Row = {
    ...blank(at, index, siblings),
    name: at.app,
    ...signed(app.status),
    note: joined(
      app.status === 'RUNNING' ? '' : spoken(app.status),
      app.route_prefix ?? 'no route',
      format.fileName(app.owner.notebook)
    ),
    isOpen
  };
  const below = isOpen
    ? deployments.map(([deployment, found], nth) =>
        deploymentRows({ ...at, deployment }, found, nth, deployments.length, opening)
      )
    : [];
  return [row, ...below.flat()];
}

function deploymentRows(
  at: Place,
  deployment: DeploymentStatusOverview,
  index: number,
  siblings: number,
  { isOpen, openReplicasUpTo }: Opening
): Row[] {
  const { replicas, status, version, target_num_replicas: target } = deployment;
  const isFew = replicas.length <= openReplicasUpTo;
  const running = replicas.filter(({ state }) => state === 'RUNNING').length;
  const row: Row = {
    ...blank(at, index, siblings),
    name: at.deployment,
    ...signed(status),
    note: joined(
      status === 'HEALTHY' ? '' : spoken(status),
      `${running}/${target}`,
      format.shortVersion(version)
    ),
    isOpen: replicas.length === 0 ? null : isOpen(at, isFew)
  };
  const below = row.isOpen
    ? replicas.map((replica, nth) =>
        replicaRow(at, replica, version, nth, replicas.length)
      )
    : [];
  return [row, ...below];
}

function replicaRow(
  above: Place,
  { id, state, version }: ReplicaStatus,
  usualVersion: string,
  index: number,
  siblings: number
): Row {
  return {
    ...blank({ ...above, replica: id }, index, siblings),
    ...signed(state),
    isMeasured: SERVING.has(state),
    // What is as usual goes without saying: there may be hundreds.
    name: joined(
      format.shortReplica(id),
      state === 'RUNNING' ? '' : spoken(state),
      version === usualVersion ? '' : format.shortVersion(version)
    )
  };
}

function signed(state: string): Pick<Row, 'mark' | 'state'> {
  return { mark: MARKS[state] ?? 'warning', state: spoken(state) };
}

function joined(...parts: readonly string[]): string {
  return parts.filter(Boolean).join(' · ');
}

const LEVELS: Readonly<Record<Kind, number>> = {
  instance: 1,
  application: 2,
  deployment: 3,
  replica: 4
};

function blank(at: Place, index: number, siblings: number): Row {
  const kind = kindOf(at);
  return {
    key: keyOf(at),
    at,
    kind,
    level: LEVELS[kind],
    position: index + 1,
    siblings,
    name: '',
    mark: 'idle',
    state: '',
    note: '',
    isMeasured: kind !== 'instance',
    isOpen: null
  };
}
