/** The tree as the lines that are seen now, top to bottom. Pure. */

import * as format from './format';
import type { Known } from './model';
import { keyOf, place, type Kind, type Place } from './place';
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
  readonly position: number;
  readonly siblings: number;
  readonly name: string;
  readonly mark: Mark;
  /** The state in words. */
  readonly state: string;
  /** Second line; '' for none. */
  readonly note: string;
  /** Null where nothing is below. */
  readonly isOpen: boolean | null;
};

/** What of the view decides which lines are seen. */
export type Opening = (at: Place, usual: boolean) => boolean;

export const MARKS: Readonly<Record<string, Mark>> = {
  RUNNING: 'good',
  HEALTHY: 'good',
  DEPLOYING: 'busy',
  NOT_STARTED: 'busy',
  UPDATING: 'busy',
  PLACING: 'busy',
  STARTING: 'busy',
  UNHEALTHY: 'warning',
  DEPLOY_FAILED: 'bad',
  FAILED: 'bad',
  DELETING: 'idle',
  STOPPING: 'idle',
  STOPPED: 'idle'
};

/** The lines of one instance. */
export function rowsOf(
  known: Known,
  numbering: { position: number; siblings: number },
  isOpen: Opening,
  openReplicasUpTo: number
): Row[] {
  const at = place(known.instance.id);
  const apps = Object.entries(known.status?.applications ?? {});
  const open = apps.length === 0 ? null : isOpen(at, true);
  const rows = [instanceRow(known, at, numbering, open)];
  if (open) {
    apps.forEach(([name, app], index) => {
      const numbers = { position: index + 1, siblings: apps.length };
      rows.push(
        ...applicationRows(known, name, app, numbers, isOpen, openReplicasUpTo)
      );
    });
  }
  return rows;
}

/** `RUNNING` as people write it: `running`. */
export function spoken(state: string): string {
  return state.toLowerCase().replace(/_/g, ' ');
}

function instanceRow(
  { instance, status }: Known,
  at: Place,
  numbering: { position: number; siblings: number },
  isOpen: boolean | null
): Row {
  const where = instance.is_remote ? format.host(instance.url) : 'This machine';
  const apps = Object.keys(status?.applications ?? {}).length;
  const note = instance.problem
    ? spoken(instance.problem.kind)
    : [
        instance.version && `Workbench ${instance.version}`,
        status && format.count(apps, 'application')
      ]
        .filter(Boolean)
        .join(' · ');
  return {
    ...blank(at, 'instance', 1, numbering),
    name: where,
    mark: instance.problem ? 'bad' : status ? 'good' : 'busy',
    state: instance.problem
      ? spoken(instance.problem.kind)
      : status
        ? 'running'
        : 'unknown',
    note,
    isOpen
  };
}

function applicationRows(
  known: Known,
  name: string,
  app: ApplicationStatusOverview,
  numbering: { position: number; siblings: number },
  isOpen: Opening,
  openReplicasUpTo: number
): Row[] {
  const at = place(known.instance.id, name);
  const deployments = Object.entries(app.deployments);
  const open = deployments.length === 0 ? null : isOpen(at, true);
  const notes = [
    app.route_prefix ?? 'no route',
    app.owner.notebook && format.fileName(app.owner.notebook)
  ];
  const row: Row = {
    ...blank(at, 'application', 2, numbering),
    name,
    mark: MARKS[app.status] ?? 'warning',
    state: spoken(app.status),
    note: [app.status === 'RUNNING' ? '' : spoken(app.status), ...notes]
      .filter(Boolean)
      .join(' · '),
    isOpen: open
  };
  if (!open) {
    return [row];
  }
  const below = deployments.flatMap(([title, deployment], index) => {
    const numbers = { position: index + 1, siblings: deployments.length };
    const where = place(known.instance.id, name, title);
    return deploymentRows(where, deployment, numbers, isOpen, openReplicasUpTo);
  });
  return [row, ...below];
}

function deploymentRows(
  at: Place,
  deployment: DeploymentStatusOverview,
  numbering: { position: number; siblings: number },
  isOpen: Opening,
  openReplicasUpTo: number
): Row[] {
  const { replicas, target_num_replicas: target } = deployment;
  const isFew = replicas.length <= openReplicasUpTo;
  const open = replicas.length === 0 ? null : isOpen(at, isFew);
  const running = replicas.filter(({ state }) => MARKS[state] === 'good').length;
  const row: Row = {
    ...blank(at, 'deployment', 3, numbering),
    name: at.deployment,
    mark: MARKS[deployment.status] ?? 'warning',
    state: spoken(deployment.status),
    note: [
      deployment.status === 'HEALTHY' ? '' : spoken(deployment.status),
      `${running} of ${format.count(target, 'replica')}`,
      format.shortVersion(deployment.version)
    ]
      .filter(Boolean)
      .join(' · '),
    isOpen: open
  };
  const below = open ? replicas : [];
  return [
    row,
    ...below.map((replica, index) =>
      replicaRow(at, replica, { position: index + 1, siblings: below.length })
    )
  ];
}

function replicaRow(
  above: Place,
  replica: ReplicaStatus,
  numbering: { position: number; siblings: number }
): Row {
  const at = { ...above, replica: replica.id };
  const isUsual = replica.state === 'RUNNING';
  const name = format.shortReplica(replica.id);
  return {
    ...blank(at, 'replica', 4, numbering),
    name: isUsual ? name : `${name} · ${spoken(replica.state)}`,
    mark: MARKS[replica.state] ?? 'warning',
    state: spoken(replica.state)
  };
}

function blank(
  at: Place,
  kind: Kind,
  level: number,
  { position, siblings }: { position: number; siblings: number }
): Row {
  return {
    key: keyOf(at),
    at,
    kind,
    level,
    position,
    siblings,
    name: '',
    mark: 'idle',
    state: '',
    note: '',
    isOpen: null
  };
}
